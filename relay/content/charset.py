"""Bytes of mail as text: charset labels mean what the web means by them; never fails.

A label is looked up in WHATWG's table (encoding.spec.whatwg.org), not among Python's
codecs: of those, `gb2312` and `iso-8859-1` lack what mail under these names holds,
and each name that it does not know stays in a cache of theirs for ever.
Broken bytes become U+FFFD one by one, and so do the controls C1 and ESC, which stand
in text by mistake alone. There is no encoding here.
"""

from __future__ import annotations

import re
from functools import cache

_MAX_LABEL = 100
_COMMENT = re.compile(r"\([^()]*\)?")
_LABEL = re.compile(r"(?:charset\s*=\s*)?[\s\"']*([a-z0-9][a-z0-9_.:+-]*)")
_FILLERS = str.maketrans("", "", "-_.")

# Names of mail that the table lacks, in the form without dashes. What the web refuses
# to read (`replacement`) it refuses for the sake of scripts in pages.
_OF_MAIL = {
    "88591": "windows-1252",
    "cp932": "shift_jis",
    "cp936": "gbk",
    "cp949": "euc-kr",
    "cp950": "big5",
    "cp65001": "utf-8",
    "eucjp": "euc-jp",
    "euckr": "euc-kr",
    "euccn": "gbk",
    "hzgb2312": "hz",
    "iso2022kr": "iso-2022-kr",
    "csiso2022kr": "iso-2022-kr",
    "macroman": "macintosh",
    "ms936": "gbk",
    "ms949": "euc-kr",
    "ms950": "big5",
    "uhc": "euc-kr",
    "utf7": "utf-7",
    "unicode11utf7": "utf-7",
    **{f"{kind}{page}": f"cp{page}" for kind in ("cp", "ibm") for page in (437, 850)},
    **{f"{kind}{page}": f"cp{page}" for kind in ("cp", "ibm") for page in (852, 858)},
    **{f"win{page}": f"windows-{page}" for page in range(1250, 1259)},
}
# Under these names anything is sent.
_ANYTHING = frozenset({"us-ascii", "ascii", "ansi_x3.4-1968", "iso-ir-6", "x-unknown"})
_GB_2022 = str.maketrans(
    "\ue5e5\ue78d\ue78e\ue78f\ue790\ue791\ue792\ue793\ue794\ue795\ue796\ue7c7"
    "\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864",
    "\u3000\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16\ufe17\ufe18\ufe19\u1e3f"
    "\u9fb4\u9fb5\u9fb6\u9fb7\u9fb8\u9fb9\u9fba\u9fbb",
)
# Python's names for what WHATWG's names mean.
_CODECS = {
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gbk": "gb18030",
    "ibm866": "cp866",
    "iso-8859-8-i": "iso-8859-8",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac-cyrillic",
}
# Where WHATWG's tables and Python's differ.
_DIFFERENT: dict[str, dict[int, int] | dict[int, str]] = {
    "koi8-u": {0x255D: "ў", 0x256C: "Ў"},
    "gbk": _GB_2022,
    "gb18030": _GB_2022,
}
_STATEFUL = frozenset({"hz", "iso-2022-kr", "utf-7"})
# What no text holds but by mistake.
_CONTROLS = dict.fromkeys((0x0E, 0x0F, 0x1B, *range(0x80, 0xA0)), "\ufffd")
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
# Where WHATWG's tables differ from Python's.
_AS_MICROSOFT = str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")
_USER_DEFINED = {byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_EURO = re.compile(rb"[\x81-\xfe][\x30-\x39\x40-\x7e\x80-\xfe]|\x80")
_EUC_PIECE = re.compile(
    rb"([\xa1-\xfe]{2})|\x8f[\xa1-\xfe]{2}|\x8e[\xa1-\xdf]|[\x00-\x7f]++|.", re.DOTALL
)
_JIS_ESCAPE = re.compile(rb"\x1b(\([BJI]|\$[@B]|\$\(D|)")
_JIS_PAIR = re.compile(rb"[\x21-\x7e]{2}")
_TO_EUC = bytes(byte | 0x80 if 0x21 <= byte <= 0x7E else byte for byte in range(256))
_KATAKANA = {byte: 0xFF61 + byte - 0x21 for byte in range(0x21, 0x60)}
_KATAKANA |= dict.fromkeys((*range(0x60, 0x7F), *range(0x80, 0x100)), 0xFFFD)
_JIS_ROMAN = {0x5C: "¥", 0x7E: "‾"}
_PRIVATE = re.compile("[\x80-\x9f\uf8f0-\uf8f3]")  # C1, and what cp932 makes of it
_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
)


def text_of(data: bytes, label: str = "") -> str:
    """Decode `data` as its label says; without a known one as UTF-8, else windows-1252.

    ASCII counts as no label: what is not ASCII in it says nothing of its charset.
    """
    if label in ("utf-8", "UTF-8"):  # as most are
        return data.decode("utf-8", "replace")
    name = charset_of(label)
    return _decoded(data, name) if name else guessed(data)


def body_text(data: bytes, label: str = "") -> str:
    """The same for a whole body, which a byte order mark may begin: it counts most."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], name).removeprefix("\ufeff")
    return text_of(data, label).removeprefix("\ufeff")


def header_text(data: bytes, label: str = "") -> str:
    """Raw bytes of a header: UTF-8, else the body's charset, else windows-1252."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        name = charset_of(label)
        if name not in ("", "utf-8"):
            text = _decoded(data, name)
            if "\ufffd" not in text:
                return text
    return guessed(data)


def charset_of(label: str) -> str:
    """What a label means, in the words of WHATWG; "" where nobody knows it.

    Comments, quotes and all that follows the name do not count.
    """
    if not label:
        return ""
    match = _LABEL.search(_COMMENT.sub(" ", label[:_MAX_LABEL]).strip().lower())
    if match is None or match[1] in _ANYTHING:
        return ""
    labels = _labels()
    return labels.get(match[1]) or labels.get(match[1].translate(_FILLERS), "")


@cache
def _labels() -> dict[str, str]:
    # Not before the first mail that needs it.
    from webencodings.labels import LABELS

    found = {label.translate(_FILLERS): name for label, name in LABELS.items()}
    found |= LABELS
    found = {label: name for label, name in found.items() if name != "replacement"}
    return _OF_MAIL | found


def guessed(data: bytes) -> str:
    """UTF-8, also where some of it broke; else windows-1252."""
    if b"\x1b$" in data and data.isascii():
        return _decoded(data, "iso-2022-jp")  # which names itself
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("utf-8", "replace")
        broken = text.count("\ufffd")
        letters = len(text) - len(text.encode("ascii", "ignore")) - broken
        # Two letters of another charset seldom look like one of UTF-8.
        return text if letters > broken else _decoded(data, "windows-1252")


def _decoded(data: bytes, name: str) -> str:
    match name:
        case "utf-8" | "utf-16le" | "utf-16be":
            return data.decode(name, "replace")
        case "iso-2022-jp":
            return _iso_2022_jp(data)
        case "euc-jp":
            text = _euc_jp(data)
        case "x-user-defined":
            return data.decode("latin-1").translate(_USER_DEFINED)
        case "gbk" | "gb18030" if b"\x80" in data:
            # Alone it is the euro sign, by Microsoft's table.
            euro = _EURO.sub(lambda m: m[0] if m[0] != b"\x80" else b"\xa2\xe3", data)
            text = euro.decode("gb18030", "replace")
        case _:
            text = data.decode(_CODECS.get(name, name), "replace")
    if name in _DIFFERENT:
        text = text.translate(_DIFFERENT[name])
    if name in _STATEFUL:
        text = text.translate(_CONTROLS).translate(_SURROGATES)
    return text if text.isascii() else _PRIVATE.sub("\ufffd", text)


def _euc_jp(data: bytes) -> str:
    """EUC-JP with the rows of Microsoft and NEC, which Python's codec lacks."""
    try:
        return data.decode("euc_jp").translate(_AS_MICROSOFT)
    except UnicodeDecodeError:
        characters = _jis_x_0208()
    pieces = []
    for match in _EUC_PIECE.finditer(data):
        piece = match[0]
        if match.lastindex is None:
            pieces.append(piece.decode("euc_jp", "replace"))
        else:
            row, cell = piece[0] - 0xA1, piece[1] - 0xA1
            pieces.append(characters[row * 94 + cell])
    return "".join(pieces)


@cache
def _jis_x_0208() -> tuple[str, ...]:
    """Its 94 rows of 94 characters, in the version that Microsoft's Shift JIS has."""
    characters = []
    for row in range(94):
        first = (0x81 if row < 62 else 0xC1) + row // 2
        for cell in range(94):
            second = cell + 0x9F if row % 2 else cell + 0x40 + (cell >= 63)
            character = bytes((first, second)).decode("cp932", "replace")
            characters.append(character if len(character) == 1 else "\ufffd")
    return tuple(characters)


def _iso_2022_jp(data: bytes) -> str:
    """ISO-2022-JP with the same rows; half-width katakana and JIS X 0212 are read."""
    pieces = []
    state, position = b"(B", 0
    for match in _JIS_ESCAPE.finditer(data):
        pieces.append(_iso_2022_jp_run(data[position : match.start()], state))
        if match[1]:
            state = match[1]
        else:
            pieces.append("\ufffd")
        position = match.end()
    pieces.append(_iso_2022_jp_run(data[position:], state))
    return "".join(pieces)


def _iso_2022_jp_run(data: bytes, state: bytes) -> str:
    match state:
        case b"$B" | b"$@":
            text = _euc_jp(data.translate(_TO_EUC))
        case b"$(D":
            text = _euc_jp(_JIS_PAIR.sub(b"\x8f\\g<0>", data).translate(_TO_EUC))
        case b"(I":
            text = data.decode("latin-1").translate(_KATAKANA)
        case b"(J":
            text = data.decode("ascii", "replace").translate(_JIS_ROMAN)
        case _:
            text = data.decode("ascii", "replace")
    return text.translate(_CONTROLS)
