"""Whatever bytes a client sends, in any split: replies, the same ones, and no bug."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.smtp.proxy_protocol import SIGNATURE
from tests.fuzz.sessions import Sessions

# What fuzzing found once, replayed for ever.
CORPUS = sorted((Path(__file__).parent / "corpus" / "session").iterdir())
PROXY_CORPUS = sorted((Path(__file__).parent / "corpus" / "proxy").iterdir())

fuzzed = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def sessions() -> Iterator[Sessions]:
    made = Sessions()
    yield made
    made.close()


@pytest.fixture(scope="module")
def proxied() -> Iterator[Sessions]:
    made = Sessions(proxied=True)
    yield made
    made.close()


WORDS = st.sampled_from(
    [
        *(b"EHLO t", b"HELO t", b"EHLO", b"NOOP", b"RSET", b"QUIT", b"HELP", b"VRFY x"),
        *(b"MAIL FROM:<a@b.example>", b"MAIL FROM:<>", b"MAIL FROM: root"),
        *(
            b"MAIL FROM:<a@b.example> SIZE=100",
            b"MAIL FROM:<a@b.example> SIZE=99999999",
        ),
        *(
            b"MAIL FROM:<a@b.example> BODY=8BITMIME AUTH=<>",
            b"MAIL FROM:<a@b> SMTPUTF8",
        ),
        *(b"RCPT TO:<c@d.example>", b"RCPT TO:<c@d.example> NOTIFY=NEVER"),
        *(
            b"RCPT TO:<\xc3\xa9@d.example>",
            b"RCPT TO:<c@\xc3\xa9.example>",
            b"RCPT TO:<",
        ),
        *(b"DATA", b"DATA", b"DATA now", b".", b"..", b".x", b"", b"From: a@b.example"),
        *(
            b"AUTH PLAIN AHgAeQ==",
            b"AUTH PLAIN",
            b"AUTH LOGIN",
            b"*",
            b"AHgAeQ==",
            b"=",
        ),
        *(b"AUTH LOGIN eA==", b"AUTH CRAM-MD5", b"STARTTLS", b"BDAT 5 LAST", b"EXPN x"),
        *(b"GET / HTTP/1.1", b"\xff\xfe", b"x" * 2049, b"x" * 1001, b"\0", b"PROXY"),
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\r\n", b""])
LINES = st.builds(bytes.__add__, st.one_of(WORDS, st.binary(max_size=30)), ENDS)
TALK = st.lists(LINES, max_size=25).map(b"".join)
MAIL = st.lists(LINES, max_size=15).map(
    lambda lines: (
        b"EHLO t\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
        + b"".join(lines)
        + b"\r\n.\r\nQUIT\r\n"
    )
)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


CUTS = st.lists(st.integers(0, 10**6), max_size=12)


@fuzzed
@given(data=st.one_of(TALK, MAIL), cuts=CUTS)
def test_a_conversation_comes_to_the_same_in_any_split(
    sessions: Sessions, data: bytes, cuts: list[int]
) -> None:
    check(sessions, data, cuts)


@fuzzed
@given(data=st.binary(max_size=300), cuts=CUTS)
def test_any_bytes_are_answered_or_refused(
    sessions: Sessions, data: bytes, cuts: list[int]
) -> None:
    check(sessions, data, cuts)


HEADERS = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda rest: SIGNATURE + rest),
    st.binary(max_size=20).map(lambda rest: b"PROXY " + rest),
    st.sampled_from(
        [
            b"PROXY TCP4 127.0.0.7 127.0.0.1 1 2\r\n",
            b"PROXY UNKNOWN\r\n",
            b"PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n",
            SIGNATURE + b"\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2",
            SIGNATURE + b"\x20\0\0\0",
        ]
    ),
)


@fuzzed
@given(header=HEADERS, data=TALK, cuts=CUTS)
def test_any_bytes_where_a_proxy_header_is_due_are_answered_or_refused(
    proxied: Sessions, header: bytes, data: bytes, cuts: list[int]
) -> None:
    check(proxied, header + data, cuts)


def check(sessions: Sessions, data: bytes, cuts: list[int]) -> None:
    whole = sessions.talk([data])
    parts = sessions.talk(split(data, cuts))
    if whole[0] and whole[0][-1].startswith((b"221 ", b"421 ", b"554 5.7.1 ")):
        # The relay has closed. What a client sends after that resets the connection,
        # and takes with it what the client has not read yet.
        assert parts[0] == whole[0][: len(parts[0])]
        return
    assert parts[0] == whole[0]
    for in_parts, at_once in zip(parts[1], whole[1], strict=True):
        assert in_parts.envelope == at_once.envelope
        assert in_parts.content == at_once.content


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_found_once_is_answered(path: Path, sessions: Sessions) -> None:
    data = path.read_bytes()
    check(sessions, data, list(range(0, len(data), 3)))


@pytest.mark.parametrize("path", PROXY_CORPUS, ids=lambda path: path.stem)
def test_a_header_that_was_found_once_is_answered(
    path: Path, proxied: Sessions
) -> None:
    data = path.read_bytes()
    check(proxied, data, list(range(0, len(data), 3)))
