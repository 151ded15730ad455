"""What a rule finds in a mail: by its patterns, and as JSON."""

from __future__ import annotations

import json

import pytest

from relay.rules.found import Found
from tests.unit.rules.mails import found

HTML = (
    "From: a@shop.example\r\nContent-Type: text/html\r\n\r\n"
    "<p>Your code is <b>123456</b>.</p>\r\n"
    '<p>(<a href="https://shop.example/reset/abc?a=1&amp;b=2">Reset</a>).</p>\r\n'
)


def by(*patterns: str) -> dict[str, object]:
    return {"variables_from": "text", "extract": patterns}


def test_named_groups_are_variables() -> None:
    rule = by(r"code is (?P<code>\d{6})", r"(?P<link>https://shop\.example/reset/\S+)")

    assert found(rule, HTML) == Found(
        {"code": "123456", "link": "https://shop.example/reset/abc?a=1&b=2"}
    )


def test_a_pattern_that_finds_nothing_is_missing() -> None:
    rule = by(r"code is (?P<code>\d{6})", r"PIN (?P<pin>\d+)")

    assert found(rule, HTML) == Found(
        {"code": "123456"}, missing=(r"PIN (?P<pin>\d+)",)
    )


def test_a_group_that_took_no_part_gives_no_variable() -> None:
    rule = by(r"code is (?:(?P<code>\d+)|(?P<word>[a-z]+))", r"(?P<rest>x*)")

    assert found(rule, HTML) == Found({"code": "123456", "rest": ""})


def test_each_pattern_is_searched_once_and_the_first_place_counts() -> None:
    mail = "\r\nPIN 1 and PIN 2\r\n"
    assert found(by(r"PIN (?P<pin>\d)"), mail) == Found({"pin": "1"})
    # Of two patterns with one name, too.
    assert found(by(r"PIN (?P<n>2)", r"PIN (?P<n>1)"), mail) == Found({"n": "2"})


def test_letters_of_any_script_come_back() -> None:
    mail = "Content-Type: text/plain; charset=utf-8\r\n\r\nКод: ЖЦ12 и\r\n"
    assert found(by(r"Код: (?P<code>\pL+\d+)"), mail) == Found({"code": "ЖЦ12"})


def test_a_link_of_the_html_that_the_text_lacks_is_found() -> None:
    mail = (
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nSee the HTML: https://a.example/x.\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n"
        "<a href=\"https://a.example/x\">x</a> <A HREF='https://a.example/y'>y</A>\r\n"
        '<map><area href="https://a.example/z"></map><a href="#top">t</a>\r\n'
        "--b--\r\n"
    )
    rule = by(r"(?s)(?P<all>.*)")
    assert found(rule, mail) == Found(
        {
            "all": "See the HTML: https://a.example/x.\n"
            "https://a.example/y\nhttps://a.example/z"
        }
    )


def test_links_of_html_stand_alone_between_white_space() -> None:
    mail = (
        "Content-Type: text/html\r\n\r\n"
        'a(<a href="https://a.example/">https://a.example/</a>)b<a href="/c">c</a>d\r\n'
    )
    assert found(by(r"(?s)(?P<all>.*)"), mail) == Found(
        {"all": "a( https://a.example/ )b c /c d"}
    )


def json_rule() -> dict[str, object]:
    return {"variables_from": "json"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/html", "application/json", "TEXT/PLAIN; charset=utf-8"]
)
def test_json_gives_variables_usage_and_locale(kind: str) -> None:
    text = json.dumps({"usage": "SignIn", "locale": "fr", "code": 1, "user": {"a": []}})
    mail = f"Content-Type: {kind}\r\n\r\n {text}\r\n"
    assert found(json_rule(), mail) == Found(
        {"code": 1, "user": {"a": []}}, "SignIn", "fr"
    )


def test_the_first_part_that_is_one_object_counts() -> None:
    mail = (
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\n\r\nHello {you}\r\n"
        "--b\r\nContent-Type: text/html\r\n\r\n<pre>{&quot;code&quot;: 1}</pre>\r\n"
        "--b\r\nContent-Type: application/json\r\n"
        "Content-Disposition: attachment; filename=a.json\r\n\r\n"
        '{"code": 2}\r\n'
        "--b--\r\n"
    )
    assert found(json_rule(), mail) == Found({"code": 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "1",
        '{"a": 1} {"b": 2}',
        '{"a": NaN}',
        "{'a': 1}",
        '{"usage": 5}',
        json.dumps({"locale": "x" * 300}),
        json.dumps({"a": "x" * 300_000}),
        "{" * 5000 + "}" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_what_is_no_json_object_is_missing(text: str) -> None:
    mail = f"Content-Type: text/plain\r\n\r\n{text}\r\n"
    assert found(json_rule(), mail) == Found(missing=("JSON",))


def test_a_rule_that_looks_for_nothing_finds_nothing() -> None:
    assert found({"extract": [r"(?P<code>\d+)"]}, HTML) == Found()
