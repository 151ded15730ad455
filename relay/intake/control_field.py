"""One control header's text: unfolded, mended where a mail server broke it, bounded."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from relay.content.header import Field
from relay.content.json_value import json_value
from relay.model.replies import bad_header

MAX_USAGE = 256  # characters; it is remembered after the mail's end

# Where Postfix and mutt end a line in the middle of a word, and go on after one space;
# from where on Sendmail does so, with its mark before the line end.
_TORN_AT = 998
_MARKED_FROM = 980
_MARK = b"!"
# A field that white space before it makes a part of the one above.
INDENTED_CONTROL = re.compile(
    rb"(?i)\r\n[ \t]++x-(?:(?:relay|ses|mc|mailgun|pm)-|smtpapi)"
)
INDENTED_FIELD = re.compile(rb"\r\n[ \t]++[!-9;-~]++[ \t]*+:")


def value_of(field: Field, header: str, no_line: re.Pattern[bytes]) -> str:
    """The body of a control field, unfolded. Raises Refused, naming `header`.

    A field that is indented below it would else go where this one goes: into
    replies and the log, with the code that it holds.
    """
    if b"\r\n" not in field.raw[:-2]:
        return field.value  # one line, as nearly always
    field = _mended(field, header)
    if INDENTED_CONTROL.search(field.raw) or no_line.search(field.raw):
        raise bad_header(
            header, "the line below it is indented, and looks like a header"
        )
    return field.value


def has_colon(field: Field) -> bool:
    """Without a colon it is no field: it is removed, and says nothing."""
    return field.raw.find(b":") >= 0


def bounded(text: str, header: str, most: int) -> str:
    """The text itself. Raises Refused where it is longer than `most` characters."""
    if len(text) > most:
        raise bad_header(header, f"longer than {most} characters")
    return text


def json_object(text: str, header: str) -> dict[str, Any]:
    """What JSON in a header says. Raises Refused, naming `header` and not its text."""
    try:
        value = json_value(text)
    except RecursionError:
        raise bad_header(header, "JSON that is nested too deeply") from None
    except json.JSONDecodeError as error:  # its text may quote the value
        at = error.pos + 1
        raise bad_header(header, f"not valid JSON at character {at}", at=at) from None
    except ValueError:
        raise bad_header(header, "not valid JSON") from None
    if not isinstance(value, dict):
        raise bad_header(header, "not a JSON object")
    return value


def _mended(field: Field, header: str) -> Field:
    """The field without the line ends that a mail server put into its words."""
    if len(field.raw) <= _MARKED_FROM:
        return field
    lines = field.raw.split(b"\r\n")
    pieces = lines[:1]
    for before, line in pairwise(lines):
        if len(before) == _TORN_AT and line.startswith(b" "):
            pieces.append(line[1:])
        elif len(before) >= _MARKED_FROM and before.endswith(_MARK) and line:
            # "!" may be the text's own: what stood there cannot be known.
            raise bad_header(
                header,
                "a mail server on the way broke its long line; send shorter ones",
            )
        else:
            pieces.append(b"\r\n" + line)
    return Field(field.name, b"".join(pieces))
