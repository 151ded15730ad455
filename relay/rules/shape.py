"""What texts of one kind have in common: their changing parts as `*`, as in globs.

A guess, for people who change it; but the text that it is made of always fits it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MOST_TEXT = 200  # characters that are looked at; what follows is `*`

_MONTHS_AND_DAYS = (
    *("jan", "feb", "fév", "mar", "mär", "maa", "apr", "avr", "abr", "may", "mai"),
    *("mag", "mei", "maj", "jun", "jui", "giu", "jul", "lug", "aug", "aoû", "ago"),
    *("sep", "set", "oct", "okt", "ott", "out", "nov", "dec", "déc", "dez", "dic"),
    *("ene", "gen", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "die", "mit"),
    *("don", "fre", "sam", "son", "lun", "mer", "jeu", "ven", "dim", "mié", "jue"),
    *("vie", "sáb", "dom", "am", "pm", "utc", "gmt", "cet", "cest", "uhr", "de", "at"),
)
_CHANGING = re.compile(
    r"""(?P<quoted>"[^"]+"|“[^”]+”|„[^“”]+[“”]|«[^»]+»|「[^」]+」|『[^』]+』)
    |(?P<link>https?://[^\s<>()"]+)
    |(?P<address>[^\s<>()",;:]{1,64}@[^\s<>()",;:]+)
    |(?P<word>[^\W_]+)""",
    re.VERBOSE,
)
_HEX = re.compile(r"(?=[^\W_]*\d)[0-9a-fA-F]{7,}")
_CODE = re.compile(r"(?=[^\W_]*\d)[A-Z0-9]{6,}")
_DIGITS = re.compile(r"\d+")
# Stars that parts of a date, a time, an address or a version stand between.
_BETWEEN = re.compile(
    rf"""\*(?:[\s.,:;/+_=%()年月日時分秒-]{{0,3}}
         (?:(?:{"|".join(_MONTHS_AND_DAYS)})[^\W\d_]{{0,7}}[\s.,:;/+_-]{{1,3}})?\*)+""",
    re.VERBOSE | re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")
_SLASHES = re.compile(r"/(.*)/", re.DOTALL)
HALF = re.compile("[\ud800-\udfff]")  # of a character: in no TOML


def shape(text: str, names: Collection[str] = ()) -> str:
    """A glob that holds for `text`; `names` are words, in lower case, that change."""
    beginning = text[:MOST_TEXT]
    if len(text) > MOST_TEXT:
        # Not in the middle of a word, which may be one that changes.
        beginning = beginning.rpartition(" ")[0] + "*"

    def star(match: re.Match[str]) -> str:
        if match["quoted"]:
            return f"{match[0][0]}*{match[0][-1]}"
        if match["word"] is None:
            return "*"
        word = match[0]
        if word.lower() in names or _HEX.fullmatch(word) or _CODE.fullmatch(word):
            return "*"
        return _DIGITS.sub("*", word)

    return _BETWEEN.sub("*", as_glob(_CHANGING.sub(star, beginning)))


def address_shape(address: str) -> str:
    """The same of a sender: bounce addresses change with each mail, names do not."""
    local, at, domain = address.rpartition("@")
    if not at:
        return as_glob(address)
    if local.count("=") or local.count("+"):
        local = re.split(r"[=+]", local)[0] + "*"
    local = re.sub(r"\d{4,}", "*", local)
    local = re.sub(r"(?=[^\W_]*\d)[0-9a-f]{8,}", "*", local)
    return as_glob(f"{local}@{domain}")


def as_glob(text: str) -> str:
    """The text as a glob that holds for it: no expression, no half a character."""
    whole = HALF.sub("?", text)
    if _SLASHES.fullmatch(whole):
        return f"?{whole[1:]}"
    return whole


def says_something(glob: str) -> bool:
    """Whether a glob has enough letters to tell one kind of mail from another."""
    return len(_LETTER.findall(glob)) >= 3
