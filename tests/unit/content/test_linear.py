"""What reads a client's bytes takes time that grows as they do, whatever they are.

Each worst input is compared with the half of it: four times as long would be the
square. Two hundred and fifty thousand bytes are what a header may have.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from relay.content.ascii_field import ascii_field
from relay.content.charset import text_of
from relay.content.encoded_words import decoded, words
from relay.content.flowed import joined
from relay.content.header import Field, parse
from relay.content.mime_parts import structure
from relay.content.new_field import unstructured
from relay.content.original import Original
from relay.content.parameters import parameter, parameters
from relay.content.ses_safe import reencode
from relay.model.reply import Refused
from relay.model.submission import Envelope

SIZE = 250_000
FIELDS = {
    "quotes": ("From", "é ", '"\\'),
    "quotes alone": ("From", "é ", '"'),
    "escaped quotes": ("From", 'é "', '\\"'),
    "comments": ("Cc", "é", "(\\"),
    "open comments": ("Cc", "é", "("),
    "escaped comments": ("Cc", "é(", "\\("),
    "comments and quotes": ("Cc", "é", '("\\'),
    "closed comments": ("Cc", "é" + "(" * (SIZE // 4), ")("),
    "brackets": ("To", "é", "<"),
    "brackets and blanks": ("To", "é", "< "),
    "colons": ("To", "é", ":é"),
    "blanks": ("To", "é", " "),
    "names": ("To", "", "é <a@b.example>, "),
    "specials": ("To", "é", "(.)"),
    "words": ("Subject", "é", " é"),
    "plain words": ("Subject", "é", " a"),
    "one word": ("Subject", "é", "a"),
    "wide": ("Subject", "", "é"),
    "marks": ("Subject", "é ", "=?x"),
    "words of words": ("Subject", "é ", "=?utf-8?q?x?= "),
    "semicolons": ("Content-Type", 'a/b; name="é"', ";"),
    "semicolons in quotes": ("Content-Type", 'a/b; name="é', ";"),
    "parameters": ("Content-Type", 'a/b; name="é"', "; a=b"),
    "open parameters": ("Content-Type", "a/b; name=é", ';a="\\'),
    "parameters without a value": ("Content-Type", "a/b; name=é", "; a "),
    "long parameter": ("Content-Disposition", "a; filename=é", "é"),
    "parameters with comments": ("Content-Type", "a/b; name=é", "(;\\"),
}
VALUES = {
    "semicolons": ('a/b; name="x', ";"),
    "bare semicolons": ("a/b; name=x", ";"),
    "blanks": ("a/b; name=x", " "),
    "quotes": ("a/b; name=x", ';x="\\'),
    "comments": ("a/b; name=x", ";(\\"),
    "open comments": ("a/b; name=x", ";("),
    "sections": ("a/b; name*0=x", "; name*1=x"),
    "percents": ("a/b; name*=utf-8''", "%"),
    "apostrophes": ("a/b; name*=", "'"),
    "equals": ("a/b; name", "="),
    "backslashes": ('a/b; name="', "\\"),
    "slashes": ("", "a/"),
}


def grows_as_its_input(work: Callable[[int], Callable[[], object]]) -> None:
    """Compare an input with its half: the processor's time, the best of some runs."""

    def seconds(run: Callable[[], object]) -> float:
        began = time.process_time()
        run()
        return time.process_time() - began

    half, whole = work(SIZE // 2), work(SIZE)
    shorter, longer = seconds(half), seconds(whole)
    for _ in range(9):  # what else the machine does may disturb one of them
        if longer < max(3.5 * shorter, 0.005):
            return
        shorter, longer = min(shorter, seconds(half)), min(longer, seconds(whole))
    pytest.fail(f"{shorter:.3f} s for one half, {longer:.3f} s for both")


def repeated(start: str, piece: str, size: int) -> str:
    return start + piece * ((size - len(start)) // len(piece))


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_made_ascii(name: str) -> None:
    key, start, piece = FIELDS[name]

    def work(size: int) -> Callable[[], object]:
        raw = f"{key}: {repeated(start, piece, size)} <a@b.example>\r\n".encode()
        return lambda: ascii_field(Field(key, raw))

    grows_as_its_input(work)


@pytest.mark.parametrize("name", VALUES)
def test_parameters_are_read(name: str) -> None:
    start, piece = VALUES[name]

    def work(size: int) -> Callable[[], object]:
        value = repeated(start, piece, size)
        assert "".join("".join(one) for one in parameters(value)) in value
        return lambda: [parameter(value, key) for key in ("name", "charset", "x")]

    grows_as_its_input(work)


@pytest.mark.parametrize(
    "piece",
    [
        *("=?", "=?x", "=?x?q?", "=?x?q?a", "=?x?q?a ", "=?x*", "=?x?b?", "=?="),
        *("=?utf-8?q?x?= ", "=?utf-8?q?=C3=BC?= ", "=?x?b?A?=", "=?gbk?q?=FF?= x "),
        *("\udcfc", "=?a?q?\udcfc?= \udcfc"),
    ],
)
def test_encoded_words_are_read(piece: str) -> None:
    def work(size: int) -> Callable[[], object]:
        value = repeated("", piece, size)
        return lambda: decoded(value)

    grows_as_its_input(work)


@pytest.mark.parametrize("text", ["a", "é", "a ", "é ", "=?x"])
def test_encoded_words_are_made(text: str) -> None:
    grows_as_its_input(lambda size: lambda: words(repeated("é", text, size)))
    grows_as_its_input(
        lambda size: lambda: unstructured("Subject", repeated("é", " é", size))
    )


@pytest.mark.parametrize("label", ["", "utf-8", "gb2312", "gbk", "big5", "shift_jis"])
@pytest.mark.parametrize("piece", [b"\xff", b"\xe3\x81", b"\x80", b"\x1b$B", b"a\xfc"])
def test_broken_bytes_are_read(label: str, piece: bytes) -> None:
    grows_as_its_input(
        lambda size: lambda: text_of(piece * (size // len(piece)), label)
    )


@pytest.mark.parametrize("label", ["euc-jp", "iso-2022-jp", "utf-7", "iso-2022-kr"])
@pytest.mark.parametrize("piece", [b"\xff", b"\xe3\x81", b"\x1b$B", b"\x1b", b"+a"])
def test_broken_states_are_read(label: str, piece: bytes) -> None:
    grows_as_its_input(
        lambda size: lambda: text_of(piece * (size // len(piece)), label)
    )


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Transfer-Encoding: quoted-printable", b" "),
        (b"Content-Transfer-Encoding: quoted-printable", b" \t"),
        (b"Content-Transfer-Encoding: quoted-printable", b"="),
        (b"Content-Transfer-Encoding: quoted-printable", b"=0A"),
        (b"Content-Transfer-Encoding: quoted-printable", b"\xc3\xbc"),
        (b"Content-Transfer-Encoding: base64", b"="),
        (b"Content-Transfer-Encoding: base64", b"QQ==\xff"),
        (b"Content-Type: text/plain; format=flowed", b"a \r\n"),
        (b"Content-Type: text/plain; format=flowed", b"> \r\n>> \r\n"),
        (b"Content-Type: text/html", b"<meta "),
        (b"Content-Type: text/html", b"<meta charset=\xff"),
        (b"Content-Type: multipart/mixed; boundary=b", b"\r\n--b \t"),
        (b"Content-Type: multipart/mixed; boundary=b", b"\r\n--bx"),
    ],
)
def test_a_body_is_read_and_made_safe(head: bytes, piece: bytes) -> None:
    def work(size: int) -> Callable[[], object]:
        content = head + b"\r\n\r\n" + piece * (size // len(piece)) + b"x\r\n"
        message = parse(content)

        def run() -> None:
            try:
                _ = Original(message, Envelope(None, ())).text
                reencode(message)
            except Refused:
                pass

        return run

    grows_as_its_input(work)


def test_images_are_found_in_html() -> None:
    """Many parts, and much HTML that might name each."""

    def work(size: int) -> Callable[[], object]:
        html = b"<p>" + b"cid:x " * (size // 6)
        part = b"\r\n--b\r\nContent-ID: <a@%d>\r\n\r\nx"
        message = parse(
            b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: text/html\r\n\r\n"
            + html
            + b"".join(part % number for number in range(size // 600))
        )
        return lambda: Original(message, Envelope(None, ())).related

    grows_as_its_input(work)


@pytest.mark.parametrize("head", ["a", "a ", "x-a ", ";", "a\r\n b"])
def test_a_header_is_split(head: str) -> None:
    def work(size: int) -> Callable[[], object]:
        content = repeated("Subject: x\r\n", head, size).encode() + b"\r\n\r\n"

        def run() -> None:
            try:
                structure(parse(content))
            except Refused:
                pass

        return run

    grows_as_its_input(work)


def test_flowed_text_is_joined() -> None:
    grows_as_its_input(
        lambda size: lambda: joined(repeated("", ">", size), delete_space=True)
    )
    grows_as_its_input(
        lambda size: lambda: joined(repeated("", "> a \n", size), delete_space=False)
    )
