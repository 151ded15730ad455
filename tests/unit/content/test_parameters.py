"""Parameters of MIME fields: plain, quoted, continued, encoded, and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.parameters import (
    MAX_PARAMETERS,
    first_word,
    parameter,
    parameter_bytes,
    parameters,
)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a/b; name=x.pdf", "x.pdf"),
        ('a/b; NAME = "x.pdf"', "x.pdf"),
        ("a/b name=x.pdf", "x.pdf"),
        ("a/b;; ;name=x.pdf ; size=3", "x.pdf"),
        ('a/b; name="a;b=c.pdf"', "a;b=c.pdf"),
        ('a/b; name="a \\"b\\" c\\\\d"', 'a "b" c\\d'),
        ('a/b; name="C:\\tmp\\a.pdf"', "C:\\tmp\\a.pdf"),
        ('a/b; name="unclosed; size=3', "unclosed; size=3"),
        ("a/b; name=My report (1).pdf", "My report (1).pdf"),
        ("a/b; (name=no;) name=x", "x"),
        ("a/b; name=x; name=y", "x"),
        ("a/b; name", ""),
        ("a/b; name=", ""),
        ("a/b; filename=x", ""),
        ("a/b; name*=utf-8''%C3%BC", "ü"),
        ("a/b; name*=iso-8859-1'de'%FC%80", "ü€"),
        ("a/b; name=old; name*=utf-8''new", "new"),
        ("a/b; name*1=b; name*0=a; name*3=d", "ab"),
        ("a/b; name*0*=utf-8''%C3; name*1*=%BC; name*2=%41", "ü%41"),
        ("a/b; name*=utf-8''%C3%", "\ufffd%"),
        ("a/b; name*=idna''x.txt", "x.txt"),
        ("a/b; name*=undefined''x", "x"),
        ("a/b; name*=\0''x", "x"),
        ("a/b; name*=x", "x"),
        ("a/b; name*99999=x", ""),
        ("a/b; name=Stra\udcdfe", "Straße"),
    ],
)
def test_a_parameter_is_found(value: str, name: str) -> None:
    assert parameter(value, "name") == name


def test_a_raw_name_is_in_the_charset_that_it_is_given_with() -> None:
    raw = "Код".encode("cp1251").decode("utf-8", "surrogateescape")
    assert parameter(f"a/b; name={raw}", "name", "windows-1251") == "Код"


def test_a_boundary_without_quotes_ends_at_a_blank() -> None:
    value = "multipart/mixed; boundary=abc (mine)"
    assert parameter_bytes(value, "boundary", one_word=True) == (b"abc", None)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("Text/HTML; charset=x", "text/html"),
        ("(old) text/html", "text/html"),
        ('"text/html"; x', "text/html"),
        ("text/html (comment)", "text/html"),
        ("text/html, text/plain", "text/html"),
        ("base64;", "base64"),
        ('"quoted-printable"', "quoted-printable"),
        ("; charset=x", "charset=x"),
        ("", ""),
    ],
)
def test_the_first_word_is_what_the_field_says(value: str, word: str) -> None:
    assert first_word(value) == word


@given(st.text("ab=;\"\\(é) *01'%", max_size=80))
def test_parameters_are_the_text_again(value: str) -> None:
    assert value.endswith("".join("".join(one) for one in parameters(value)))
    parameter(value, "a")


def test_more_parameters_than_anybody_writes_are_not_looked_at() -> None:
    value = "a/b" + "; x=y" * 5000 + "; name=z"
    assert len(list(parameters(value))) == MAX_PARAMETERS + 1
    assert value.endswith("".join("".join(one) for one in parameters(value)))
    assert parameter(value, "name") == ""
