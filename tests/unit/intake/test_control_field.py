from __future__ import annotations

import json

import pytest

from relay.content.header import parse
from relay.intake import control_headers
from relay.intake.control_headers import Controls
from relay.model.reply import Refused

CODE = "123456"
LINK = "https://acme.example/reset?token=" + "".join(f"{n:04}" for n in range(700))


def read(header: bytes) -> Controls:
    return control_headers.read(
        parse(header),
        usage_header="X-Relay-Usage",
        client_headers=["X-SES-CONFIGURATION-SET", "X-SES-LIST-MANAGEMENT-OPTIONS"],
    )


def refusal(header: bytes) -> str:
    with pytest.raises(Refused) as refused:
        read(header)
    return str(refused.value.reply)


def broken_by_postfix(field: str, at: int = 998) -> bytes:
    """The lines that Postfix sends; mutt's are the same (seen with both)."""
    rest = field.encode()
    lines = []
    while len(rest) > at:
        lines.append(rest[:at])
        rest = b" " + rest[at:]
    return b"\r\n".join([*lines, rest]) + b"\r\n"


@pytest.mark.parametrize("shift", range(60))
def test_a_line_that_a_smarthost_broke_in_a_word_is_whole_again(shift: int) -> None:
    variables = {"pad": "x" * shift, "link": LINK, "name": "Zoë 日本 " * 90}
    for text in (json.dumps(variables), json.dumps(variables, ensure_ascii=False)):
        header = broken_by_postfix(f"X-Relay-Variables: {text}")
        assert max(map(len, header.split(b"\r\n"))) == 998
        assert read(header).variables == variables


def test_single_variables_and_encoded_words_are_whole_again_too() -> None:
    words = " ".join("=?utf-8?q?=C3=A9=C3=A8_x?=" for _ in range(100))
    header = broken_by_postfix(f"X-Relay-Variable-link: {LINK}")
    header += broken_by_postfix(f"X-Relay-Variable-words: {words}")
    assert read(header).variables == {"link": LINK, "words": "éè x" * 100}


def test_a_client_s_own_folds_stay_beside_those_of_a_smarthost() -> None:
    first = b'X-Relay-Variables: {"a":\r\n\t"b  c",\r\n'
    header = first + broken_by_postfix(f'  "link": "{LINK}", "d": "e')
    header += b'  f"}\r\n'
    assert read(header).variables == {"a": "b  c", "link": LINK, "d": "e  f"}


@pytest.mark.parametrize("size", [997, 999, 1200])
def test_a_fold_after_a_line_of_another_length_is_a_client_s_own(size: int) -> None:
    line = b"X-Relay-Variable-a: " + b"x" * (size - 20)
    value = read(line + b"\r\n y\r\n").variables["a"]
    assert value == "x" * (size - 20) + " y"


@pytest.mark.parametrize("size", [990, 2041])
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"X-Relay-Variables", "X-Relay-Variables"),
        (b"x-relay-variable-Link", "X-Relay-Variable-link"),
        (b"X-Relay-Usage", "X-Relay-Usage"),
        (b"X-SES-CONFIGURATION-SET", "X-SES-CONFIGURATION-SET"),
    ],
)
def test_what_sendmail_broke_is_refused_because_its_mark_may_be_the_text_s(
    name: bytes, shown: str, size: int
) -> None:
    line = name + b": " + b"x" * (size - len(name) - 3) + b"!"
    assert refusal(line + b"\r\n y\r\n") == (
        f"550 5.6.0 {shown}: a mail server on the way broke its long line; "
        "send shorter ones"
    )


def test_an_exclamation_mark_before_a_usual_fold_is_text() -> None:
    header = b"X-Relay-Variable-a: Hello!\r\n World!\r\n"
    assert read(header).variables == {"a": "Hello! World!"}


@pytest.mark.parametrize(
    ("above", "shown"),
    [
        (b"X-Relay-Usage: SignIn", "X-Relay-Usage"),
        (b"X-Relay-Usage:", "X-Relay-Usage"),
        (b"X-Relay-Locale: fr", "X-Relay-Locale"),
        (b"X-Relay-Variable-name: Ann", "X-Relay-Variable-name"),
        (b'X-Relay-Variables: {"a": "b', "X-Relay-Variables"),
        (b"X-SES-CONFIGURATION-SET: news", "X-SES-CONFIGURATION-SET"),
        (b"X-SES-LIST-MANAGEMENT-OPTIONS: l", "X-SES-LIST-MANAGEMENT-OPTIONS"),
    ],
)
@pytest.mark.parametrize(
    "below", [b" X-Relay-Variable-code: ", b"\t \tx-relay-VARIABLE-code ", b" X-SES-A:"]
)
def test_a_field_indented_below_another_is_refused_and_its_code_told_nobody(
    above: bytes, shown: str, below: bytes
) -> None:
    text = refusal(above + b"\r\n" + below + CODE.encode() + b"\r\n")
    assert text == (
        f"550 5.6.0 {shown}: the line below it is indented, and looks like a header"
    )


def test_a_usage_without_a_colon_does_not_take_the_code_below_it_for_its_value() -> (
    None
):
    text = refusal(b"X-Relay-Usage\r\n X-Relay-Variable-code: 123456\r\n")
    assert (CODE in text, "X-Relay-Usage: " in text) == (False, True)


def test_no_other_field_becomes_part_of_a_usage_either() -> None:
    text = refusal(b"X-Relay-Usage: SignIn\r\n Subject: Your code is 123456\r\n")
    assert CODE not in text


def test_variables_may_go_on_with_what_looks_like_a_field() -> None:
    header = b"X-Relay-Variable-a: see\r\n https://acme.example\r\n"
    header += b'X-Relay-Variables: {\r\n "b": 1}'
    assert read(header).variables == {"a": "see https://acme.example", "b": 1}


def test_all_that_is_remembered_of_a_control_header_is_bounded() -> None:
    assert len(read(b"X-Relay-Usage: " + b"U" * 256 + b"\r\n").usage) == 256
    for name in (b"X-Relay-Usage", b"X-Relay-Locale"):
        text = refusal(name + b": " + b"u" * 257 + b"\r\n")
        assert text == f"550 5.6.0 {name.decode()}: longer than 256 characters"
    text = refusal(b"X-Relay-Variable-" + b"n" * 257 + b": x\r\n")
    assert text.endswith("a variable's name has at most 256 characters")
    text = refusal(b"X-SES-LIST-MANAGEMENT-OPTIONS: l; topic=" + b"t" * 257 + b"\r\n")
    assert text == (
        "550 5.6.0 X-SES-LIST-MANAGEMENT-OPTIONS: longer than 256 characters"
    )


def test_the_characters_of_a_usage_count_not_its_octets() -> None:
    usage = "日" * 256
    assert read(f"X-Relay-Usage: {usage}\r\n".encode()).usage == usage


def test_json_that_is_wide_is_not_deep() -> None:
    wide = json.dumps({"v": [{"a": [n]} for n in range(1000)]})
    assert len(read(f"X-Relay-Variables: {wide}\r\n".encode()).variables["v"]) == 1000
