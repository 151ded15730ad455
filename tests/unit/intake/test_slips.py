from __future__ import annotations

from typing import Any

import pytest

from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.mail import Prepared
from relay.model.reply import Refused
from relay.model.slip import Slip
from relay.model.submission import Envelope, MailId, Order, Submission
from relay.templates.catalog import Templates
from relay.templates.source import Source

NAMED = [Source("SignIn", "s", "{{code}}"), Source("OrderShipped", "s", "x")]
ADDRESS = "noreply@acme.example"
VAIN = "{} dropped: no header of the relay's; did you mean {}?"
WITH_GENERIC = Templates(
    [*NAMED, Source("Generic", "s", "x")], email_address=ADDRESS, missing="empty"
)


def prepared(
    header: str,
    order: Order | None = None,
    **settings: Any,  # noqa: ANN401 - those of Preparation
) -> Prepared:
    content = f"From: a@b.example\r\n{header}\r\n\r\nx\r\n".encode()
    submission = Submission(
        MailId("m1"), Envelope("a@b.example", ("c@d.example",)), content, order=order
    )
    settings.setdefault("templates", WITH_GENERIC)
    return Preparation(**settings).prepare(submission)


@pytest.mark.parametrize(
    ("header", "kind", "text"),
    [
        (
            "X-Relay-Usgae: SignIn",
            "unknown_header",
            VAIN.format("X-Relay-Usgae", "X-Relay-Usage"),
        ),
        (
            "x-relay-locate: fr",
            "unknown_header",
            VAIN.format("x-relay-locate", "X-Relay-Locale"),
        ),
        (
            "X-Relay-Colour: red",
            "unknown_header",
            "X-Relay-Colour dropped: no header of the relay's",
        ),
        (
            "X-Relay-Variables: {}",
            "",
            "",
        ),
        (
            "X-Relay-Variable-code: 123456",
            "variables_without_usage",
            "variables without a usage: the mail goes as it is",
        ),
        (
            "X-Relay-Usage: signin",
            "usage_misspelt",
            "usage signin has no template; did you mean SignIn?",
        ),
        (
            "X-Relay-Usage: OrderShiped",
            "usage_misspelt",
            "usage OrderShiped has no template; did you mean OrderShipped?",
        ),
        # Another usage of the app, which Generic is for.
        ("X-Relay-Usage: Invoice", "", ""),
        ("X-Relay-Usage: SignIn\r\nX-Relay-Variable-code: 1", "", ""),
        ("X-Relay-Locale: fr\r\nX-Relay-Send-At: 1", "", ""),
        # No field, and so nobody's wish.
        ("X-Relay-Usgae", "", ""),
    ],
)
def test_what_a_client_wrote_in_vain(header: str, kind: str, text: str) -> None:
    found = [tuple(slip) for slip in prepared(header).slips]
    assert found == ([(kind, text)] if kind else [])


def test_the_old_name_of_the_usage_header_is_told_the_new_one() -> None:
    [slip] = prepared("X-Relay-Usage: SignIn", usage_header="X-Mail-Type").slips
    assert slip.text == (
        "X-Relay-Usage dropped: no header of the relay's; usageHeader is X-Mail-Type"
    )
    [slip] = prepared("X-Relay-Usage: x", usage_header="X-Relay-Kind").slips
    assert slip.text.endswith("; usageHeader is X-Relay-Kind")
    assert not prepared("X-Relay-Kind: SignIn", usage_header="X-Relay-Kind").slips


def test_what_may_be_a_value_is_not_said() -> None:
    header = "X-Relay-Code=123456: x\r\nX-Relay-Code 987654: y"
    texts = " ".join(slip.text for slip in prepared(header).slips)
    assert "123456" not in texts
    assert "987654" not in texts
    assert "X-Relay-Code dropped" in texts


def test_of_many_unknown_headers_some_are_named_and_each_once() -> None:
    header = "\r\n".join(f"X-Relay-A{n // 2}: x" for n in range(100))
    slips = prepared(header).slips
    assert len(slips) == len(set(slips)) == 5


def test_a_refused_mail_brings_them_with_its_refusal() -> None:
    with pytest.raises(Refused) as refused:
        prepared("X-Relay-Usgae: SignIn", without_usage="reject")
    [slip] = refused.value.slips
    assert "did you mean X-Relay-Usage?" in slip.text


def test_a_usage_by_http_may_be_misspelt_too() -> None:
    [slip] = prepared("", Order("signIn", {"code": "1"})).slips
    assert slip.kind == "usage_misspelt"


def test_a_header_that_its_account_lists_was_not_written_in_vain() -> None:
    accounts = SenderAccounts(
        [
            SenderAccount(client_headers=["X-SES-CONFIGURATION-SET"]),
            SenderAccount("b", domains=["b.example"], client_headers=["X-SES-TENANT"]),
        ]
    )
    assert not prepared("X-SES-TENANT: t", accounts=accounts).slips
    header = "X-SES-CONFIGURATION-SET: c\r\nX-Relay-Colour: x"
    kinds = [slip.kind for slip in prepared(header, accounts=accounts).slips]
    assert kinds == ["unknown_header", "header_not_listed"]


def test_what_a_variable_lacks_is_a_slip_where_its_client_gave_the_variable() -> None:
    source = Source("SignIn", "s", "{{code}} {{user.name}} {{organization.name}}")
    made = Templates([source], email_address=ADDRESS)
    absent: dict[str, object] = {"user": {}, "organization": {}}
    order = Order("SignIn", {"code": "1", "user": {"id": "x"}}, defaults=absent)
    assert prepared("", order, templates=made).slips == (
        Slip("leaf_missing", "user.name is not given: template SignIn has a gap"),
    )
    null = Order("SignIn", {"code": "1", "user": {"name": None}}, defaults=absent)
    assert prepared("", null, templates=made).slips == ()
    header = 'X-Relay-Usage: SignIn\r\nX-Relay-Variables: {"code": "1", "user": {}}'
    whole = f'{header[:-1]}, "organization": {{"name": "Acme"}}}}'
    assert prepared(whole, templates=made).slips == (
        Slip("leaf_missing", "user.name is not given: template SignIn has a gap"),
    )
