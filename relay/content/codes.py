"""One-time codes in a text: beside a word that says so, in many languages, or alone.

Codes are 4 to 10 digits, in any script's digits, or letters and digits; a word is
such as code, PIN, OTP, password. Linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from relay.content.links import without_links

# Of a text that is nearly all numbers, such as a log, no more are looked at.
MOST_LOOKED_AT = 2000
_BEFORE, _AFTER = 100, 60  # characters between a code and its word

# Letters that make a longer word of what they touch; in Chinese they do not.
_LETTER = "A-Za-z0-9_\u00c0-\u024f\u0370-\u052f"
_CODE = re.compile(
    rf"""(?:(?<![{_LETTER}\d.,/#@&=%+$€£-])|(?<=\b[A-Z]-))  # a dash, as in G-123456
        (?P<code>\d{{3}}[ -]\d{{3}}
        |\d{{4,10}}
        |[A-Z0-9]{{3,5}}-[A-Z0-9]{{3,5}}
        |(?=[A-Za-z]{{0,9}}\d)[A-Za-z0-9]{{4,10}}
        |[A-Z]{{4,10}})
        (?![{_LETTER}\d/#@%-]|[.,:]\d)""",
    re.VERBOSE,
)
# Beginnings of words, whatever stands before them: Bestätigungscode, engangskode.
_STEMS = (
    *("code", "passwor", "passphrase", "token", "kennwort", "passwort", "schlüssel"),
    *("mot de passe", "contraseña", "clave", "codice", "parol", "senha"),
    *("palavra-passe", "código", "codigo", "wachtwoord", "kod", "kód", "lösenord"),
    *("passord", "adgangskode", "koodi", "salasana", "hasło", "heslo", "jelszó"),
    *("şifre", "mật khẩu", "sandi", "код", "парол", "пин", "κωδικ"),
    *("コード", "暗証番号", "パスワード", "認証番号", "確認番号"),
    *("验证码", "驗證碼", "校验码", "动态码", "動態碼", "密码", "密碼", "口令"),
    *("코드", "인증번호", "비밀번호", "رمز", "كود", "کد", "קוד", "סיסמ"),
    *("कोड", "पासवर्ड", "ओटीपी", "รหัส"),
)
_WORDS = ("pin", "otp", "tan", "cod", "codul", "mã")  # whole words alone
_WORD = re.compile(
    rf"(?:{'|'.join(_STEMS)})[^\W\d_]{{0,6}}|\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE
)
_OTHER_CODE = re.compile(
    r"(?:postal|zip|post|error|exit|return|status|country|area|bar|source|colou?r)"
    r"[ -]?\Z",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?:\s|\Z)|[。！？]")
_NUMBER_OF = re.compile(r"(?:\b(?:n|nr|no|num)\.?|[№#]|n[°º])\s?\Z", re.IGNORECASE)
# What joins a word to a code that is letters alone, or begins like any word.
_JOINED = re.compile(r"\s{0,9}(?:(?:is|ist|lautet|est|es|è|é)\s{0,3})?[:：=]?\s{0,9}")
_AROUND = " \t*.:>|\u3000"  # of a code that is alone on its line
_YEAR = re.compile(r"(?:19|20)\d\d")
_SIX = re.compile(r"\d{6}|\d{3}[ -]\d{3}")
_UNSAID = re.compile(r"\d{4,8}|\d{3}[ -]\d{3}|(?=[A-Z]{0,7}\d)[A-Z0-9]{6,8}")


class Code(NamedTuple):
    """A code that stands beside a word; `word` is where the word begins.

    It stands there, too, where the code comes first.
    """

    value: str
    start: int
    end: int
    word: int
    word_end: int


def codes_in(text: str) -> Iterator[Code]:
    """The codes of a text that stand beside a word, in their order."""
    clean = without_links(text)
    for match in islice(_CODE.finditer(clean), MOST_LOOKED_AT):
        found = _after_a_word(clean, match) or _before_a_word(clean, match)
        if found:
            yield found


def code_in(text: str, subject: str = "") -> str:
    """The code that a person would type, "" where none is found.

    The first beside a word, else one alone on its line, else six digits, else the
    first that looks like one.
    """
    for part in (text, subject):
        for code in codes_in(part):
            return _bare(code.value)
    clean = without_links(text)
    for line in clean.splitlines():
        alone = line.strip(_AROUND)
        if (found := _CODE.fullmatch(alone)) and _UNSAID.fullmatch(found["code"]):
            return _bare(found["code"])
    found_codes = [
        match["code"]
        for part in (subject, clean)
        for match in _CODE.finditer(part)
        if _UNSAID.fullmatch(match["code"]) and not _YEAR.fullmatch(match["code"])
    ]
    six = [code for code in found_codes if _SIX.fullmatch(code)]
    return _bare(next(iter(six + found_codes), ""))


def _after_a_word(text: str, match: re.Match[str]) -> Code | None:
    start = max(match.start() - _BEFORE, 0)
    window = text[start : match.start()]
    words = [
        word
        for word in _WORD.finditer(window)
        if not _OTHER_CODE.search(window, 0, word.start())
    ]
    if not words:
        return None
    word = words[-1]
    gap = window[word.end() :]
    alone = _is_alone(text, match)
    if ("\n" in gap or _SENTENCE_END.search(gap)) and not alone:
        return None
    if gap.count("\n") > 4 or _NUMBER_OF.search(gap) or not _fits(text, match, gap):
        return None
    return Code(
        match["code"],
        match.start("code"),
        match.end("code"),
        start + word.start(),
        start + word.end(),
    )


def _before_a_word(text: str, match: re.Match[str]) -> Code | None:
    """As in `123456 is your code`."""
    if not any(map(str.isdecimal, match["code"])):
        return None
    line = text[match.end() : match.end() + _AFTER].partition("\n")[0]
    word = _WORD.search(line)
    if word is None:
        return None
    gap = line[: word.start()]
    if _SENTENCE_END.search(gap) or ":" in gap or not gap[:1].isspace():
        return None
    return Code(
        match["code"],
        match.start("code"),
        match.end("code"),
        match.end() + word.start(),
        match.end() + word.end(),
    )


def _fits(text: str, match: re.Match[str], gap: str) -> bool:
    """Whether it is no word of the sentence: those have no digits."""
    code = match["code"]
    if any(map(str.isdecimal, code)):
        return True
    joined = _JOINED.fullmatch(gap) is not None and any(mark in gap for mark in ":：=")
    line_end = text[match.end() : match.end() + 3].strip(" .")[:1] in ("", "\n")
    return joined and line_end and code.isupper()


def _is_alone(text: str, match: re.Match[str]) -> bool:
    """Whether nothing else stands on its line."""
    before = text[max(match.start() - _BEFORE, 0) : match.start()].rpartition("\n")[2]
    after = text[match.end() : match.end() + _BEFORE].partition("\n")[0]
    return not before.strip(_AROUND) and not after.strip(_AROUND)


def _bare(code: str) -> str:
    """As one types it: without what parts it, in the digits that all take."""
    return "".join(
        str(int(sign)) if sign.isdecimal() else sign
        for sign in code
        if sign not in " -"
    )
