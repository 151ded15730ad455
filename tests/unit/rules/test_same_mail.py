"""A rule that holds for a mail holds for the same mail in other clothes."""

from __future__ import annotations

import base64
import quopri
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.content.encoded_words import words
from relay.rules.facts import Facts
from tests.unit.rules.mails import found, rules, submission

LETTERS = "abz 059AZ.-/éßжÄ漢"
TEXT = st.text(LETTERS, min_size=1, max_size=30).map(
    lambda text: " ".join(text.split()) or "x"
)
# What a header can hold, and each charset the body.
CHARSETS = st.sampled_from(["utf-8", "utf-16", "windows-1251", "iso-8859-1", "gb18030"])
ENCODINGS = st.sampled_from(["8bit", "base64", "quoted-printable"])
RULES = st.fixed_dictionaries(
    {},
    optional={
        "subject": st.sampled_from(["*a*", "a*", "*?.*", "/[0-9]+/", "/é|ж/", "*ß"]),
        "body": st.sampled_from(["*b*", "/\\d/", "*é*", "/[[:^ascii:]]/", "?*z*"]),
        "from_": st.sampled_from(["*@a.example", "b.example", "/^x/"]),
        "header": st.sampled_from([{"X-Job": "*a*"}, {"X-Job": "/ж/"}, {"X-No": ""}]),
    },
)


def folded(field: str, value: str, at: list[int]) -> bytes:
    """A field with line ends before some of its spaces."""
    pieces = value.split(" ")
    joined = pieces[0]
    for number, piece in enumerate(pieces[1:]):
        joined += ("\r\n " if number in at else " ") + piece
    return f"{field}: {joined}\r\n".encode()


def body(text: str, charset: str, encoding: str) -> bytes:
    """The header of a part and its body; UTF-8 where the charset lacks a letter."""
    try:
        data = text.encode(charset)
    except UnicodeEncodeError:
        charset, data = "utf-8", text.encode()
    if charset == "utf-16":  # its bytes are no lines
        encoding = "base64"
    head = f"Content-Type: text/plain; charset={charset}\r\n"
    if encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        data = quopri.encodestring(data).replace(b"\n", b"\r\n")
    return f"{head}Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + data


def sent_as_words(text: str) -> str:
    return " ".join(words(text))


@given(
    rule=RULES,
    subject=TEXT,
    job=TEXT,
    text=TEXT,
    name=TEXT,
    domain=st.sampled_from(["a.example", "b.example"]),
    data=st.data(),
)
def test_folded_encoded_and_in_another_order(
    rule: dict[str, Any],
    subject: str,
    job: str,
    text: str,
    name: str,
    domain: str,
    data: st.DataObject,
) -> None:
    at = st.lists(st.integers(0, 9))
    plain = b"".join(
        [
            f"From: <x@{domain}>\r\nSubject: {subject}\r\nX-Job: {job}\r\n".encode(),
            body(text, "utf-8", "8bit"),
        ]
    )
    fields = [
        folded("from", f"{sent_as_words(name)} <x@{domain}>", data.draw(at)),
        folded("SUBJECT", sent_as_words(subject), data.draw(at)),
        folded("X-job", data.draw(st.sampled_from([job, sent_as_words(job)])), []),
        b"Received: from a\r\n by b\r\n",
    ]
    dressed = b"".join(data.draw(st.permutations(fields)))
    dressed += body(text, data.draw(CHARSETS), data.draw(ENCODINGS))

    made = rules(rule)
    [before] = made.verdicts(Facts.of(submission(plain)))
    [after] = made.verdicts(Facts.of(submission(dressed)))
    assert after == before
    extract = {"variables_from": "text", "extract": [r"(?P<v>\pL+)[^\n]*"]}
    assert found(extract, dressed) == found(extract, plain)


ANY_RULE = st.fixed_dictionaries(
    {},
    optional={
        "listener": st.sampled_from(["local", "office", ["office", "local"]]),
        "user": st.just("shop"),
        "client": st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "::/0", "10.1.2.3"]),
        "sender": st.sampled_from(["<>", "a*", "*.example", "b.example", "*"]),
        "recipient": st.sampled_from(["ann@*", "*@b.example", "/c/", ["x", "b.ex*"]]),
        "from_": st.sampled_from(["a@*", "@a.example", "*a*", ["?@b.example", "/z/"]]),
        "subject": st.sampled_from(["", "a*", "*b", "a?c", "*b*", "/^A/", "abc"]),
        "header": st.sampled_from([{"X-A": ""}, {"x-a": "*"}, {"X-A": ["", "b"]}]),
        "body": st.sampled_from(["*b*", "/a/", "abc\n"]),
    },
)


@given(
    given_rules=st.lists(ANY_RULE, min_size=1, max_size=8),
    how=st.fixed_dictionaries(
        {
            "listener": st.sampled_from(["local", "office"]),
            "user": st.sampled_from(["", "shop"]),
            "peer": st.sampled_from(["10.1.2.3", "10.9.9.9", "::1", "::ffff:10.1.2.3"]),
            "sender": st.sampled_from([None, "a@b.example", "root"]),
            "recipients": st.sampled_from([("ann@c.d",), ("x@b.example", "ann@e.f")]),
        }
    ),
    fields=st.lists(
        st.sampled_from(
            [
                *("From: a@a.example", "From: b@b.example", "Subject: abc"),
                *(
                    "Subject: b",
                    "subject : AbC",
                    "Subject:",
                    "X-A: b",
                    "X-A:",
                    "X-AB: b",
                ),
            ]
        ),
        max_size=4,
    ),
    text=st.sampled_from(["", "abc", "b"]),
)
def test_all_rules_at_once_say_what_each_says_alone(
    given_rules: list[dict[str, Any]], how: dict[str, Any], fields: list[str], text: str
) -> None:
    made = rules(*given_rules)
    content = "\r\n".join([*fields, "", text, ""])
    facts = Facts.of(submission(content, **how))
    holding = [one.rule for one in made.verdicts(facts) if not one.failed]
    assert made.rule_for(facts) is (holding[0] if holding else None)
