"""Which variables a usage's mail has, and what a misspelt one means."""

from __future__ import annotations

import pytest

from relay.templates.known import is_known, meant, names_of, passed, together
from relay.templates.samples import VARIABLES


@pytest.mark.parametrize(
    ("usage", "name", "known"),
    [
        ("SignIn", "code", True),
        ("SignIn", "link", False),
        ("SignIn", "user.name", False),
        ("SignIn", "organization.branding.logoUrl", True),
        ("SignIn", "organization.branding.logo", False),
        ("BindMfa", "user.profile.address.country", True),
        ("UserPermissionValidation", "user.avatar", True),
        ("UserPermissionValidation", "organization.name", False),
        ("OrganizationInvitation", "code", False),
        ("OrganizationInvitation", "inviter.name", True),
        ("OrganizationInvitation", "link", True),
        # Mail of usages without a template is Generic's.
        ("Generic", "link", True),
        ("Generic", "user.name", True),
    ],
)
def test_what_logto_passes_with_each_usage_is_known(
    usage: str, name: str, known: bool
) -> None:
    names = passed(usage, (usage,), {})
    assert names is not None
    assert is_known(name, names) is known


def test_generic_has_only_what_falls_back_to_it() -> None:
    usages = ("Generic", "OrganizationInvitation", "SignIn")
    names = passed("Generic", usages, {"Order": {"number": None}})
    assert names is not None
    assert is_known("number", names)
    assert is_known("user.name", names)
    assert not is_known("link", names)


def test_rules_and_tests_add_names() -> None:
    given = {
        "Order": names_of({"order": {"lines": [{"price": 1}], "id": 7}}),
        "": {"product": None},
    }
    names = passed("Order", ("Order",), given)
    assert names is not None
    for name, known in (
        ("order.id", True),
        ("order.lines.0.price", True),
        ("order.di", False),
        ("product", True),
        ("shop", False),
    ):
        assert is_known(name, names) is known, name
    # A rule that reads JSON brings what the app says.
    assert passed("Order", ("Order",), {"Order": None}) is None


def test_what_two_know_is_known_together() -> None:
    one = {"a": {"b": None}, "c": None}
    other = {"a": {"d": None}, "c": {"e": None}, "f": None}
    assert together(one, other) == {
        "a": {"b": None, "d": None},
        "c": None,
        "f": None,
    }


@pytest.mark.parametrize(
    ("name", "intended"),
    [
        ("codes", "code"),
        ("cod", "code"),
        ("coed", "code"),
        ("cude", "code"),
        ("Code", "code"),
        ("uilocales", "uiLocales"),
        ("application.nmae", "application.name"),
        ("aplication.name", "application.name"),
        ("aplication.nmae", ""),
        ("nickname", ""),
        ("co", ""),
        ("", ""),
    ],
)
def test_a_name_one_letter_away_is_meant(name: str, intended: str) -> None:
    names = passed("SignIn", ("SignIn",), {})
    assert names is not None
    assert meant(name, names) == intended


def test_the_samples_are_what_logto_passes() -> None:
    for usage in ("BindMfa", "OrganizationInvitation"):
        names = passed(usage, (usage,), {})
        assert names is not None
        for root, value in VARIABLES.items():
            if root not in names or not isinstance(value, dict):
                continue
            for field in value:
                assert is_known(f"{root}.{field}", names), (usage, root, field)
