"""Charset labels as the web has them, and bytes that are broken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webencodings.labels import LABELS

from relay.content.charset import body_text, charset_of, header_text, text_of
from relay.content.encoded_words import decoded


def test_each_label_of_the_table_is_known() -> None:
    unknown = {label for label, name in LABELS.items() if not charset_of(label)}
    # ASCII says nothing; what the web refuses to read we read where Python can.
    assert unknown == {
        *("ascii", "us-ascii", "ansi_x3.4-1968", "replacement"),
        *("iso-2022-cn", "iso-2022-cn-ext"),
    } & set(LABELS)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("ISO-8859-1", "windows-1252"),
        ("gb2312", "gbk"),
        (" windows-1251 (Cyrillic)", "windows-1251"),
        ("(Cyrillic) windows-1251", "windows-1251"),
        ('"windows-1251"', "windows-1251"),
        ("'utf-8'", "utf-8"),
        ("charset=koi8-r", "koi8-r"),
        ("utf-8;", "utf-8"),
        ("UTF_8", "utf-8"),
        ("latin-1", "windows-1252"),
        ("utf-8\0", "utf-8"),
        ("idna", ""),
        ("undefined", ""),
        ("unicode_escape", ""),
        ("rot13", ""),
        ("zip", ""),
        ("\0", ""),
        ("", ""),
        ("((((((", ""),
        ("é", ""),
    ],
)
def test_comments_quotes_and_spelling_aside(label: str, name: str) -> None:
    assert charset_of(label) == name


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("gb2312", b"\x87\xe5", "囧"),
        ("gbk", b"\x80 \xa2\xe3 \x81\x80", "€ € 亐"),
        ("iso-8859-1", b"\x93\x80\x94", "“€”"),
        ("windows-1252", b"a\x81\x8d\x8f\x90\x9db", "a\ufffd\ufffd\ufffd\ufffd\ufffdb"),
        ("iso-8859-2", b"\x93\xb1", "\ufffdą"),
        ("utf-8", b"Gr\xc3\xbc\xfc\xc3\x9fe", "Grü\ufffdße"),
        ("utf-8", b"\xe2\x82 \xff\xfe", "\ufffd \ufffd\ufffd"),
        ("utf-8", b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        ("shift_jis", b"\x87@\xfb\xfc", "①髙"),
        ("shift_jis", b"\x81a \xa0\xfd", "∥ \ufffd\ufffd"),
        ("euc-jp", b"\xad\xa1\xa1\xc1\xff", "①～\ufffd"),
        ("euc-jp", b"\x8f\xb0\xa1 \x8e\xb1", "丂 ｱ"),
        ("iso-2022-jp", b"\x1b$B-!0!\x1b(B.", "①亜."),
        ("iso-2022-jp", b"\x1b$(D0!\x1b(J\\\x1b(I1\x1b(B", "丂¥ｱ"),
        ("iso-2022-jp", b"a\x1b[0m\x0e\xff", "a\ufffd[0m\ufffd\ufffd"),
        ("koi8-u", b"\xae\xbe", "ўЎ"),
        ("euc-kr", b"\x8cc", "똠"),
        ("utf-16", b"A\0\xac ", "A€"),
        ("utf-16be", b"\0A\xd8\0", "A\ufffd"),
        ("utf-7", b"+2AA-x", "\ufffdx"),
        ("x-user-defined", b"a\x80", "a\uf780"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("us-ascii", b"Gr\xfc\xdfe \x85", "Grüße …"),
        ("", "Grüße".encode(), "Grüße"),
        ("", b"Gr\xfc\xdfe \x80", "Grüße €"),
        ("no-such", b"Gr\xfc\xdfe", "Grüße"),
        ("", "Grüße und Küsse ".encode() + b"\xfc", "Grüße und Küsse \ufffd"),
        ("iso-2022-cn", b"\x1b$)A", "\ufffd$)A"),
    ],
)
def test_bytes_are_what_the_label_means_and_broken_ones_are_replaced(
    label: str, data: bytes, text: str
) -> None:
    assert text_of(data, label) == text


def test_a_byte_order_mark_is_no_text_and_counts_most() -> None:
    for label in ("", "utf-8", "iso-8859-1", "gbk", "no-such"):
        assert body_text(b"\xef\xbb\xbfGr\xc3\xbc", label) == "Grü"
        assert body_text("Grü".encode("utf-16"), label) == "Grü"
    assert body_text(b"\xfe\xff\0A") == "A"
    assert body_text(b"\xef\xbb\xbf") == ""


def test_a_raw_header_is_utf8_else_what_the_body_is_else_windows_1252() -> None:
    assert header_text("Код".encode(), "windows-1251") == "Код"
    assert header_text("Код".encode("cp1251"), "windows-1251") == "Код"
    assert header_text(b"Gr\xfc\xdfe", "utf-8") == "Grüße"
    assert header_text(b"K\xf6 \xff", "euc-kr") == "Kö ÿ"
    assert header_text(b"Gr\xfc\xdfe", "") == "Grüße"


@given(st.binary(max_size=60), st.sampled_from([*LABELS, "utf-7", "cp850", "", "x"]))
def test_any_bytes_are_text_without_surrogates(data: bytes, label: str) -> None:
    body_text(data, label).encode()
    header_text(data, label).encode()


def test_unknown_charsets_of_encoded_words_leave_nothing_behind() -> None:
    """Python keeps each name that it was ever asked for, in a cache without an end."""
    program = """
import encodings, json
from relay.content.encoded_words import decoded
from relay.content.parameters import parameter
decoded("=?utf-8?q?=FC?= =?gbk?q?=FC?= =?x?q?=FC?=")
before = len(encodings._cache)
decoded(" ".join(f"=?no-such-{n}?q?=C3=BC?=" for n in range(2000)))
for n in range(2000):
    parameter(f"a; name*=other-{n}''%C3%BC", "name")
print(json.dumps([before, len(encodings._cache)]))
"""
    made = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
    )
    before, after = json.loads(made.stdout)
    assert after == before


def test_a_word_of_an_unknown_charset_is_read_all_the_same() -> None:
    assert decoded("=?no-such?q?=C3=BC?= =?no-such?q?=FC?=") == "Ã¼ü"
    assert decoded("=?no-such?q?=C3=BC?= x =?no-such?q?=FC?=") == "ü x ü"
