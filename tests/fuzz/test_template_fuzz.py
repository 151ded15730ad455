"""Any template, any variables, any original: a mail, Refused or TemplateError."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.header import normalise, parse
from relay.content.html_to_text import from_html
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.catalog import TemplateError, Templates
from relay.templates.source import Source

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))
NAMES = ("a", "b", "user.name", "list.0", "message.text", "message.html", "message.to")
PIECES = st.sampled_from(
    [f"{{{{{name}}}}}" for name in NAMES]
    + ["{{{a}}}", "{{ b }}", "{{", "}}", "{{#if}}", "<p>", "</p>", "<a href='{{a}}'>"]
    + ["\r\n", "\r", "\n", "&lt;", "@", "<", ">", '"', ",", "é", "日", "=?utf-8?q?x?="]
)
TEMPLATE = st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join)
VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"[\x00-\x7f\ud800é]{0,40}", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
VARIABLES = st.fixed_dictionaries(
    {}, optional={"a": VALUE, "b": VALUE, "user": VALUE, "list": VALUE}
)
LINE = st.sampled_from(
    [
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/related; boundary=c",
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Type: message/rfc822",
        b"Content-Disposition: attachment; filename=\xc3\xa9",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-ID: <x>",
        b'From: "\xc3\xa9, b" <a@b.example>',
        b"To: \xff",
        b"Sender: (\xc3\xa9) =?x?b?y?=",
        b"--b",
        b"--c",
        b"--b--",
        b'<img src="cid:x">',
        b"",
        b"QUI=D",
    ]
)
ORIGINAL = st.lists(LINE | st.binary(max_size=30), max_size=25).map(b"\r\n".join)


def templates(source: Source, missing: str = "empty", address: str = "") -> Templates:
    return Templates([source], email_address=address, missing=missing)


@given(TEMPLATE, TEMPLATE, TEMPLATE, TEMPLATE, VARIABLES, ORIGINAL, st.data())
def test_the_result_is_a_mail_or_a_refusal(
    subject: str,
    body: str,
    send_from: str,
    reply_to: str,
    variables: dict[str, Any],
    original: bytes,
    data: st.DataObject,
) -> None:
    source = Source(
        "A",
        subject,
        body,
        content_type=data.draw(st.sampled_from(["text/html", "text/plain"])),
        send_from=send_from,
        reply_to=reply_to,
    )
    missing = data.draw(st.sampled_from(["reject", "keep", "empty"]))
    address = data.draw(st.sampled_from(["", "Été, x <n@acme.example>"]))
    try:
        template = templates(source, missing, address).choose("A", "")
        message = parse(normalise(original))
        content = template.apply(message, ENVELOPE, variables)
    except (TemplateError, Refused):
        return
    rest = content.replace(b"\r\n", b"")
    assert b"\n" not in rest
    assert b"\r" not in rest
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    made = email.message_from_bytes(content, policy=default)
    names = [name.lower() for name in made]
    for name in ("from", "subject", "mime-version", "content-type", "reply-to", "to"):
        assert names.count(name) <= 1
    assert {"from", "subject", "mime-version", "content-type"} <= set(names)
    given_names = {field.key for field in message.fields}
    ours = {"from", "to", "reply-to", "subject", "mime-version", "content-type"}
    ours.add("content-transfer-encoding")
    assert set(names) <= given_names | ours


PLAIN = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=300
)


@given(PLAIN, PLAIN)
def test_subject_and_bodies_come_back_from_short_ascii_lines(a: str, b: str) -> None:
    source = Source("A", "{{a}}", "{{{b}}}", text="{{b}}")
    content = (
        templates(source, address="n@acme.example")
        .choose("A", "")
        .apply(parse(b""), ENVELOPE, {"a": a, "b": b})
    )
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 78
    made = email.message_from_bytes(content, policy=default)
    assert isinstance(made, EmailMessage)
    assert str(made["Subject"]).strip() == a.strip()
    for kind in ("plain", "html"):
        part = made.get_body((kind,))
        assert part is not None
        assert str(part.get_content()) in (f"{b}\r\n", f"{b}\n", b)


@given(st.text())
def test_trap_37_a_display_name_of_any_text_stays_beside_its_address(name: str) -> None:
    source = Source("A", "s", "x", send_from="{{a}} <desk@acme.example>")
    content = templates(source).choose("A", "").apply(parse(b""), ENVELOPE, {"a": name})
    made = email.message_from_bytes(content, policy=default)
    assert [address.addr_spec for address in made["From"].addresses] == [
        "desk@acme.example"
    ]
    assert "bcc" not in [key.lower() for key in made]


@given(st.text() | st.lists(PIECES, max_size=40).map("".join))
def test_html_of_any_kind_becomes_text(html: str) -> None:
    assert isinstance(from_html(html), str)


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<a '",
        '<a "',
        "<!--",
        "<a>",
        "</a>",
        "<style>",
        "<a href=x>",
        "&",
        "<p>",
        "<div style='display:none'>",
        "<pre>",
        "<![",
        "<br>",
        "{{a}}",
        "<a\"'>",
    ],
)
def test_html_takes_linear_time(piece: str) -> None:
    # 400 kB in far less than the minute that quadratic time would take.
    size = 400_000 // len(piece)
    assert isinstance(from_html(piece * size), str)
    assert isinstance(from_html(piece * size + ">"), str)
