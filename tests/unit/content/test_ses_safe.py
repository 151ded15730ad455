from __future__ import annotations

import binascii
import email
import re
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from pathlib import Path
from typing import cast

import pytest

from relay.content.encoded_words import words
from relay.content.header import parse
from relay.content.ses_safe import (
    check_structure,
    has_long_line,
    reencode,
)
from relay.model.reply import Refused

CORPUS = Path(__file__).parents[2] / "corpus"
BROKEN = ("8bit-utf8-plain", "8bit-latin1", "8bit-cyrillic", "8bit-parts", "long-line")


def made(content: bytes) -> bytes:
    return reencode(parse(content)).content


def read(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=default)


def header(value: str, name: str = "Subject") -> bytes:
    content = made(f"{name}: {value}\r\n\r\n".encode())
    assert content.isascii()
    assert all(len(line) <= 78 for line in content.split(b"\r\n"))
    return content.removesuffix(b"\r\n\r\n")


@pytest.mark.parametrize("name", BROKEN)
def test_what_ses_would_break_becomes_safe_and_reads_the_same(name: str) -> None:
    content = (CORPUS / f"{name}.eml").read_bytes()
    safe = made(content)
    assert safe.isascii()
    assert not has_long_line(safe, 0, len(safe))
    assert made(safe) == safe
    before = email.message_from_bytes(content)
    after = email.message_from_bytes(safe)
    assert [payloads(part) for part in after.walk()] == [
        payloads(part) for part in before.walk()
    ]
    assert [part.get_content_type() for part in after.walk()] == [
        part.get_content_type() for part in before.walk()
    ]


def payloads(part: Message) -> bytes | None:
    return None if part.is_multipart() else cast("bytes", part.get_payload(decode=True))


def test_safe_mail_is_the_same_object() -> None:
    for path in CORPUS.glob("*.eml"):
        if path.stem not in BROKEN and path.stem != "8bit-signed":
            message = parse(path.read_bytes())
            assert reencode(message) is message, path


def test_signed_and_encrypted_parts_stay_as_they_are() -> None:
    content = (CORPUS / "8bit-signed.eml").read_bytes()
    assert made(content) == content
    inner = content.partition(b"MIME-Version: 1.0\r\n")[2]
    mixed = (
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n"
        + inner
        + b"\r\n--m\r\n\r\nfoot \xc3\xbc\r\n--m--\r\n"
    )
    safe = made(mixed)
    assert inner in safe
    assert safe.endswith(
        b"\r\n--m\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nfoot =C3=BC\r\n--m--\r\n"
    )


def test_a_mail_inside_a_mail_stays_as_it_is() -> None:
    content = (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        b"Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n"
    )
    assert made(content) == content
    digest = (
        b"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n"
        b"Subject: x\r\n\r\n\xc3\xbc\r\n--d--\r\n"
    )
    assert made(digest) == digest


def test_the_new_encoding_stands_where_the_old_one_stood() -> None:
    content = (
        b"From: a@b.example\r\nContent-transfer-encoding: 8BIT\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: text/plain; charset="iso-8859-1"\r\n\r\nGr\xfc\xdfe\r\n'
    )
    assert made(content) == (
        b"From: a@b.example\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: text/plain; charset="iso-8859-1"\r\n\r\n'
        b"Gr=FC=DFe\r\n"
    )


def test_a_bare_mail_becomes_a_mime_mail() -> None:
    assert made(b"From: a@b.example\r\n\r\nGr\xc3\xbc\xc3\x9fe, Ann") == (
        b"From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\n"
        b"Gr=C3=BC=C3=9Fe, Ann"
    )


def test_a_charset_that_nobody_named_is_not_made_up() -> None:
    assert made(b"From: a@b.example\r\n\r\nGr\xfc\xdfe\r\n") == (
        b"From: a@b.example\r\nContent-Transfer-Encoding: quoted-printable\r\n"
        b"MIME-Version: 1.0\r\n\r\nGr=FC=DFe\r\n"
    )


def test_a_long_line_without_any_line_end_gets_soft_breaks_of_crlf() -> None:
    safe = made(b"From: a@b.example\r\n\r\n" + b"x" * 2000)
    assert safe.count(b"\n") == safe.count(b"\r\n")
    assert read(safe).get_payload(decode=True) == b"x" * 2000


def test_base64_in_one_long_line_is_wrapped() -> None:
    content = (
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b"QUJD" * 1000
        + b"\r\n"
    )
    safe = made(content)
    assert max(map(len, safe.split(b"\r\n"))) == 76
    assert read(safe).get_payload(decode=True) == b"ABC" * 1000


def test_a_line_of_998_bytes_is_no_long_line() -> None:
    for line, long in ((b"x" * 998, False), (b"x" * 999, True)):
        for content in (line, line + b"\r\n", b"a\r\n" + line + b"\r\nb\r\n"):
            assert has_long_line(content, 0, len(content)) is long


def test_parts_and_depth_over_the_limits_are_refused() -> None:
    def mail(parts: int) -> bytes:
        return (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n\xff\r\n"
            + b"--b\r\n\r\nx\r\n" * parts
            + b"--b--\r\n"
        )

    def nested(depth: int) -> bytes:
        content = b"\r\nx\r\n"
        for level in range(depth):
            content = (
                b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%s"
                % (
                    level,
                    level,
                    content,
                )
            )
        return content

    check_structure(parse(mail(500)))
    check_structure(parse(nested(100)))
    with pytest.raises(Refused, match=r"^554 5\.6\.0 More than 500 MIME parts"):
        check_structure(parse(mail(501)))
    with pytest.raises(Refused, match=r"^554 5\.6\.0 MIME parts nested"):
        check_structure(parse(nested(101)))
    with pytest.raises(Refused, match=r"^554 5\.6\.0 MIME parts nested"):
        reencode(parse(nested(2000) + b"\xc3\xbc"))


@pytest.mark.parametrize(
    "text",
    [
        "Grüße",
        "Grüße aus Köln",
        "order 5 für Ann bestätigt",
        "plain words first and then ü",
        "привет мир " * 20,
        "🎉" * 100,
        "ü" + "x" * 300,
    ],
)
def test_a_raw_subject_reads_the_same_as_encoded_words(text: str) -> None:
    mail = read(header(text.strip()) + b"\r\n\r\n")
    assert mail["Subject"] == text.strip()


def test_encoded_words_beside_raw_text_keep_the_space_between() -> None:
    text = "=?utf-8?q?=C3=A9?= ü =?utf-8?q?x?= y"
    line = header(text).decode().removeprefix("Subject: ")
    assert str(make_header(decode_header(line))) == "é ü x y"


def test_the_plain_words_of_a_subject_stay_readable() -> None:
    assert header("order 5 für Ann") == b"Subject: order 5 =?utf-8?q?f=C3=BCr?= Ann"


def test_words_have_75_characters_and_whole_letters() -> None:
    for text in ("ü" * 200, "a b ü" * 60, "漢字" * 90, "🎉" * 50):
        pieces = words(text)
        assert all(len(piece) <= 75 for piece in pieces)
        assert (
            "".join(str(make_header(decode_header(piece))) for piece in pieces) == text
        )


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        ("Été <a@b.example>", "=?utf-8?b?w4l0w6k=?= <a@b.example>"),
        ('"Ac, mé" <a@b.example>', "=?utf-8?q?Ac=2C_m=C3=A9?= <a@b.example>"),
        (
            'Ann <a@b.example>, Bö <b@b.example>, "C, D" <c@b.x>',
            'Ann <a@b.example>, =?utf-8?q?B=C3=B6?= <b@b.example>, "C, D" <c@b.x>',
        ),
        ("a@b.example (Bö)", "a@b.example (=?utf-8?q?B=C3=B6?=)"),
        (
            "Bö: a@b.example, b@b.example;",
            "=?utf-8?q?B=C3=B6?=: a@b.example, b@b.example;",
        ),
        ("=?utf-8?q?=C3=A9?= ü <a@b.example>", "=?utf-8?b?w6kgw7w=?= <a@b.example>"),
        ("Bö<a@b.example>", "=?utf-8?q?B=C3=B6?= <a@b.example>"),
    ],
)
def test_of_addresses_only_names_and_comments_are_encoded(
    raw: str, encoded: str
) -> None:
    for name in ("From", "To", "Cc", "Reply-To", "Sender"):
        line = header(raw, name).decode().replace("\r\n", "")
        assert line == f"{name}: {encoded}"


def test_a_raw_address_outside_ascii_stays_for_ses_to_judge() -> None:
    content = "To: Bö <ö@b.example>\r\n\r\n".encode()
    assert made(content) == "To: =?utf-8?q?B=C3=B6?= <ö@b.example>\r\n\r\n".encode()


def test_many_recipients_are_folded_between_addresses() -> None:
    value = ", ".join(f"Bö {n} <b{n}@example.net>" for n in range(50))
    mail = read(header(value, "To") + b"\r\n\r\n")
    assert [str(address) for address in mail["To"].addresses] == [
        f"Bö {n} <b{n}@example.net>" for n in range(50)
    ]


def test_a_raw_file_name_becomes_an_extended_parameter() -> None:
    content = header(
        'attachment; filename="é \\"1\\".pdf"; size=3', "Content-Disposition"
    )
    assert b"filename*=utf-8''%C3%A9%20%221%22.pdf; size=3" in content.replace(
        b"\r\n", b""
    )
    assert read(content + b"\r\n\r\n").get_filename() == 'é "1".pdf'


def test_a_long_file_name_is_continued() -> None:
    name = "Übersicht über alles " * 12 + ".pdf"
    content = header(f'application/pdf; name="{name}"', "Content-Type")
    assert email.message_from_bytes(content + b"\r\n\r\n").get_filename() == name


def test_header_bytes_that_are_no_utf8_stay() -> None:
    content = b"Subject: Gr\xfc\xdfe\r\nX-A: \xc3\xbc\r\n\r\nbody\r\n"
    assert made(content) == (
        b"Subject: Gr\xfc\xdfe\r\nX-A: =?utf-8?b?w7w=?=\r\n\r\nbody\r\n"
    )


def test_a_name_or_comment_of_odd_spaces_is_encoded_like_any_other() -> None:
    assert header("(\u00a0) \u00a0 <a@b.example>", "From") == (
        b"From: (=?utf-8?b?wqA=?=) =?utf-8?b?wqA=?= <a@b.example>"
    )


def quoted(body: bytes) -> bytes:
    head = (
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    made_again = made(head + body)
    assert made_again.startswith(head)
    assert made_again.isascii()
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", made_again)
    assert all(len(line) <= 77 for line in made_again.split(b"\r\n"))
    return made_again.removeprefix(head)


@pytest.mark.parametrize(
    ("body", "again"),
    [
        (b"one=0Atwo \xc3\xbc\r\nx\r\n", b"one=0Atwo =C3=BC\r\nx\r\n"),
        (b"one=0D=0Atwo \xc3\xbc\r\n", b"one=0D=0Atwo =C3=BC\r\n"),
        (b"\xc3\xbc=0D\r\n=0A", b"=C3=BC=0D\r\n=0A"),
        (b"a=3D=C3=BC \xc3\xbc=\r\n b\r\n", b"a=3D=C3=BC =C3=BC b\r\n"),
        (b"goes= \r\n on, f\xc3\xbcr Ann\r\n", b"goes on, f=C3=BCr Ann\r\n"),
        (b"\xc3\xbc=20\r\nx \t\r\n", b"=C3=BC=20\r\nx\r\n"),
        (b"a=ZZ \xc3\xbc\r\n", b"a=3DZZ =C3=BC\r\n"),
        (b"\xc3\xbc", b"=C3=BC"),
    ],
)
def test_quoted_printable_with_raw_bytes_keeps_the_line_ends_that_it_has(
    body: bytes, again: bytes
) -> None:
    """An encoded line end stays one; a bare LF never reaches SES."""
    assert quoted(body) == again


def test_a_long_line_of_quoted_printable_reads_the_same() -> None:
    body = b"=C3=BC=0A" * 400 + b" x" * 400 + b"\r\nend\r\n"
    assert binascii.a2b_qp(quoted(body)) == binascii.a2b_qp(body)


@pytest.mark.parametrize(
    "between", [b" \r\n", b"\t\r\n", b"\r\n ", b" ", b"\xef\xbb\xbf", b"\xa0\r\n"]
)
def test_base64_with_blanks_and_other_bytes_is_wrapped(between: bytes) -> None:
    head = b"Content-Transfer-Encoding: base64\r\n\r\n"
    safe = made(head + b"QUJD" * 500 + between + b"QUJD" * 500 + between)
    assert max(map(len, safe.split(b"\r\n"))) == 76
    assert safe.isascii()
    assert read(safe).get_payload(decode=True) == b"ABC" * 1000


def test_base64_of_several_ends_is_wrapped_as_it_is() -> None:
    body = b"QQ==" + b"QUJD" * 500 + b"QUI="
    safe = made(b"Content-Transfer-Encoding: base64\r\n\r\n" + body)
    assert max(map(len, safe.split(b"\r\n"))) == 76
    assert safe.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"") == body


def test_what_only_says_that_it_is_base64_stays() -> None:
    content = b"Content-Transfer-Encoding: base64\r\n\r\n" + b"hello, you! " * 200
    assert made(content) == content


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        ('"Bö <b@b.example>', None),
        ("(é <a@b.example>", None),
        ("(a (é) c) <a@b.example>", "(=?utf-8?q?a_=28=C3=A9=29_c?=) <a@b.example>"),
        ('é "\\"\\"" <a@b.example>', "=?utf-8?q?=C3=A9_=22=22?= <a@b.example>"),
    ],
)
def test_quotes_and_comments_that_nest_or_never_close(
    raw: str, encoded: str | None
) -> None:
    line = header(raw, "From").decode().replace("\r\n", "")
    assert line.isascii()
    assert line.endswith(("<a@b.example>", "<b@b.example>"))
    if encoded is not None:
        assert line == f"From: {encoded}"


def test_raw_parameters_among_comments_and_semicolons() -> None:
    content = header('a/b; (x;y) name="é;1"; size=3;', "Content-Type")
    assert content.replace(b"\r\n", b"") == (
        b"Content-Type: a/b; name*=utf-8''%C3%A9%3B1; size=3;"
    )
