"""Paths and parameters of MAIL and RCPT."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.address import is_sender
from relay.model.replies import NO_ROOM
from relay.model.reply import Reply
from relay.smtp import mail_and_rcpt, replies
from relay.smtp.mail_and_rcpt import (
    OfMail,
    OfRcpt,
    Path,
    Unfit,
    of_mail,
    of_rcpt,
    parse,
)
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
        # As scanners, cameras and consoles write it.
        ("FROM : <ann@example.com>", "ann@example.com"),
        ("FROM <ann@example.com>", "ann@example.com"),
        ("FROM:\t<ann@example.com>\t", "ann@example.com"),
        ("FROM:< ann@example.com >", "ann@example.com"),
        ("FROM:Ann Lee <ann@example.com>", "ann@example.com"),
        ('FROM:"Ann <Lee>" <ann@example.com>', "ann@example.com"),
        ('FROM:"Ann"<ann@example.com>', "ann@example.com"),
        ("FROM:<Ann Lee <ann@example.com>>", "ann@example.com"),
        ("FROM:<'ann@example.com'>", "ann@example.com"),
        ("FROM:'ann@example.com'", "ann@example.com"),
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
    [
        *("", "FROM", "FROM:", "TO:<a@b>", "FROM:<a@b", "FROM:a@b>", "FROM:<<a>>"),
        *(
            "FROM a@b",
            "FROMAGE:<a@b>",
            "FROM:<a@b>x",
            "FROM:<a b <c@d>",
            'FROM:"a <b@c>',
        ),
    ],
)
def test_what_is_no_path_is_refused(argument: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(argument, "FROM:")
    assert caught.value.reply == replies.BAD_SENDER


def test_of_a_bare_path_the_parameters_are_no_display_name() -> None:
    assert parse("FROM:a@b AUTH=<> SIZE=1", "FROM:") == Path(
        "a@b", {"AUTH": "<>", "SIZE": "1"}
    )


@pytest.mark.parametrize(
    "words",
    ["=", "SIZE=1 SIZE=2", "SIZE=", "-A", "A=\x01", "ENVID=é", "É=1", "<c@d>"],
)
def test_what_is_no_parameter_is_refused(words: str) -> None:
    with pytest.raises(Unfit) as caught:
        parse(f"FROM:<a@b> {words}", "FROM:")
    assert caught.value.reply == replies.BAD_PARAMETER


def test_the_size_is_what_mail_declares_beside_what_is_taken_and_not_used() -> None:
    parameters: dict[str, str | None] = {"BODY": "8bitmime", "SIZE": "10", "AUTH": "<>"}
    assert of_mail(parameters, extended=True, limit=10, memory=Memory(10)) == OfMail(10)
    assert (
        of_mail({"SMTPUTF8": None}, extended=True, limit=10, memory=Memory(10))
        == OfMail()
    )


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
        ({"SIZE": "١"}, replies.BAD_PARAMETER),
        ({"SMTPUTF8": "1"}, replies.BAD_PARAMETER),
        ({"RET": "ALL"}, replies.BAD_PARAMETER),
        ({"ENVID": None}, replies.BAD_PARAMETER),
        ({"HOLDFOR": "1"}, replies.UNKNOWN_PARAMETER),
    ],
)
def test_what_mail_declares_is_refused_before_the_mail_comes(
    parameters: dict[str, str | None], reply: Reply
) -> None:
    with pytest.raises(Unfit) as caught:
        of_mail(parameters, extended=True, limit=100, memory=Memory(50))
    assert caught.value.reply == reply


def test_what_mail_asks_of_reports_is_decoded() -> None:
    asked: dict[str, str | None] = {"RET": "full", "ENVID": "QQ+3D1+20x"}
    assert of_mail(asked, extended=True, limit=1, memory=Memory(1)) == OfMail(
        0, "QQ=1 x", whole=True
    )
    assert (
        of_mail({"RET": "HDRS"}, extended=True, limit=1, memory=Memory(1)) == OfMail()
    )


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({"NOTIFY": "NEVER"}, OfRcpt(failure=False)),
        ({"NOTIFY": "success,delay"}, OfRcpt(failure=False)),
        ({"NOTIFY": "SUCCESS,Failure"}, OfRcpt()),
        ({"ORCPT": "rfc822;a+2Bb@c.example"}, OfRcpt(original="rfc822;a+b@c.example")),
        ({"ORCPT": "utf-8;é@c.example"}, OfRcpt(original=r"utf-8;\x{E9}@c.example")),
        (
            {"ORCPT": r"UTF-8;\x{E9}@c.example"},
            OfRcpt(original=r"UTF-8;\x{E9}@c.example"),
        ),
    ],
)
def test_what_rcpt_asks_of_reports_is_decoded(
    parameters: dict[str, str | None], asked: OfRcpt
) -> None:
    assert of_rcpt(parameters) == asked


@pytest.mark.parametrize(
    "value", ["a@b", "rfc822;", ";a@b", "r f;a@b", "rfc822;a+0D+0Ab", "rfc822;a+7Fb"]
)
def test_an_original_recipient_that_would_forge_a_line_is_refused(value: str) -> None:
    with pytest.raises(Unfit) as caught:
        of_rcpt({"ORCPT": value})
    assert caught.value.reply == replies.BAD_PARAMETER


def test_an_original_recipient_that_grows_over_the_bound_is_refused() -> None:
    with pytest.raises(Unfit) as caught:
        of_rcpt({"ORCPT": "utf-8;" + "é" * 400})
    assert caught.value.reply == replies.BAD_PARAMETER


def seconds(argument: str) -> float:
    """The processor time that an argument takes at least, of several tries."""

    def once() -> float:
        began = time.process_time()
        try:
            parse(argument, "FROM:")
        except Unfit:
            pass
        return time.process_time() - began

    return min(once() for _ in range(5))


@pytest.mark.parametrize(
    "unit",
    [
        *(" ", "x", "<", ">", '"', "\\", '\\"', "a ", "<a ", '"a" ', "@", "@a:", "'"),
        *("=", "a=b ", "<a@b> ", "é", " <", '"<', ":", "<@a", "\t"),
    ],
)
@pytest.mark.parametrize("frame", ["FROM:{}", "FROM:<{}", "FROM:<a@b> {}=", 'FROM:"{}'])
def test_an_argument_twice_as_long_takes_twice_as_long(unit: str, frame: str) -> None:
    half = 125_000 // len(unit)
    # A few milliseconds are not worth a look: what is quadratic takes seconds.
    short = max(seconds(frame.format(unit * half)), 0.005)
    assert seconds(frame.format(unit * 2 * half)) < 3.5 * short


def test_a_local_part_that_ends_with_a_dot_is_put_in_quotes() -> None:
    assert mail_and_rcpt.sender("ilo.@a.example") == '"ilo."@a.example'


def test_a_sender_may_be_nobody_and_its_domain_is_made_ascii() -> None:
    assert mail_and_rcpt.sender("") == ""
    assert mail_and_rcpt.sender("root") == "root"
    assert mail_and_rcpt.sender("ann@bücher.example") == "ann@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("address", "reply"),
    [
        ("änn@a.example", replies.NO_SMTPUTF8),
        ("a..b@c", replies.BAD_SENDER),
        ("a..@c", replies.BAD_SENDER),
        (".@c", replies.BAD_SENDER),
    ],
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
