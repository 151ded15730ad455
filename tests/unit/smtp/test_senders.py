"""Which senders a user may name."""

from __future__ import annotations

import pytest

from relay.smtp.senders import Senders


@pytest.mark.parametrize(
    ("pattern", "sender", "allowed"),
    [
        ("app@acme.example", "app@acme.example", True),
        ("app@acme.example", "App@ACME.example", True),
        ("app@acme.example", "app@acme.example.evil.example", False),
        ("app@acme.example", "xapp@acme.example", False),
        ("app@acme.example", "app@acmeXexample", False),
        ("*@acme.example", "anybody@acme.example", True),
        ("*@acme.example", '"a b"@acme.example', True),
        ("*@acme.example", "anybody@sub.acme.example", False),
        ("*@acme.example", "anybody@evilacme.example", False),
        ("*@acme.example", '"x@acme.example"@evil.example', False),
        ("*@*.acme.example", "a@sub.acme.example", True),
        ("*@*.acme.example", "a@acme.example", False),
        ("@acme.example", "a@acme.example", True),
        ("acme.example", "a@acme.example", True),
        ("acme.example", "a@sub.acme.example", False),
        ("app+*@acme.example", "app+7@acme.example", True),
        ("app+*@acme.example", "app@acme.example", False),
        ("root", "root", True),
        ("root", "toor", False),
        ("*", "root", True),
        ("*", "a@b.example", True),
        ("[a-z]@acme.example", "a@acme.example", False),
        ("**@acme.example", "a@acme.example", True),
        ("app@acme.example", "root", False),
    ],
)
def test_a_pattern_allows(pattern: str, sender: str, allowed: bool) -> None:
    assert Senders([pattern]).allow(sender) is allowed


def test_no_pattern_allows_all_and_one_of_several_is_enough() -> None:
    assert Senders([]).allow("a@b.example")
    assert Senders(["a@b.example", "c@d.example"]).allow("c@d.example")
    assert not Senders(["a@b.example", "c@d.example"]).allow("c@b.example")


def test_the_null_sender_names_nobody_and_is_always_allowed() -> None:
    assert Senders(["a@b.example"]).allow("")


def test_a_pattern_of_many_stars_is_compared_in_no_time() -> None:
    pattern = "*a" * 40 + "@acme.example"
    assert not Senders([pattern]).allow("a" * 200 + "@b.example")
