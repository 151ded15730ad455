"""The log: one line per event on stderr, JSON or text; never content, never secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

_ADDRESS = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-])[^\s@<>\"]*(@[A-Za-z0-9.-]+)")
_PLAIN = re.compile(r"[!#-<>-~]+")  # needs no quotes in a text line

logger = logging.getLogger("relay")


def line(level: int, event: str, /, **fields: object) -> None:
    """Write one event; a field that is None or empty is left out."""
    if logger.isEnabledFor(level):
        shown = {key: value for key, value in fields.items() if value not in (None, "")}
        logger.log(level, event, extra={"fields": shown})


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
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, then the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        return json.dumps(entry | _fields(record), ensure_ascii=False, default=str)


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
    # The libraries say at INFO and DEBUG what nobody may log: commands, requests.
    root.setLevel(logging.WARNING)
    for name in ("mail.log", "aiobotocore", "botocore", "aiohttp.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logger.setLevel(level.upper())
