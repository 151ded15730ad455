"""Paths and parameters of MAIL and RCPT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.address import is_sender
from relay.model.replies import NO_ROOM
from relay.model.reply import Reply
from relay.smtp import mail_and_rcpt, replies
from relay.smtp.mail_and_rcpt import Path, Unfit, declared_size, parse
from relay.smtp.memory import Memory


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("FROM:<ann@example.com>", "ann@example.com"),
        ("from:<ann@example.com>", "ann@example.com"),
        ("FROM: <ann@example.com>", "ann@example.com"),
        ("FROM:ann@example.com", "ann@example.com"),
        ("FROM: root", "root"),
        ("FROM:<>", ""),
        ("FROM:< >", ""),
        ("FROM:<@a.example,@b.example:ann@example.com>", "ann@example.com"),
        ('FROM:<"a b"@example.com>', '"a b"@example.com'),
        ('FROM:<"a>b"@example.com>', '"a>b"@example.com'),
        (r'FROM:<"a\"b"@example.com>', r'"a\"b"@example.com'),
    ],
)
def test_a_path_is_read_as_old_clients_write_it(argument: str, address: str) -> None:
    assert parse(argument, "FROM:") == Path(address, {})


def test_parameters_are_read_with_their_names_in_upper_case() -> None:
    assert parse("FROM:<a@b> size=10 BODY=8BITMIME smtputf8", "FROM:") == Path(
        "a@b", {"SIZE": "10", "BODY": "8BITMIME", "SMTPUTF8": None}
    )


@pytest.mark.parametrize(
    "argument",
    ["", "FROM", "FROM:", "TO:<a@b>", "FROM:<a@b", "FROM:a@b>", "FROM:<<a>>"],
)
def test_what_is_no_path_is_refused(argument: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(argument, "FROM:")
    assert caught.value.reply == replies.BAD_SENDER


@pytest.mark.parametrize("words", ["=", "SIZE=1 SIZE=2", "SIZE=", "-A", "A=\x01"])
def test_what_is_no_parameter_is_refused(words: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(f"FROM:<a@b> {words}", "FROM:")
    assert caught.value.reply == replies.BAD_PARAMETER


def test_the_size_is_what_mail_declares_beside_what_is_taken_and_not_used() -> None:
    parameters: dict[str, str | None] = {"BODY": "8bitmime", "SIZE": "10", "AUTH": "<>"}
    assert declared_size(parameters, limit=10, memory=Memory(10)) == 10
    assert declared_size({}, limit=10, memory=Memory(10)) == 0


@pytest.mark.parametrize(
    ("parameters", "reply"),
    [
        ({"SIZE": None}, replies.BAD_PARAMETER),
        ({"SIZE": "-1"}, replies.BAD_PARAMETER),
        ({"SIZE": "9" * 21}, replies.BAD_PARAMETER),
        ({"SIZE": "101"}, replies.TOO_LARGE),
        ({"SIZE": "100"}, NO_ROOM),
        ({"BODY": "BINARYMIME"}, replies.BAD_PARAMETER),
        ({"AUTH": None}, replies.BAD_PARAMETER),
        ({"SMTPUTF8": None}, replies.UNKNOWN_PARAMETER),
    ],
)
def test_what_mail_declares_is_refused_before_the_mail_comes(
    parameters: dict[str, str | None], reply: Reply
) -> None:
    with pytest.raises(Unfit) as caught:
        declared_size(parameters, limit=100, memory=Memory(50))
    assert caught.value.reply == reply


def test_a_sender_may_be_nobody_and_its_domain_is_made_ascii() -> None:
    assert mail_and_rcpt.sender("") == ""
    assert mail_and_rcpt.sender("root") == "root"
    assert mail_and_rcpt.sender("ann@bücher.example") == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("address", "reply"),
    [("änn@a.example", replies.NO_SMTPUTF8), ("a..b@c", replies.BAD_SENDER)],
)
def test_what_cannot_be_a_sender_is_refused(address: str, reply: Reply) -> None:
    with pytest.raises(Unfit) as caught:
        mail_and_rcpt.sender(address)
    assert caught.value.reply == reply


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("änn@acme.com", replies.NO_SMTPUTF8),
        ("root", replies.BAD_RECIPIENT),
        ("", replies.BAD_RECIPIENT),
    ],
)
def test_what_cannot_be_a_recipient_is_refused(address: str, reply: Reply) -> None:
    with pytest.raises(Unfit) as caught:
        mail_and_rcpt.recipient(address)
    assert caught.value.reply == reply


@pytest.mark.parametrize(
    "address",
    ["root", "app@localhost", "a@svc_1.local", "a@[192.0.2.1]", '"a b"@x', "a.b+c@d.e"],
)
def test_any_mailbox_or_local_part_may_send(address: str) -> None:
    assert is_sender(address)


@pytest.mark.parametrize(
    "address",
    ["a@", "@b", "a..b@c", ".a@b", "a b@c", "a@b c", "a@-b", "a@b..c", "a@b@c"],
)
def test_what_is_no_mailbox_may_not_send(address: str) -> None:
    assert not is_sender(address)


@given(st.text(max_size=80))
def test_any_argument_is_a_path_or_refused(text: str) -> None:
    try:
        found = parse(f"FROM:{text}", "FROM:")
    except Unfit:
        return
    assert found.address == found.address.strip()
