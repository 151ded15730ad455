from __future__ import annotations

import json
from contextlib import suppress

import pytest

from relay.content.header import Field, parse
from relay.content.json_value import json_value
from relay.intake import control_headers
from relay.intake.control_headers import Controls
from relay.model.mail import ListManagement
from relay.model.reply import Refused
from tests.worst_input import is_linear, repeated

ALL_SES = (
    "X-SES-CONFIGURATION-SET",
    "x-ses-message-tags",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-SES-SOURCE-ARN",
    "X-SES-FROM-ARN",
    "X-SES-RETURN-PATH-ARN",
    "X-SES-TENANT",
)


def read(*lines: str, client_headers: tuple[str, ...] = ALL_SES) -> Controls:
    content = "".join(f"{line}\r\n" for line in lines).encode(
        "utf-8", "surrogateescape"
    )
    return control_headers.read(
        parse(content), usage_header="X-Relay-Usage", client_headers=client_headers
    )


def refusal(*lines: str) -> str:
    with pytest.raises(Refused) as refused:
        read(*lines)
    return str(refused.value.reply)


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        ("X-Relay-Usage: SignIn", "SignIn"),
        ("x-relay-USAGE \t:SignIn  ", "SignIn"),
        ("X-Relay-Usage:\r\n SignIn", "SignIn"),
        ("X-Relay-Usage: =?utf-8?q?Sign=49n?=", "SignIn"),
        ("X-Relay-Usage:", ""),
        ("X-Relay-Usage: =?utf-8?q?_?=", ""),
        ("X-Relay-Usage", ""),
    ],
)
def test_the_usage_is_read_however_it_is_written(line: str, usage: str) -> None:
    assert read("From: a@b.example", line).usage == usage


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("{} {}", 4),
        ("{},", 3),
        ("{}x", 3),
        ('{"a": 1}}', 9),
        ('{"code": 123456', 16),
        ('{"code": "123456', 10),
        ("{code: 1}", 2),
        ("=?utf-8?q?=7B=22a=22?= x", 6),
    ],
)
def test_broken_json_is_refused_with_its_place_and_without_its_value(
    given: str, at: int
) -> None:
    text = refusal(f"X-Relay-Variables: {given}")
    assert text == f"550 5.6.0 X-Relay-Variables: not valid JSON at character {at}"


@pytest.mark.parametrize("of", ["[]", "{}"])
def test_json_is_nested_100_deep_at_most_with_every_python(of: str) -> None:
    begin, end = (of[0], of[1]) if of == "[]" else ('{"a":', "}")
    deep = '{"a": ' + begin * 99 + "1" + end * 99 + "}"
    assert read(f"X-Relay-Variables: {deep}").variables["a"]
    for depth in (100, 500, 20_000):
        deep = '{"a": ' + begin * depth + "1" + end * depth + "}"
        assert refusal(f"X-Relay-Variables: {deep}") == (
            "550 5.6.0 X-Relay-Variables: JSON that is nested too deeply"
        )
    # What stands side by side is not deep.
    wide = '{"a": [' + ",".join(["[{}]"] * 1000) + "]}"
    assert len(read(f"X-Relay-Variables: {wide}").variables["a"]) == 1000


@pytest.mark.parametrize("text", [" {} ", "\r\n{}\t\n", "{}"])
def test_json_may_have_white_space_around_it(text: str) -> None:
    assert json_value(text) == {}


def test_two_usages_are_refused_even_when_one_is_empty() -> None:
    for second in ("X-Relay-Usage: B", "x-relay-usage:"):
        text = refusal("X-Relay-Usage: A", second)
        assert text == "550 5.6.0 X-Relay-Usage: given more than once"


def test_variables_merge_and_the_later_wins() -> None:
    controls = read(
        'X-Relay-Variables: {"a": 1, "b": {"c": 1}, "a": 2}',
        "X-Relay-Variable-User-Name: Ann",
        'X-Relay-Variables: {"b": {"d": 2}, "user_name": "no"}',
        "X-Relay-Variables:",
        "X-RELAY-VARIABLE-CODE: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "X-Relay-Variable-empty:",
    )
    assert controls.variables == {
        "a": 2,
        "b": {"d": 2},
        "user_name": "Ann",
        "code": "Grüße",
        "empty": "",
    }


def test_trap_38_json_survives_folding_encoded_words_and_raw_utf8() -> None:
    assert read('X-Relay-Variables: {"n":\r\n "Grüße"}').variables == {"n": "Grüße"}
    encoded = (
        "X-Relay-Variables: =?utf-8?q?=7B=22n=22=3A_=22Gr=C3=BC?=\r\n"
        " =?utf-8?q?=C3=9Fe=22=7D?="
    )
    assert read(encoded).variables == {"n": "Grüße"}


def test_numbers_keep_what_they_are() -> None:
    text = '{"i": 12345678901234567890123, "f": 1.5, "w": 1.0, "t": true, "n": null}'
    variables = read(f"X-Relay-Variables: {text}").variables
    assert json.dumps(variables) == json.dumps(json.loads(text))
    digits = "9" * 5000  # more than Python makes an int of
    assert read(f'X-Relay-Variables: {{"d": {digits}}}').variables == {"d": digits}


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "1",
        '"secret"',
        "{secret}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        "{" + '"a":{' * 50_00,
        '{"a":' * 20_000 + "1" + "}" * 20_000,
    ],
)
def test_what_is_no_json_object_is_refused_without_its_value(text: str) -> None:
    reply = refusal(f"X-Relay-Variables: {text}")
    assert reply.startswith("550 5.6.0 X-Relay-Variables: ")
    assert "secret" not in reply


def test_half_a_surrogate_pair_becomes_a_replacement_character() -> None:
    controls = read('X-Relay-Variables: {"a\\ud800": ["\\udc00x", "\\ud83d\\ude00"]}')
    assert controls.variables == {"a\ufffd": ["\ufffdx", "😀"]}


@pytest.mark.parametrize(
    "name", ["user.name", "a b", "", "é", "code=12345", "a\x00b", "a;b"]
)
def test_an_unusable_variable_name_is_refused_and_named(name: str) -> None:
    reply = refusal(f"X-Relay-Variable-{name}: 12345")
    assert reply.startswith("550 5.6.0 X-Relay-Variable-")
    assert "12345" not in reply


def test_a_control_header_without_its_colon_says_nothing_and_goes() -> None:
    message = parse(b"From: a@b.example\r\nX-Relay-Variable-code=123456\r\n\r\nx")
    assert read("From: a@b.example", "X-Relay-Variable-code=123456") == Controls()
    kept, out = control_headers.taken_out(message.fields, "X-Relay-Usage")
    assert [field.raw for field in kept] == [b"From: a@b.example\r\n"]
    assert [field.raw for field in out] == [b"X-Relay-Variable-code=123456\r\n"]


def test_the_first_locale_counts() -> None:
    assert read("X-Relay-Locale: fr-CA", "X-Relay-Locale: de").locale == "fr-CA"
    assert read("X-Relay-Locale: =?utf-8?q?de?=").locale == "de"


def test_ses_headers_become_options() -> None:
    assert read(
        "X-SES-CONFIGURATION-SET:",
        "X-SES-CONFIGURATION-SET: news",
        "x-ses-configuration-set: other",
        "X-SES-MESSAGE-TAGS: a=b, c = d_1 ,",
        "X-SES-LIST-MANAGEMENT-OPTIONS: friends; topic=fun",
        "X-SES-SOURCE-ARN: arn:source",
        "X-SES-FROM-ARN: arn:from",
        "X-SES-RETURN-PATH-ARN: arn:path",
        "X-SES-TENANT: acme",
    ) == Controls(
        configuration_set="news",
        tags={"a": "b", "c": "d_1"},
        list_management=ListManagement("friends", "fun"),
        from_arn="arn:from",
        feedback_arn="arn:path",
        tenant="acme",
    )
    assert read("X-SES-SOURCE-ARN: arn:source").from_arn == "arn:source"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("friends", ListManagement("friends")),
        ("friends; topic=fun", ListManagement("friends", "fun")),
        (
            "contactListName=friends; topicName=fun",
            ListManagement("friends", "fun"),
        ),
    ],
)
def test_both_forms_of_list_options_are_read(
    value: str, expected: ListManagement
) -> None:
    header = f"X-SES-LIST-MANAGEMENT-OPTIONS: {value}"
    assert read(header).list_management == expected


@pytest.mark.parametrize(
    "line",
    [
        "X-SES-CONFIGURATION-SET: ne ws",
        "X-SES-CONFIGURATION-SET: " + "n" * 65,
        "X-SES-MESSAGE-TAGS: secret",
        "X-SES-MESSAGE-TAGS: a=",
        "X-SES-MESSAGE-TAGS: =b",
        "X-SES-MESSAGE-TAGS: a=b c",
        "X-SES-MESSAGE-TAGS: a=ü",
        "X-SES-MESSAGE-TAGS: a=" + "b" * 257,
        "X-SES-LIST-MANAGEMENT-OPTIONS: ; topic=x",
        "X-SES-FROM-ARN: ü",
        "X-SES-TENANT: a/b",
    ],
)
def test_a_ses_header_that_ses_would_refuse_is_refused_and_named(line: str) -> None:
    name, _, value = line.partition(": ")
    reply = refusal(line)
    assert reply.startswith(f"550 5.6.0 {name}: ")
    assert value not in reply
    [slip] = read(line, client_headers=()).slips
    assert slip.text == f"{name} dropped: not in ses.clientHeaders"


def test_unlisted_ses_headers_are_dropped_unread_with_one_warning_each() -> None:
    controls = read(
        "X-SES-TENANT: a/b",
        "X-SES-TENANT: c",
        "X-SES-MESSAGE-TAGS: a=b",
        client_headers=("X-SES-MESSAGE-TAGS",),
    )
    [slip] = controls.slips
    assert slip.text == "X-SES-TENANT dropped: not in ses.clientHeaders"
    assert controls.tags == {"a": "b"}
    assert controls.tenant == ""


@pytest.mark.parametrize(
    "name",
    [
        "X-Relay-Usage",
        "X-Relay-Unknown",
        "x-ses-anything",
        "BCC",
        "Resent-Bcc",
        "Return-Path",
        "App",
    ],
)
def test_what_is_removed(name: str) -> None:
    gone, stays = Field(name, b""), Field(f"my-{name}", b"")
    assert control_headers.taken_out([stays, gone], "App") == ((stays,), (gone,))
    assert control_headers.mentions(f"{name}: x".lower().encode(), "App")


@pytest.mark.parametrize(
    "piece",
    ['"', '"a":', "[", "1", "1.", "\\ud800", '\\"', " ", "a=b,", "=", ";", ",", "x "],
)
@pytest.mark.parametrize("before", ["", "[1.", '{"x":"'])
def test_twice_the_value_takes_twice_the_time(piece: str, before: str) -> None:
    def asked(value: str) -> None:
        for name in (
            "X-Relay-Variables",
            "X-Relay-Variable-a",
            "X-Relay-Usage",
            "X-Relay-Locale",
            "X-SES-MESSAGE-TAGS",
            "X-SES-LIST-MANAGEMENT-OPTIONS",
            "X-SES-CONFIGURATION-SET",
            "X-SES-SOURCE-ARN",
        ):
            fields = parse(f"{name}: {value}\r\n\r\n".encode())
            with suppress(Refused):
                control_headers.read(
                    fields, usage_header="X-Relay-Usage", client_headers=ALL_SES
                )

    assert is_linear(asked, repeated(piece, before))
