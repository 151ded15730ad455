"""The log as a person at a terminal reads it: an event a line, aligned, in colour.

Elsewhere, and with `log.format` set, the log is for programs (`relay.log`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from relay import log

_EVENT, _WHO, _USAGE, _MS = 12, 28, 16, 8  # columns
_DIM, _RED, _GREEN, _YELLOW, _BOLD = "2", "31", "32", "33", "1"
_LEVELS = {"warning": _YELLOW, "error": _RED, "critical": _RED}
_TAKEN = frozenset({"sent", "captured"})
# Fields of a mail's line that have their column, or say nothing to a person.
_PLACED = frozenset(
    (
        *("id", "listener", "peer", "sender", "recipients", "messageId", "subject"),
        *("usage", "template", "locale", "size", "attempts", "ms", "reply"),
        *("detail", "warnings", "maybeSent"),
    )
)
# Fields whose text says all by itself.
_PLAIN = ("warning", "detail", "reason", "reply")


class TerminalLines:
    """A shape of log lines; `told`: captured mail is shown by somebody else."""

    def __init__(self, *, colour: bool, told: bool) -> None:
        self._colour = colour
        self._told = told

    def __call__(
        self, at: float, level: str, event: str, fields: Mapping[str, object]
    ) -> str:
        if "recipients" in fields:
            return self._mail(at, level, event, fields)
        if event == "listening":
            return self._listening(at, level, fields)
        if event == "ready":
            return self._line(at, level, event, _ready(fields))
        if event == "stopping":
            text = f"waits up to {fields.get('grace')} s for mail in hand"
            return self._line(at, level, event, text)
        return self._line(at, level, event, _rest(fields))

    def _listening(self, at: float, level: str, fields: Mapping[str, object]) -> str:
        listener, address = fields.get("listener"), fields.get("address", "")
        if listener in ("web", "health"):
            name = "page" if listener == "web" else "probes"
            return self._line(at, level, name, self._link(f"http://{address}"))
        text = log.escaped(f"smtp://{address}  ({listener})")
        return self._line(at, level, "listening", text)

    def captured(self, mail_id: str, fields: Mapping[str, object]) -> str:
        """The line of a captured mail, with its subject."""
        return self._of_mail(time.time(), "info", "captured", {"id": mail_id, **fields})

    def _mail(
        self, at: float, level: str, event: str, fields: Mapping[str, object]
    ) -> str:
        warnings = _texts(fields.get("warnings"))
        lines = [self._line(at, "warning", "", log.escaped(text)) for text in warnings]
        if not (event == "captured" and self._told):
            lines.insert(0, self._of_mail(at, level, event, fields))
        return "".join(lines)

    def _of_mail(
        self, at: float, level: str, event: str, fields: Mapping[str, object]
    ) -> str:
        recipients = _texts(fields["recipients"])
        usage = str(fields.get("usage", "-"))
        template = fields.get("template", usage)
        if template != usage:
            usage = f"{usage} > {template}"
        ms = f"{fields['ms']:g} ms" if isinstance(fields.get("ms"), float) else ""
        if event not in _TAKEN:
            said = log.escaped(str(fields.get("reply", "")))
        elif "subject" in fields:
            said = log.escaped(str(fields["subject"]))
        else:
            said = self._paint(log.escaped(str(fields.get("messageId", ""))), _DIM)
        rest = {key: value for key, value in fields.items() if key not in _PLACED}
        texts = [
            _column(_who(recipients), _WHO),
            _column(usage, _USAGE),
            _column(ms, _MS),
            said,
        ]
        if fields.get("detail"):
            texts.append(self._paint(log.escaped(f"({fields['detail']})"), _DIM))
        if fields.get("maybeSent"):
            texts.append("(may have been sent)")
        if rest:
            texts.append(self._paint(_rest(rest), _DIM))
        if event not in _TAKEN and "id" in fields:
            texts.append(self._paint(log.escaped(str(fields["id"])), _DIM))
        return self._line(at, level, event, " ".join(texts).rstrip())

    def _line(self, at: float, level: str, event: str, text: str) -> str:
        clock = self._paint(time.strftime("%H:%M:%S", time.localtime(at)), _DIM)
        colour = _LEVELS.get(level, _GREEN if event in _TAKEN else _BOLD)
        name = self._paint(_column(event, _EVENT), colour)
        return f"{clock}  {name} {text}\n"

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and text else text

    def _link(self, address: str) -> str:
        """The address, for a terminal that can to open with a click (OSC 8)."""
        address = log.escaped(address)
        if not self._colour:
            return address
        return f"\x1b]8;;{address}\x1b\\{address}\x1b]8;;\x1b\\"


def colours(stream: TextIO) -> bool:
    """Whether the stream is a terminal that wants them (no-color.org)."""
    return (
        stream.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "dumb") != "dumb"
    )


def _ready(fields: Mapping[str, object]) -> str:
    usages = fields.get("usages")
    count = len(usages) if isinstance(usages, list) else 0
    goes = "captures, sends nothing" if fields.get("transport") == "capture" else "SES"
    queue = f"queue {fields.get('queue', 'none')}"
    named = f"{count} usage{'' if count == 1 else 's'} with templates"
    return f"{goes}; {queue}; {named}"


def _texts(value: object) -> list[str]:
    """What a field lists."""
    return [str(one) for one in value] if isinstance(value, list | tuple) else []


def _who(recipients: Sequence[str]) -> str:
    if not recipients:
        return "-"
    first, more = recipients[0], len(recipients) - 1
    if not more:
        return first
    return f"{_cut(first, _WHO - 2 - len(str(more)))} +{more}"


def _rest(fields: Mapping[str, object]) -> str:
    """`key=value …`; what says all by itself goes without its key."""
    words = []
    for key, value in fields.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(text if key in _PLAIN else f"{key}={text}")
    return log.escaped("  ".join(words))


def _column(text: str, width: int) -> str:
    return _cut(log.escaped(text), width).ljust(width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
