from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.encoded_words import decoded
from relay.content.header import (
    Field,
    Message,
    fields_named,
    fields_of,
    header_of,
    normalise,
    parse,
)
from relay.model.replies import MAX_FIELDS
from relay.model.reply import Refused

CORPUS = sorted((Path(__file__).parents[2] / "corpus").glob("*.eml"))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_parsing_loses_no_byte(path: Path) -> None:
    content = path.read_bytes()
    assert normalise(content) is content
    assert parse(content).content == content


@pytest.mark.parametrize(
    ("content", "names", "rest"),
    [
        (b"", [], b""),
        (b"\r\n", [], b"\r\n"),
        (b"\r\nSubject: no\r\n", [], b"\r\nSubject: no\r\n"),
        (b"Hello, Ann\r\n", [], b"Hello, Ann\r\n"),
        (b"Hello\r\nNote: milk\r\n\r\nx", [], b"Hello\r\nNote: milk\r\n\r\nx"),
        (b"Subject: x", ["Subject"], b""),
        (b"Subject: x\r\n", ["Subject"], b""),
        (b"Subject: x\r\n\r\n", ["Subject"], b"\r\n"),
        (b"Subject: x\r\nbroken\r\nTo: y\r\n\r\nb", ["Subject", "", "To"], b"\r\nb"),
        (b"From a@b Tue\r\nTo: y\r\n\r\nb", ["", "To"], b"\r\nb"),
        (b"broken\r\nTo: y\r\n\r\nb", ["", "To"], b"\r\nb"),
        (b"broken\r\nX-Relay-Usage: y\r\n\r\nb", ["", "X-Relay-Usage"], b"\r\nb"),
        (b"  X-Relay-Usage: y\r\n\r\nb", ["X-Relay-Usage"], b"\r\nb"),
        (b"Subject \t: x\r\n y\r\n\tz\r\n\r\n", ["Subject"], b"\r\n"),
    ],
)
def test_a_header_ends_where_receivers_see_its_end(
    content: bytes, names: list[str], rest: bytes
) -> None:
    message = parse(content)
    assert [field.name for field in message.fields] == names
    assert message.rest == rest
    assert message.content == content
    assert header_of(content) + rest == content


def test_a_folded_value_is_unfolded_and_keeps_its_white_space() -> None:
    (field,) = parse(b"subject:  a\r\n \tb\r\n\r\n").fields
    assert (field.key, field.value) == ("subject", "a \tb")
    assert field.raw == b"subject:  a\r\n \tb\r\n"


def test_fields_are_found_in_any_case() -> None:
    message = parse(b"A: 1\r\nb: 2\r\nB : 3\r\n\r\nx")
    assert [field.value for field in message.all("B")] == ["2", "3"]
    assert message.first("a") == Field("A", b"A: 1\r\n")
    assert message.first("c") is None
    assert message.body == b"x"
    assert Message((), b"x").body == b"x"


@pytest.mark.parametrize(
    ("content", "normal"),
    [
        (b"a\nb", b"a\r\nb"),
        (b"a\rb", b"a\r\nb"),
        (b"a\r\r\nb", b"a\r\n\r\nb"),
        (b"a\n\r\nb\r", b"a\r\n\r\nb\r\n"),
        (b"\r\n", b"\r\n"),
        (b"\n\r", b"\r\n\r\n"),
    ],
)
def test_bare_line_ends_become_whole_ones(content: bytes, normal: bytes) -> None:
    assert normalise(content) == normal
    assert normalise(normal) is normal


def test_more_fields_or_bytes_than_the_limit_are_refused() -> None:
    assert len(parse(b"A: b\r\n" * MAX_FIELDS).fields) == MAX_FIELDS
    with pytest.raises(Refused, match=r"^554 5\.6\.0 More than 1000 header fields"):
        parse(b"A: b\r\n" * (MAX_FIELDS + 1))
    with pytest.raises(Refused, match=r"^554 5\.6\.0 Header larger than 256000"):
        parse(b"A: " + b"x" * 256_000 + b"\r\n\r\n")


def test_a_large_text_without_a_header_is_no_large_header() -> None:
    content = b"just text\r\n" * 100_000
    assert parse(content) == Message((), content)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("Grüße", "Grüße"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ("=?UTF-8?B?R3LDvMOfZQ==?= rest", "Grüße rest"),
        ("=?utf-8?b?R3LDvMOfZQ?=", "Grüße"),
        ("a =?utf-8?q?b?=  =?utf-8?q?c?= d", "a bc d"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        ("=?iso-8859-1?q?=FC?= =?utf-8?q?=C3=BC?=", "üü"),
        ("=?utf-8*de?q?x_y?=", "x y"),
        ("ü € =?utf-8?q?x?=", "ü € x"),
        ("=?no-such-charset?q?=C3=BC?=", "ü"),
        ("=?unicode-escape?q?=5Cud800?=", "\\ud800"),
        ("=?utf-8?q?=FF?=", "\ufffd"),
        ("=?utf-8?q?a?b_c?=", "a?b c"),
        ("=?utf-8?b?QQ==?= =?x?", "A =?x?"),
        ("=?utf-8?b?A?=", "=?utf-8?b?A?="),
        ("\udcff", "ÿ"),
        ("\ud800", "\ufffd"),
        ("Gr\udcfc\udcdfe =?utf-8?q?=C3=BC?=", "Grüße ü"),
        ("=?broken", "=?broken"),
    ],
)
def test_encoded_words_are_decoded_leniently(value: str, text: str) -> None:
    assert decoded(value) == text


@given(
    st.lists(
        st.sampled_from(
            [
                *(b"Subject: a", b"subject :b", b"SUBJECT\r\n : c", b"Subjects: d"),
                *(b"X: Subject: e", b"broken", b"Subject", b"\r\n", b" x: y"),
                b"From: a\r\n Subject: z",
            ]
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_fields_of_a_name_are_those_that_the_whole_header_has(
    lines: list[bytes], ended: bool
) -> None:
    header = header_of(b"\r\n".join(lines) + b"\r\n" * ended)
    wanted = [field.raw for field in fields_of(header) if field.key == "subject"]
    found = fields_named("subject", header, header.lower())
    assert [field.raw for field in found] == wanted
