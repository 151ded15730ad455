"""The log: one line per event on stderr, JSON or text; never content, never secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
import traceback
from functools import lru_cache
from typing import TextIO

_ADDRESS = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-])[^\s@<>\"]*(@[A-Za-z0-9.-]+)")
_PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes in a text line

logger = logging.getLogger("relay")

# json.dumps() makes an encoder for each call that asks for anything of its own.
_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def line(level: int, event: str, /, **fields: object) -> None:
    """Write one event; a field that is None or empty is left out."""
    if logger.isEnabledFor(level):
        # Logger.log() looks for its caller in the stack, which nobody reads here.
        record = logging.LogRecord(logger.name, level, "", 0, event, (), None)
        record.__dict__["fields"] = {
            key: value
            for key, value in fields.items()
            if value is not None and value != ""
        }
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
    return _ADDRESS.sub(r"\1***\2", text)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    if record.exc_info and record.exc_info[0]:  # a library's; its text may quote mail
        return fields | {"error": record.exc_info[0].__name__}
    return fields


def _time(record: logging.LogRecord) -> str:
    milliseconds = int(record.created * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=2)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, then the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return _encode(entry | _fields(record))


class TextFormatter(logging.Formatter):
    """`time level event key=value …`; values with spaces are in quotes."""

    def format(self, record: logging.LogRecord) -> str:
        words = [_time(record), record.levelname.lower(), record.getMessage()]
        for key, value in _fields(record).items():
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            if not _PLAIN.fullmatch(text):
                text = json.dumps(text, ensure_ascii=False)
            words.append(f"{key}={text}")
        return " ".join(words)


def setup(*, format: str, level: str, stream: TextIO = sys.stderr) -> None:  # noqa: A002
    """Send the log to `stream`; `format` is auto, json or text."""
    if format == "auto":
        format = "text" if stream.isatty() else "json"  # noqa: A001
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    # What no line of ours shows; each costs a call into the system for each line.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # The libraries say at INFO and DEBUG what nobody may log: commands, requests.
    root.setLevel(logging.WARNING)
    for name in ("mail.log", "aiobotocore", "botocore", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logger.setLevel(level.upper())
