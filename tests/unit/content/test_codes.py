"""Codes beside words in many languages, links, and texts that want to take long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.codes import code_in, codes_in
from relay.content.links import links_in, without_links
from tests.worst_input import is_linear, repeated


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Your code is 123456.", ["123456"]),
        ("Your PIN: 4711", ["4711"]),
        ("One-time password (OTP) 12345678", ["12345678"]),
        ("1234567890 is your verification code", ["1234567890"]),
        ("G-123456 is your Acme code.", ["123456"]),
        ("Use this code:\n\n  123 456\n\nIt ends soon.", ["123 456"]),
        ("Please enter the code below.\n\n123-456\n", ["123-456"]),
        ("Username: bea\nPassword: xK3vT9qa\n", ["xK3vT9qa"]),
        ("Your PIN is AB12-CD34.", ["AB12-CD34"]),
        ("Token: WXYZQK", ["WXYZQK"]),
        ("Ihr Bestätigungscode lautet 839140.", ["839140"]),
        ("Ihr Kennwort: 7HG4K2", ["7HG4K2"]),
        ("Ihre TAN für den Auftrag ist 778812", ["778812"]),
        ("Votre code de vérification est 4821", ["4821"]),
        ("Votre mot de passe : k3x9", ["k3x9"]),
        ("Su código de verificación es 4821. Caduca pronto", ["4821"]),
        ("O seu código é: 90210", ["90210"]),
        ("Il codice di accesso è 55 1234", ["1234"]),
        ("Je pincode is 9931", ["9931"]),
        ("Din engångskod: 482913", ["482913"]),
        ("Vahvistuskoodisi on 482913", ["482913"]),
        ("Twój kod to 482913", ["482913"]),
        ("Váš kód: 482913", ["482913"]),
        ("Doğrulama kodunuz: 482913", ["482913"]),
        ("Ваш код подтверждения: 831904", ["831904"]),
        ("Ο κωδικός σας είναι 482913", ["482913"]),
        ("認証コード：７３０４１９\n", ["７３０４１９"]),
        ("您的验证码是839201，请在5分钟内输入", ["839201"]),
        ("인증번호 [482913]를 입력하세요", ["482913"]),
        ("رمز التحقق الخاص بك هو: ٤٨٢٩١٣", ["٤٨٢٩١٣"]),
        ("קוד האימות שלך: 482913", ["482913"]),
        ("आपका कोड ४८२९१३ है", ["४८२९१३"]),
        ("รหัสของคุณคือ 482913", ["482913"]),
        ("Your code is 4711. Call 030 123 456.", ["4711"]),
        ("Code 482913, backup code 551100", ["482913", "551100"]),
        ("Код операции N 20261129: 831904", ["831904"]),
        # What is no code.
        ("The code of order no. 98765 is on its way", []),
        ("Postal code 10115 Berlin", []),
        ("backup.sh: exit code 1234", []),
        ("Your password expires tomorrow", []),
        ("YOUR PASSWORD WILL EXPIRE", []),
        ("The code expires at 14:30 on 2026-11-29", []),
        ("Enter the code. Order 98765 is on its way", []),
        ("Your code\nOrder 98765 of today\n", []),
        ("code: https://acme.example/123456", []),
        ("the code costs 1234.50 or $1234", []),
        ("Hello 123456", []),
        ("", []),
    ],
)
def test_codes_stand_beside_a_word(text: str, codes: list[str]) -> None:
    assert [code.value for code in codes_in(text)] == codes
    for code in codes_in(text):
        assert text[code.start : code.end] == code.value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("認証コード：７３０４１９", "730419"),
        ("رمز: ٤٨٢٩١٣", "482913"),
        ("Your PIN is AB12-CD34.", "AB12CD34"),
        ("Your code is 4711. Call 030 123 456.", "4711"),
        ("<td> Code  482913 </td>", "482913"),
        ("Call 030 123 456.\n\n482913\n", "482913"),
        ("HELLO\n\nWORLD", ""),
    ],
)
def test_the_code_is_as_one_types_it(text: str, code: str) -> None:
    assert code_in(text) == code


@pytest.mark.parametrize(
    ("text", "links"),
    [
        (
            "See https://a.example/x. Or <http://b.example/?y=1,2>, now",
            ["https://a.example/x", "http://b.example/?y=1,2"],
        ),
        ("(https://a.example/x)!", ["https://a.example/x"]),
        ("リンク：https://a.example/x。", ["https://a.example/x"]),
        ("http://[fe80::2c0:b7ff:fe12:3456]\n", ["http://[fe80::2c0:b7ff:fe12:3456]"]),
        ("http:// https://", []),
    ],
)
def test_links_end_before_the_sentence_does(text: str, links: list[str]) -> None:
    assert list(links_in(text)) == links


@given(st.text(max_size=300))
def test_links_leave_all_else_in_its_place(text: str) -> None:
    clean = without_links(text + " https://a.example/x?y=z ")
    assert len(clean) == len(text) + 25
    assert "a.example" not in clean


@given(
    st.text(alphabet="code PIN:\n123456.AB-٤٨１ is验证码x", max_size=200),
    st.text(max_size=50),
)
def test_any_text_can_be_looked_at(text: str, subject: str) -> None:
    for code in codes_in(text):
        assert text[code.start : code.end] == code.value
        assert 4 <= len(code.value.replace("-", "").replace(" ", "")) <= 10
    code_in(text, subject)


@pytest.mark.parametrize(
    "piece",
    [
        *("code ", "1234 ", "code 1234 ", "code:\n", "A", "9", "ABCD ", "AB12-", " "),
        *(
            "code " * 30 + "1234 ",
            "https://a.example/1234 ",
            "http://",
            "pin.",
            "コード",
        ),
    ],
)
def test_codes_and_links_take_linear_time(piece: str) -> None:
    def work(text: str) -> object:
        return list(codes_in(text)), code_in(text), list(links_in(text))

    assert is_linear(work, repeated(piece))
