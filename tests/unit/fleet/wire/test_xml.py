"""XML from S3, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.fleet.wire import xml
from relay.fleet.wire.s3 import said
from relay.ses.http.connection import Answer


def test_elements_are_found_by_their_names_without_prefixes() -> None:
    found = xml.read(
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<s3:List xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<s3:Key>a &amp; \xc3\xa9</s3:Key><Key>b</Key><Empty/></s3:List>"
    )
    assert found.name == "List"
    assert [one.text for one in found.all("Key")] == [
        "a & \N{LATIN SMALL LETTER E WITH ACUTE}",
        "b",
    ]
    assert (found.said("Key"), found.said("Empty"), found.said("None")) == (
        "a & \N{LATIN SMALL LETTER E WITH ACUTE}",
        "",
        "",
    )


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<x>&b;&b;&b;</x>"
)
OUTSIDE = b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>503</body>",
        b"no xml",
        b"<a></b>",
        b"<a>&undefined;</a>",
        b"<a>\xff</a>",
        BOMB,
        OUTSIDE,
        b"<a>" * (xml.MOST_DEPTH + 1) + b"</a>" * (xml.MOST_DEPTH + 1),
        b"<a>" + b"<b/>" * xml.MOST_ELEMENTS + b"</a>",
    ],
    ids=range(10),
)
def test_what_none_of_s3s_answers_is_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"XML"):
        xml.read(body)
    assert said(Answer(403, (), body)) == ("", "", "")


@given(st.binary() | st.text("<>/ab&;\"'! ").map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        assert xml.read(body).name
    except ValueError:
        pass


def test_a_refusal_says_code_text_and_region() -> None:
    body = (
        b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message>"
        b"<Region>us-west-2</Region></Error>"
    )
    assert said(Answer(400, (), body)) == (
        "AuthorizationHeaderMalformed",
        "wrong",
        "us-west-2",
    )
    header = ((b"x-amz-bucket-region", b"eu-central-1"),)
    assert said(Answer(301, header, b"")) == ("", "", "eu-central-1")
