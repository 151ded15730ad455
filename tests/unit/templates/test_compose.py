"""The mail that a template makes of an original: headers, bodies, attachments."""

from __future__ import annotations

import base64
import email
import re
from email.message import EmailMessage
from email.policy import SMTP, default
from typing import Any

import pytest

from relay.content.header import parse
from relay.content.original import Original
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.catalog import Templates
from relay.templates.compose import compose
from relay.templates.source import Source

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))
IMAGE = bytes(range(256)) * 3
WRAP = "<div>{{message.html}}</div>"


def content(
    original: bytes,
    template: str = "<p>new</p>",
    subject: str = "s",
    envelope: Envelope = ENVELOPE,
    content_type: str = "text/html",
    attachments: str = "keep",
) -> bytes:
    source = Source(
        "A", subject, template, content_type=content_type, attachments=attachments
    )
    return Templates([source]).choose("A", "").apply(parse(original), envelope, {})


def mail(
    original: bytes,
    template: str = "<p>new</p>",
    *,
    content_type: str = "text/html",
    attachments: str = "keep",
) -> EmailMessage:
    raw = content(
        original, template, content_type=content_type, attachments=attachments
    )
    made = email.message_from_bytes(raw, policy=default)
    assert isinstance(made, EmailMessage)
    return made


def body(made: EmailMessage, kind: str) -> str:
    part = made.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


def shape(made: EmailMessage) -> str:
    if not made.is_multipart():
        return made.get_content_type()
    parts = ", ".join(shape(part) for part in made.iter_parts())  # type: ignore[arg-type]  # typeshed: any Message
    return f"{made.get_content_subtype()}({parts})"


def rich() -> bytes:
    """Text, HTML with an image in it, and a PDF with a name outside ASCII."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = "a@x.example", "b@x.example", "old"
    made.set_content("old text\n")
    made.add_alternative('<p>old</p><img src="cid:pic@x">', subtype="html")
    html = made.get_body(("html",))
    assert html is not None
    html.add_related(IMAGE, "image", "png", cid="<pic@x>")
    made.add_attachment(IMAGE, "application", "pdf", filename="Été.pdf")
    return made.as_bytes()


def header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\nold\r\n"


def test_headers_that_do_not_describe_the_old_body_are_kept_as_they_are() -> None:
    kept = (
        b"Message-ID: <1@x.example>\r\nDate: Tue, 1 Jan 2030 00:00:00 +0000\r\n"
        b"In-Reply-To: <0@x>\r\nList-Unsubscribe: <https://x.example/u>\r\n"
        b"X-Folded: a\r\n\tb\r\nAuto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
    )
    made = content(b"From: a@x.example\r\n" + kept + b"To: b@x.example\r\n\r\nx\r\n")
    for line in re.findall(rb"[^\n]+\n(?:[ \t][^\n]*\n)*", kept):
        assert line in made


def test_headers_about_the_old_body_and_its_way_go() -> None:
    gone = (
        "Received: by a",
        "Resent-From: r@x",
        "Return-Path: <r@x>",
        "Authentication-Results: x",
        "ARC-Seal: x",
        "DKIM-Signature: v=1",
        "DomainKey-Signature: x",
        "Content-Language: fr",
        "Content-MD5: x",
        "Bcc: secret@x.example",
    )
    made = mail(header("From: a@x.example", "MIME-Version: 1.0", *gone))
    for line in gone:
        assert made[line.partition(":")[0]] is None
    assert made.get_all("MIME-Version") == ["1.0"]
    assert len(made.get_all("Content-Type") or ()) == 1


def test_trap_17_no_header_that_ses_wants_once_appears_twice() -> None:
    once = ("Date", "Message-ID", "References", "Sender", "User-Agent", "Importance")
    lines = [f"{name}: {n}" for n in ("1", "2") for name in once]
    made = content(header("From: a@x", "From: b@x", "Subject: 1", "Subject: 2", *lines))
    head = made.partition(b"\r\n\r\n")[0].decode().lower()
    for name in ("From", "Subject", *once):
        assert len(re.findall(f"^{name}:".lower(), head, re.MULTILINE)) == 1
    assert "from: a@x" in head
    assert "message-id: 1" in head


def test_raw_utf8_in_kept_headers_becomes_encoded_words() -> None:
    made = content(
        header("From: Été <a@x.example>", "To: Ôte <b@x.example>", "X-A: ü b")
    )
    assert made.isascii()
    parsed = email.message_from_bytes(made, policy=default)
    assert parsed["From"].addresses[0].display_name == "Été"
    assert parsed["To"].addresses[0].display_name == "Ôte"
    assert parsed["X-A"] == "ü b"


@pytest.mark.parametrize(
    ("lines", "recipients", "to", "cc"),
    [
        (("To: x@y.example",), ("a@b.example",), "x@y.example", None),
        ((), ("a@b.example",), "a@b.example", None),
        (("To:",), ("a@b.example",), "a@b.example", None),
        ((), ("a@b.example", "c@d.example"), "undisclosed-recipients:;", None),
        (("Cc: x@y.example",), ("a@b.example",), None, "x@y.example"),
    ],
)
def test_to_and_cc(
    lines: tuple[str, ...], recipients: tuple[str, ...], to: str | None, cc: str | None
) -> None:
    made = content(
        header("From: a@x.example", *lines), envelope=Envelope("s@x", recipients)
    )
    parsed = email.message_from_bytes(made, policy=default)
    assert (parsed["To"], parsed["Cc"]) == (to, cc)


@pytest.mark.parametrize(
    "subject",
    [
        "Your code is 123456",
        "=?utf-8?q?not_a_word?=",
        "Été " * 60,
        "x" * 300,
        "a " * 200 + "b",
        "日本語" * 40,
        "two  spaces   here " * 10 + "end",
        "",
    ],
)
def test_any_subject_comes_back_from_short_lines(subject: str) -> None:
    made = content(header("From: a@x.example"), subject=subject)
    assert made.isascii()
    assert max(map(len, made.split(b"\r\n"))) <= 78
    assert all(len(w) <= 75 for w in re.findall(rb"=\?[^?]+\?.\?[^?]*\?=", made))
    parsed = email.message_from_bytes(made, policy=default)
    assert str(parsed["Subject"]).strip() == subject.strip()


@pytest.mark.parametrize("letter", ["a", "é", "日", "=", " ", ".\n", "\n", "x \n"])
def test_lines_are_short_and_bodies_come_back(letter: str) -> None:
    text = f"<p>{letter * 500}</p>end"
    made = content(header("From: a@x.example"), text)
    assert made.isascii()
    assert max(map(len, made.split(b"\r\n"))) <= 78
    assert b"\n" not in made.replace(b"\r\n", b"")
    parsed = email.message_from_bytes(made, policy=default)
    assert isinstance(parsed, EmailMessage)
    assert body(parsed, "html") == text


def test_a_rich_mail_keeps_its_attachment_and_drops_what_its_html_had() -> None:
    made = mail(rich())
    assert shape(made) == "mixed(alternative(text/plain, text/html), application/pdf)"
    (attached,) = made.iter_attachments()
    assert attached.get_filename() == "Été.pdf"
    assert attached.get_content() == IMAGE
    assert "old" not in body(made, "html") + body(made, "plain")


def test_a_wrapped_mail_keeps_its_images_beside_its_html() -> None:
    made = mail(rich(), WRAP)
    assert shape(made) == (
        "mixed(alternative(text/plain, related(text/html, image/png)), application/pdf)"
    )
    assert body(made, "html") == '<div><p>old</p><img src="cid:pic@x">\n</div>'
    assert body(made, "plain") == "old text"


def test_dropped_attachments_go_but_not_the_images_of_the_wrapped_html() -> None:
    made = mail(rich(), WRAP, attachments="drop")
    assert shape(made) == "alternative(text/plain, related(text/html, image/png))"
    assert (
        shape(mail(rich(), attachments="drop")) == "alternative(text/plain, text/html)"
    )


def test_a_plain_template_stands_before_the_attachments() -> None:
    made = mail(rich(), "new", content_type="text/plain")
    assert shape(made) == "mixed(text/plain, application/pdf)"


def test_the_raw_bytes_of_an_attachment_are_kept() -> None:
    part = (
        b"Content-Type: text/csv;\r\n\tname=a.csv\r\nX-Attachment-Id: f_1\r\n"
        b"content-disposition: attachment; filename=a.csv\r\n\r\na;b\r\n\r\n1;2"
    )
    original = (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nold\r\n--b\r\n" + part + b"\r\n--b--\r\n"
    )
    made = content(original)
    assert b"\r\n" + part + b"\r\n--" in made


def test_trap_16_an_attachment_of_8_bit_is_encoded_and_comes_back() -> None:
    part = "Content-Type: text/csv; charset=utf-8\r\nContent-Disposition: attachment"
    original = (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n" + part.encode() + "\r\n\r\nÉté".encode() + b"\r\n--b--\r\n"
    )
    made = content(original)
    assert made.isascii()
    parsed = email.message_from_bytes(made, policy=default)
    assert isinstance(parsed, EmailMessage)
    (attached,) = parsed.iter_attachments()
    assert attached.get_payload(decode=True) == "Été".encode()


def test_a_mail_inside_a_mail_is_an_attachment_and_not_a_body() -> None:
    inner = b"From: i@x.example\r\nSubject: inner\r\n\r\ninner body"
    original = (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\nouter\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        + inner
        + b"\r\n--b--\r\n"
    )
    made = mail(original, WRAP)
    assert body(made, "plain") == "outer"
    assert shape(made).endswith(", message/rfc822(text/plain))") or "rfc822" in shape(
        made
    )
    assert inner in made.as_bytes(policy=SMTP)


def test_a_mail_that_is_an_attachment_stays_one() -> None:
    original = (
        b"From: a@x.example\r\nX-A: 1\r\nContent-Type: application/pdf\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n"
        + base64.b64encode(b"PDF")
        + b"\r\n"
    )
    made = mail(original)
    assert shape(made) == "mixed(alternative(text/plain, text/html), application/pdf)"
    (attached,) = made.iter_attachments()
    assert attached.get_content() == b"PDF"
    assert "X-A" not in attached


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("iso-8859-1", b"\xe9t\xe9", "été"),
        ("windows-1252", b"\x80 5", "€ 5"),
        ("utf-8", "日本".encode(), "日本"),
        ("utf-8", b"caf\xe9", "caf\ufffd"),
        ("no-such-charset", "é".encode(), "é"),
        ("rot13", b"abc", "abc"),
    ],
)
def test_charsets_are_decoded_leniently(charset: str, data: bytes, text: str) -> None:
    original = (
        b"From: a@x.example\r\nContent-Type: text/plain; charset=%s\r\n\r\n%s\r\n"
        % (charset.encode(), data)
    )
    assert body(mail(original, WRAP), "plain") == text


def test_html_alone_makes_the_text_and_text_alone_the_html() -> None:
    original = (
        b"From: a@x.example\r\nContent-Type: text/html\r\n\r\n"
        b"<p>One</p><script>x()</script><p>a &lt; b</p>\r\n"
    )
    assert body(mail(original, "{{message.text}}"), "plain") == "One\n\na < b"
    assert body(mail(header("From: a@x"), WRAP), "html").startswith("<div>old")


@pytest.mark.parametrize("depth", [101, 2000])
def test_too_deep_a_mail_is_refused(depth: int) -> None:
    original = b"From: a@x\r\n"
    for level in range(depth):
        original += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n' % level
        original += b"--b%d\r\n" % level
    with pytest.raises(Refused) as caught:
        content(original + b"\r\nx\r\n", WRAP)
    assert str(caught.value.reply).startswith("554 5.6.0 ")


def test_too_many_parts_are_refused() -> None:
    original = b"From: a@x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    with pytest.raises(Refused) as caught:
        content(original + b"--b\r\n\r\nx\r\n" * 501, WRAP)
    assert str(caught.value.reply).startswith("554 5.6.0 ")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b'Content-Type: multipart/mixed; boundary="\r\n\r\nx',
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\nno parts",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b--",
        b"Content-Type: \r\nContent-Transfer-Encoding: base64\r\n\r\n=A=B=!",
        b"Content-Transfer-Encoding: base64\r\n\r\nA",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n=X=",
        b"Content-Type: text/html; charset=\x00\xff\r\n\r\n<![if",
        b"\xff\xfe: x",
        b"",
    ],
)
def test_a_broken_original_still_makes_a_mail(rest: bytes) -> None:
    made = content(b"From: a@x.example\r\n" + rest, WRAP)
    assert email.message_from_bytes(made, policy=default)["Subject"] == "s"


def multipart(*parts: bytes) -> bytes:
    return (
        b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
        + b"--b--\r\n"
    )


def test_text_on_both_sides_of_a_picture_is_wrapped_whole() -> None:
    original = multipart(b"\r\none", b"Content-Type: image/png\r\n\r\nPNG", b"\r\ntwo")
    assert body(mail(original, WRAP), "plain") == "one\ntwo"


def test_an_image_is_found_by_its_percent_encoded_id() -> None:
    original = multipart(
        b"Content-Type: text/html\r\n\r\n<img src='cid:a%40b'>",
        b"Content-Type: image/png\r\nContent-ID: <a@b>\r\n\r\nPNG",
    )
    assert shape(mail(original, WRAP)) == (
        "alternative(text/plain, related(text/html, image/png))"
    )
    assert shape(mail(original)) == "alternative(text/plain, text/html)"


def parts(kind: str, *inner: tuple[str, str]) -> bytes:
    body = "".join(f"\r\n--b\r\n{head}\r\n\r\n{text}" for head, text in inner)
    head = f"From: a@x.example\r\nContent-Type: multipart/{kind}; boundary=b\r\n\r\n"
    return f"{head}{body}\r\n--b--\r\n".encode()


@pytest.mark.parametrize(
    "kind", ["text/x-amp-html", "text/watch-html", "text/enriched; name=x"]
)
def test_an_alternative_that_we_do_not_read_goes_with_the_old_body(kind: str) -> None:
    old = parts(
        "alternative",
        ("Content-Type: text/plain", "999888"),
        (f"Content-Type: {kind}", "999888"),
        ("Content-Type: text/html", "<p>999888</p>"),
    )
    made = content(old)
    assert shape(mail(old)) == "alternative(text/plain, text/html)"
    assert b"999888" not in made


def test_what_is_attached_among_alternatives_stays() -> None:
    old = parts(
        "alternative",
        ("Content-Type: text/plain", "old"),
        ("Content-Type: text/calendar; method=REQUEST", "BEGIN:VCALENDAR"),
        ("Content-Type: application/pdf; name=a.pdf", "PDF"),
        ("Content-Type: text/plain\r\nContent-Disposition: attachment", "log"),
    )
    assert shape(mail(old)) == (
        "mixed(alternative(text/plain, text/html), "
        "text/calendar, application/pdf, text/plain)"
    )


def test_a_named_body_is_the_body_where_there_is_no_other() -> None:
    old = header(
        "From: a@x.example", 'Content-Type: text/html; charset=utf-8; name="r.html"'
    ).replace(b"old", b"<p>Your code is 111222</p>")
    made = mail(old, WRAP)
    assert shape(made) == "alternative(text/plain, text/html)"
    assert body(made, "plain") == "Your code is 111222"
    assert "<div><p>Your code is 111222</p>" in body(made, "html")
    attached = old.replace(b"From:", b"Content-Disposition: attachment\r\nFrom:")
    assert shape(mail(attached, WRAP)).startswith("mixed(")


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
        "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
        "application/x-pkcs7-mime",
        'application/octet-stream; name="smime.p7m"',
    ],
)
def test_an_encrypted_mail_is_not_wrapped(kind: str) -> None:
    """Neither as an empty mail nor with the old body as a file."""
    old = header("From: a@x.example", f"Content-Type: {kind}").replace(
        b"old", b"--b\r\nContent-Type: application/octet-stream\r\n\r\nold\r\n--b--"
    )
    for template in (WRAP, "<pre>{{message.text}}</pre>"):
        with pytest.raises(Refused, match=r"^550 5\.6\.0 An encrypted mail cannot be"):
            content(old, template)
    made = content(old)
    assert b"\r\nold" not in made
    assert shape(mail(old)) == "alternative(text/plain, text/html)"


@pytest.mark.parametrize(
    "kind", ["application/pgp-signature", "application/octet-stream; name=smime.p7s"]
)
def test_a_signature_goes_when_its_body_is_wrapped(kind: str) -> None:
    old = parts(
        "signed",
        ("Content-Type: text/html", "<p>signed</p>"),
        (f"Content-Type: {kind}", "MIIB"),
    )
    made = mail(old, WRAP)
    assert shape(made) == "alternative(text/plain, text/html)"
    assert body(made, "plain") == "signed"


def test_raw_names_and_subjects_are_in_the_charset_of_the_body() -> None:
    old = (
        "From: Jörg <a@x.example>\r\nTo: Käthe <b@x.example>\r\n"
        "Subject: Grüße – 5 €\r\n"
        "X-Note: für\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\nGrüße\r\n"
    ).encode("cp1252")
    raw = content(old, WRAP, "{{message.subject}}")
    assert raw.isascii()
    made = email.message_from_bytes(raw, policy=default)
    assert [made[name] for name in ("From", "To", "Subject", "X-Note")] == [
        "Jörg <a@x.example>",
        "Käthe <b@x.example>",
        "Grüße – 5 €",
        "für",
    ]


def test_a_raw_name_of_a_file_is_in_the_charset_of_the_body() -> None:
    old = (
        parts("mixed", ("Content-Type: text/plain; charset=windows-1251", "Код"))
        .decode()
        .replace("--b--", '--b\r\nContent-Type: a/b; name="Код.pdf"\r\n\r\nx\r\n--b--')
        .encode("cp1251")
    )
    (file,) = mail(old).iter_attachments()
    assert file.get_filename() == "Код.pdf"


def test_a_subject_begins_beside_its_name() -> None:
    for subject in ("ü" * 100, "Grüße " * 20 + "x", "x" * 100, "x" * 72 + " plain"):
        raw = content(header("From: a@x.example"), subject=subject)
        line = next(line for line in raw.split(b"\r\n") if line.startswith(b"Subject"))
        assert line.startswith(b"Subject: =?utf-8?")
        assert len(line) <= 78
        made = email.message_from_bytes(raw, policy=default)
        assert made["Subject"] == subject


def test_a_template_s_own_images_stand_beside_its_html_and_the_original_s() -> None:
    image = b"Content-Type: image/png\r\nContent-ID: <own>\r\n\r\nown"
    text = [b"Content-Type: text/plain\r\n\r\n", b"t"]
    html = [b"Content-Type: text/html\r\n\r\n", b"h"]
    original = Original(parse(rich()), ENVELOPE)

    def made(**more: Any) -> str:  # noqa: ANN401 - parts of two kinds
        raw = compose(
            original,
            subject="s",
            sender=None,
            reply_to=None,
            text=text,
            html=html,
            **more,
        )
        whole = email.message_from_bytes(raw, policy=default)
        assert isinstance(whole, EmailMessage)
        return shape(whole)

    assert made(images=[image]) == (
        "alternative(text/plain, related(text/html, image/png))"
    )
    assert made(
        images=[image], related=original.related, attachments=original.attachments
    ) == (
        "mixed(alternative(text/plain, related(text/html, image/png, image/png)), "
        "application/pdf)"
    )
