"""The log: one line per event on stderr, JSON or text; never content, never secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from collections.abc import Mapping
from functools import lru_cache
from json import encoder
from typing import Any, Protocol, TextIO

# A local part in quotes, or a word; whether an @ is behind it is seen afterwards, so
# that each word is looked at once.
_WORD = re.compile(r'"(?P<quoted>[^"\n]{1,66}+)"@|(?P<word>[^\s@<>"]++)(?P<at>@?)')
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]")
_PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes in a text line
_URL = re.compile(r"(?<=://)\S+")
# What steers a terminal, turns the direction of writing, or is half a character.
_STEERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)

logger = logging.getLogger("relay")


def line(level: int, event: str, /, **fields: object) -> None:
    """Write one event; a field that is None or empty is left out."""
    if not logger.isEnabledFor(level):
        return
    # Most have a value, which is asked first: each mail has a line of twenty.
    kept = {
        key: value
        for key, value in fields.items()
        if value or (value is not None and value != "")
    }
    if logger.handlers and isinstance(lines := logger.handlers[0], Lines):
        lines.put(time.time(), level, event, kept)
    else:  # nobody has set up the log: a part of the relay in another program
        record = logging.LogRecord(logger.name, level, "", 0, event, (), None)
        record.__dict__["fields"] = kept
        logger.handle(record)


def broken(event: str, error: BaseException, /, **fields: object) -> None:
    """Log a bug: its place and class, not its text, which may quote mail."""
    where = "; ".join(
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-5:]
    )
    line(logging.ERROR, event, **fields, error=type(error).__name__, where=where)


def masked(text: str) -> str:
    """Hide all but the first character of each local part in `text`."""
    return _WORD.sub(_mask, text) if "@" in text else text


def _mask(match: re.Match[str]) -> str:
    local = match["word"]
    if local is None:
        return f'"{match["quoted"][0]}***"@'
    if not match["at"]:
        return local
    # What stands before it may belong to the sentence, such as a bracket.
    first = _LOCAL.search(local)
    start = first.start() if first else 0
    return f"{local[: start + 1]}***@"


def escaped(text: str, *, keep: str = "") -> str:
    """Write what a terminal would obey as `\\u009b`, but for what is in `keep`."""
    if text.isprintable():  # as most is, and quicker than the pattern
        return text
    return _STEERS.sub(lambda match: _escape(match[0], keep), text)


def _escape(character: str, keep: str) -> str:
    if character in keep:
        return character
    # As JSON has it, so that it means the same inside a quoted text.
    return json.dumps(character)[1:-1]


def without_logins(text: str) -> str:
    """Hide in each URL in `text` the user and password that it may hold."""
    return _URL.sub(lambda url: re.sub(r"\A.*@", "***@", url[0]), text)


class Shape(Protocol):
    """Makes one line; `at` is Unix seconds."""

    def __call__(
        self, at: float, level: str, event: str, fields: Mapping[str, object]
    ) -> str: ...


class Lines(logging.Handler):
    """Writes events to `stream`, each as one line and with one call into the system.

    Ours come by `put`, past the records and layers of logging, which each mail would
    pay for; those of libraries come by logging.
    """

    def __init__(self, stream: TextIO, shape: Shape) -> None:
        super().__init__()
        self._stream = stream
        self._shape = shape

    def put(
        self, at: float, level: int, event: str, fields: Mapping[str, object]
    ) -> None:
        """Write one event; a stream that is gone fails nobody."""
        text = self._shape(at, _LEVELS.get(level, "error"), event, fields)
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass

    def emit(self, record: logging.LogRecord) -> None:
        fields = {}
        if record.exc_info and record.exc_info[0]:  # its text may quote mail
            fields = {"error": record.exc_info[0].__name__}
        self.put(record.created, record.levelno, record.getMessage(), fields)


_LEVELS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "critical",
}


def _time(at: float) -> str:
    milliseconds = int(at * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=2)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def json_shape() -> Shape:
    """One JSON object a line: time, level, event, then the event's fields."""
    encode = _encoder()

    def shape(at: float, level: str, event: str, fields: Mapping[str, object]) -> str:
        entry = {"time": _time(at), "level": level, "event": event, **fields}
        text = "".join(encode(entry, 0))
        return f"{text if text.isascii() else escaped(text)}\n"

    return shape


# Those of sd-daemon(3): systemd takes them away again, for `journalctl -p`.
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def _with_priority(shape: Shape) -> Shape:
    def line(at: float, level: str, event: str, fields: Mapping[str, object]) -> str:
        return f"<{_PRIORITIES[level]}>{shape(at, level, event, fields)}"

    return line


def _is_journal(stream: TextIO) -> bool:
    """Tell whether what is written goes to systemd's journal (systemd.exec(5))."""
    try:
        file = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is no file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{file.st_dev}:{file.st_ino}"


def _encoder() -> Any:  # noqa: ANN401 - a function that the library has no type for
    """One encoder for all lines; the library makes its own anew for each of them.

    To make the encoder costs as much as to use it for a line.
    """
    plain = json.JSONEncoder(ensure_ascii=False, default=str)
    quoted = encoder.encode_basestring
    try:
        made = getattr(encoder, "c_make_encoder")  # noqa: B009 - it has no type
        return made(None, plain.default, quoted, None, ": ", ", ", False, False, True)
    except (AttributeError, TypeError):  # another Python than those we know
        return lambda entry, _: plain.iterencode(entry)


def text_shape(at: float, level: str, event: str, fields: Mapping[str, object]) -> str:
    """`time level event key=value …`; values with spaces are in quotes."""
    words = [_time(at), level, escaped(event)]
    for key, value in fields.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if not _PLAIN.fullmatch(text):
            text = escaped(json.dumps(text, ensure_ascii=False))
        words.append(f"{key}={text}")
    return f"{' '.join(words)}\n"


def setup(
    *,
    format: str,  # noqa: A002
    level: str,
    stream: TextIO = sys.stderr,
    for_people: Shape = text_shape,
) -> None:
    """Send the log to `stream`; `format` is json, text, or auto.

    Auto is `for_people` on a terminal, else json.
    """
    shape = text_shape
    if format == "auto" and stream.isatty():
        shape = for_people
    elif format != "text":
        shape = json_shape()
    if _is_journal(stream):
        shape = _with_priority(shape)
    lines = Lines(stream, shape)
    root = logging.getLogger()
    root.handlers = logger.handlers = [lines]
    logger.propagate = False
    # What no line of ours shows; each costs a call into the system for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # The libraries say at INFO and DEBUG what nobody may log: commands, requests.
    root.setLevel(logging.WARNING)
    for name in ("mail.log", "aiobotocore", "botocore", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logger.setLevel(level.upper())
