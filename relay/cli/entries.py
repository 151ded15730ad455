"""Jobs of the spool as `relay queue` shows them to people: a table, one in full.

Never content, never a variable. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

import shutil

from relay.cli import duration
from relay.model.job import (
    Failed,
    Queued,
    Sending,
    Sent,
    Superseded,
)
from relay.queue.listing import ListedJob
from relay.queue.shown import Unix, iso, last_reply, name

STATES = ("queued", "sending", "sent", "failed", "superseded")
NARROW = 80


class Table:
    """Lines of one job each, as wide as the terminal (80 columns off one)."""

    def __init__(self) -> None:
        width = max(shutil.get_terminal_size((NARROW, 24)).columns, NARROW)
        spare = width - NARROW
        self._usage = 13 + min(spare // 4, 13)
        self._to = 25 + min(spare // 2, 25)
        self._last = width - 42 - self._usage - self._to - 1
        if self._last < 20:
            self._to += max(self._last + 1, 0)
            self._last = 0

    def head(self) -> str:
        return self._line("ID", "STATE", "AGE", "DUE", "TRY", "USAGE", "TO", "LAST")

    def line(self, entry: ListedJob, now: float) -> str:
        """One job; a * behind its state: it may have been sent."""
        job, state = entry.job, entry.job.state
        first, *more = job.mail.envelope.recipients
        to = _cut(first, self._to - 5) + f" +{len(more)}" if more else first
        due = "-"
        if isinstance(state, Queued):
            due = duration.short(state.due - now) if state.due > now else "now"
        return self._line(
            job.id,
            name(state) + "*" * entry.maybe_sent,
            duration.short(now - job.accepted_at),
            due,
            str(state.attempts),
            job.mail.choice.usage or "-",
            to,
            last_reply(entry) or "-",
        )

    def _line(self, *cells: str) -> str:
        widths = (14, 11, 4, 4, 3, self._usage, self._to, self._last)
        right = (False, False, True, True, True, False, False, False)
        shown = [
            _cut(cell, width).rjust(width)
            if to_right
            else _cut(cell, width).ljust(width)
            for cell, width, to_right in zip(cells, widths, right, strict=True)
            if width
        ]
        return " ".join(shown).rstrip()


def in_full(entry: ListedJob, unix: Unix, now: float) -> str:
    """All that is known of one job, a line each."""
    job, state, choice = entry.job, entry.job.state, entry.job.mail.choice
    facts = [
        ("state", name(state)),
        (
            "may have been sent",
            ("again" if isinstance(state, Sent) else "yes") * entry.maybe_sent,
        ),
        ("call", str(job.number + 1) if job.number else ""),
        ("accepted", _when(job.accepted_at, unix, now)),
        ("due", _when(state.due, unix, now) if isinstance(state, Queued) else ""),
        ("send at", "" if job.send_at is None else _when(job.send_at, unix, now)),
        *_ends(entry, unix, now),
        ("attempts", str(state.attempts)),
        ("last reply", last_reply(entry) or ""),
        ("message id", state.message_id if isinstance(state, Sent) else ""),
        ("sender", job.mail.envelope.sender or "<>"),
        *(("recipient", recipient) for recipient in job.mail.envelope.recipients),
        ("size", f"{entry.size} bytes"),
        ("report", "yes, about mail that failed" if job.report else ""),
        ("usage", choice.usage),
        ("template", choice.template),
        ("locale", choice.locale),
        ("valid for", f"{choice.valid_for:g} s" if choice.valid_for else ""),
        ("supersedes", "yes" if choice.supersedes else ""),
        ("rule", choice.rule),
        ("priority", choice.priority.name.lower()),
        *_options(entry),
    ]
    lines = [str(job.id)]
    lines += [f"  {fact + ':':20}{_clean(text)}" for fact, text in facts if text]
    return "\n".join(lines)


def _ends(entry: ListedJob, unix: Unix, now: float) -> list[tuple[str, str]]:
    state = entry.job.state
    match state:
        case Queued() | Sending():
            return [("given up at", _when(entry.job.expires_at, unix, now))]
        case Sent() | Failed() | Superseded():
            return [("ended", _when(state.at, unix, now))]


def _options(entry: ListedJob) -> list[tuple[str, str]]:
    found = []
    options = entry.job.mail.options
    for option, value in options._asdict().items():
        if not value:
            continue
        if option == "tags":
            text = ", ".join(f"{tag}={said}" for tag, said in value)
        elif option == "list_management":
            text = " ".join(filter(None, (value.contact_list, value.topic)))
        elif value is True:
            text = "yes"
        else:
            text = str(value)
        found.append((option.replace("_", " "), text))
    return found


def _when(at: float, unix: Unix, now: float) -> str:
    span = duration.short(abs(at - now))
    return f"{iso(unix(at))} ({f'in {span}' if at > now else f'{span} ago'})"


def _cut(text: str, width: int) -> str:
    text = _clean(text)
    return text if len(text) <= width else f"{text[: max(width - 1, 0)]}~"


def _clean(text: str) -> str:
    """A client's words must not steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
