"""Header fields with raw UTF-8, rewritten in ASCII.

Structure is kept: of addresses only names and comments become encoded words,
parameters follow RFC 2231, and a field that is ASCII already is not touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from relay.content.charset import header_text
from relay.content.encoded_words import MAX_WORD, decoded, words
from relay.content.header import Field
from relay.content.parameters import parameters

WORDS_LINE = 76  # where a line of encoded words ends, RFC 2047 section 2

_ADDRESS_FIELDS = frozenset(
    {"from", "sender", "reply-to", "to", "cc", "bcc", "disposition-notification-to"}
    | {f"resent-{name}" for name in ("from", "sender", "reply-to", "to", "cc", "bcc")}
    | {"errors-to", "return-receipt-to"}
)
_PARAMETER_FIELDS = frozenset({"content-type", "content-disposition"})
_QUOTED_PAIR = re.compile(r"\\(.)")
# What a mailbox list is made of, but for comments and quoted strings: white space,
# addresses in brackets, the characters with a meaning, and all else.
_ADDRESS_TOKEN = re.compile(r'\s+|<[^<>]*+>|[,:;]|[^\s,:;"(<]+|.', re.DOTALL)
# The same once no quote closes any more.
_TOKEN_WITH_QUOTES = re.compile(r"\s+|<[^<>]*+>|[,:;]|[^\s,:;(<]+|.", re.DOTALL)
_QUOTED_STRING = re.compile(r'"(?>(?:[^"\\]++|\\.)*)"', re.DOTALL)
_IN_COMMENT = re.compile(r"[()]|\\.", re.DOTALL)
_GROUP, _SEPARATORS = ":", ",;"


def ascii_field(field: Field, charset: str | None = None) -> Field:
    """The field with its raw UTF-8 encoded, structure kept; any other as it is.

    With a `charset`, that of the mail's body, "" where it has none, what is no UTF-8
    is encoded, too.
    """
    if field.raw.isascii() or not field.name:
        return field
    raw_value = field.raw.partition(b":")[2]
    try:
        text = raw_value.decode("utf-8")
    except UnicodeDecodeError:
        if charset is None:
            return field
        text = header_text(raw_value, charset)
    value = text.replace("\r\n", "").strip(" \t")
    end = "\r\n" if field.raw.endswith(b"\r\n") else ""
    head = field.raw.partition(b":")[0].strip().decode("latin-1")
    room = max(WORDS_LINE - len(head) - 2, 40)  # beside the name, on the first line
    if field.key in _ADDRESS_FIELDS:
        tokens = _addresses(value, room)
    elif field.key in _PARAMETER_FIELDS:
        tokens = _parameters(value)
    else:
        tokens = _text(value, room)
    line = _folded(f"{head}:", [" ", *tokens]) + end
    return Field(field.name, line.encode())


def _text(value: str, room: int) -> list[str]:
    """Unstructured text: runs of words that are not ASCII become encoded words."""
    pieces = re.split(r"([ \t]+)", value)
    tokens: list[str] = []
    run: list[str] = []  # words and the white space between them
    encoded_before = False
    for index in range(0, len(pieces), 2):
        space = pieces[index - 1] if index else ""
        word = pieces[index]
        if not word.isascii():
            if not run and encoded_before:
                # Between two encoded words a receiver drops the white space.
                tokens.append(" ")
                run = [space]
            elif run:
                run.append(space)
            elif space:
                tokens.append(space)
            run.append(word)
            continue
        if run:
            tokens += _spaced("".join(run), MAX_WORD if tokens else room)
            run = []
            if word.startswith("=?") and word.endswith("?="):
                # The same on this side: the space goes into a word of its own.
                tokens += [" ", *_spaced(space)]
                space = " "
        if space:
            tokens.append(space)
        tokens.append(word)
        encoded_before = word.startswith("=?") and word.endswith("?=")
    return tokens + _spaced("".join(run), MAX_WORD if tokens else room)


def _addresses(value: str, room: int) -> list[str]:
    """Mailbox lists: phrases before `<` and `:`, and comments, become words."""
    tokens: list[str] = []
    phrase: list[str] = []

    def end_phrase(encode: bool) -> None:
        text = "".join(phrase)
        if encode and not text.isascii():
            stripped = text.lstrip()
            if stripped != text or (tokens and tokens[-1] not in ",;:"):
                tokens.append(" ")
            plain = "".join(
                _QUOTED_PAIR.sub(r"\1", token[1:-1])
                if len(token) > 1 and token.startswith('"')
                else token
                for token in phrase
            )
            first = MAX_WORD if tokens else room
            tokens.extend([*_spaced(decoded(plain).strip(" \t"), first), " "])
        else:
            tokens.extend(phrase)
        phrase.clear()

    for token in _address_tokens(value):
        if token.startswith("<") and len(token) > 1:
            end_phrase(True)
            tokens.append(token)
        elif token == _GROUP:
            end_phrase(True)
            if tokens and tokens[-1] == " ":
                tokens.pop()
            tokens.append(token)
        elif token in _SEPARATORS:
            # An address alone is no phrase: its bytes have no encoding.
            end_phrase(not any("@" in piece for piece in phrase))
            tokens.append(token)
        elif token.startswith("(") and token.endswith(")"):
            if token.isascii():
                phrase.append(token)
                continue
            end_phrase(not any("@" in piece for piece in phrase))
            inner = decoded(_QUOTED_PAIR.sub(r"\1", token[1:-1]))
            made = _spaced(inner)
            made[0] = "(" + made[0]
            made[-1] += ")"
            tokens.extend(made)
        else:
            phrase.append(token)
    end_phrase(not any("@" in piece for piece in phrase))
    return tokens


def _address_tokens(value: str) -> Iterator[str]:
    """Each character once, and in time that grows as the text does.

    A quote or a parenthesis that never closes is a character like any other.
    """
    quotes = True
    ends: dict[int, int] | None = None
    position = 0
    token = _ADDRESS_TOKEN
    while position < len(value):
        end = 0
        match value[position]:
            case '"' if quotes:
                if string := _QUOTED_STRING.match(value, position):
                    end = string.end()
                else:
                    quotes = False  # those that follow are escaped, or none close
                    token = _TOKEN_WITH_QUOTES
            case "(":
                if ends is None:
                    ends = _comments(value, position)
                end = ends.get(position, 0)
        if not end:
            found = token.match(value, position)
            end = found.end() if found else position + 1
        yield value[position:end]
        position = end


def _comments(value: str, start: int) -> dict[int, int]:
    """Where each parenthesis closes, of those that do; comments nest."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for match in _IN_COMMENT.finditer(value, start):
        if match[0] == "(":
            opened.append(match.start())
        elif match[0] == ")" and opened:
            ends[opened.pop()] = match.end()
    return ends


def _spaced(text: str, first: int = MAX_WORD) -> list[str]:
    """The words of `text` as tokens, with the spaces that stand between them."""
    tokens: list[str] = []
    for word in words(text, first):
        tokens += ([" "] if tokens else []) + [word]
    return tokens


def _parameters(value: str) -> list[str]:
    """A value with parameters: those that are not ASCII as RFC 2231 says."""
    found = list(parameters(value))
    given = {parameter.name.lower() for parameter in found}
    written = sum(len("".join(parameter)) for parameter in found)
    tokens = [value[: len(value) - written]]
    for parameter in found:
        name = parameter.name
        if parameter.given.isascii() or not (name and name.isascii()):
            lead = parameter.lead
            blanks = lead[len(lead.rstrip()) :]
            tokens += [lead[: len(lead) - len(blanks)], blanks]
            tokens.append(f"{name}{parameter.equals}{parameter.given}")
            continue
        if {f"{name}*".lower(), f"{name}*0*".lower()} & given:
            continue  # it is there in the form for such characters
        encoded = quote(decoded(parameter.text), safe="!#$&+-.^_`{}~")
        pieces = _percent_pieces(
            encoded, WORDS_LINE - len(name) - len("*00*=utf-8'';") - 1
        )
        if len(pieces) == 1:
            tokens += [";", " ", f"{name}*=utf-8''{pieces[0]}"]
            continue
        for number, piece in enumerate(pieces):
            charset = "utf-8''" if number == 0 else ""
            tokens += [";", " ", f"{name}*{number}*={charset}{piece}"]
    return tokens


def _percent_pieces(encoded: str, room: int) -> list[str]:
    """Cut without cutting a percent sequence."""
    pieces: list[str] = []
    room = max(room, 12)
    start = 0
    while len(encoded) - start > room:
        cut = start + room
        if "%" in encoded[cut - 2 : cut]:
            cut = encoded.rindex("%", start, cut)
        pieces.append(encoded[start:cut])
        start = cut
    return [*pieces, encoded[start:]]


def _folded(head: str, tokens: list[str]) -> str:
    """Join the tokens; a line that would be too long ends before white space."""
    lines: list[str] = []
    line = [head]
    size = len(head)
    space = ""
    unit: list[str] = []

    def put() -> None:
        nonlocal line, size
        length = len(space) + sum(map(len, unit))
        if space and size + length > WORDS_LINE and len(line) > 1:
            lines.append("".join(line))
            line, size = [], 0
        line += [space, *unit]
        size += length

    for token in tokens:
        if token and not token.strip(" \t"):
            if unit:
                put()
                space, unit = token, []
            else:
                space += token
        elif token:
            unit.append(token)
    if unit:
        put()
    return "\r\n".join([*lines, "".join(line)])
