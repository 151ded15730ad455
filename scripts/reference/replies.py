"""docs/reference/replies.md: what a client hears, and what becomes of its mail then."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

from relay.model import replies
from relay.model.outcome import Deferred, Rejected
from relay.model.reply import Refused, Reply
from relay.ses import error_table
from relay.smtp import replies as session

_HEAD = """\
# Replies

What a client hears: 2xx is done, 4xx is worth another try, 5xx is not.
`<name>` stands for what differs from mail to mail.
Why there is which reply is told in [how it works](../how-it-works.md).

<!-- Made by scripts/reference of relay/model/replies.py, relay/smtp/replies.py and relay/ses/error_table.py. -->
"""
_OF_SES = """\
## From SES' answers

Without a queue (`queue.engine = "none"`) the client hears this reply.
With one, what is tried again is answered `250 2.0.0 queued as …` after `queue.answerWithin` seconds at the latest, and what is refused is told where SES said so in time, else reported.

| reply | SES' errors | what becomes of the mail |
| --- | --- | --- |"""
_DELAYS = {
    "soon": "`queue.retryDelays`",
    "slowly": "`queue.slowDelays`",
    "unseen": "`queue.unseenDelays`",
}


def page() -> str:
    """The whole page."""
    lines = [_HEAD, "## To a mail", *_table(_of_mail())]
    lines += [
        "",
        "## To a command, a login, a connection",
        *_table(_constants(session)),
    ]
    lines += ["", _OF_SES, *_of_ses()]
    return "\n".join(lines) + "\n"


def _table(rows: Iterator[tuple[Reply, str]]) -> Iterator[str]:
    yield from (
        "",
        "| reply | what it is about, and the setting or header |",
        "| --- | --- |",
    )
    for reply, about in sorted(rows, key=lambda row: str(row[0])):
        yield f"| `{reply}` | {about} |"


def _of_mail() -> Iterator[tuple[Reply, str]]:
    yield from _constants(replies)
    for name, made in vars(replies).items():
        if inspect.isfunction(made) and made.__module__ == replies.__name__:
            if name.startswith("_") or not made.__doc__:
                continue
            reply = made(**_names(made))
            about = " ".join(made.__doc__.partition("\n\n")[0].split())
            yield (reply.reply if isinstance(reply, Refused) else reply), about


def _names(made: object) -> dict[str, object]:
    """A placeholder for each of its values."""
    kinds = inspect.signature(made).parameters  # type: ignore[arg-type] # a function
    values: dict[str, object] = {}
    for name, kind in kinds.items():
        match kind.annotation:
            case "str":
                values[name] = f"<{name.replace('_', ' ')}>"
            case "Iterable[str]":
                values[name] = [f"<{name}>"]
            case "Reply | None":
                values[name] = None
    return values


def _constants(module: ModuleType) -> Iterator[tuple[Reply, str]]:
    """Those that are always the same, and which setting or header they are about."""
    seen: set[str] = set()
    for value in vars(module).values():
        if isinstance(value, Reply) and str(value) not in seen:
            seen.add(str(value))
            names = value.fault.names if value.fault else ()
            yield value, ", ".join(f"`{name}`" for name in names)


def _of_ses() -> Iterator[str]:
    codes: dict[int, list[str]] = {}
    for code, outcome in error_table.OUTCOMES.items():
        codes.setdefault(id(outcome), []).append(f"`{code}`")
    rows = {
        f"| `{outcome.reply}` | {', '.join(codes.get(id(outcome), ()))} "
        f"| {_becomes(outcome)} |"
        for outcome in vars(error_table).values()
        if isinstance(outcome, Deferred | Rejected)
    }
    return iter(sorted(rows))


def _becomes(outcome: Deferred | Rejected) -> str:
    if isinstance(outcome, Rejected):
        return "refused for good"
    text = f"tried again after {_DELAYS[outcome.when.value]}"
    if outcome.maybe_sent:
        text += "; it may have been sent"
    if outcome.alarm:
        text += "; the log has an alarm, since somebody must act"
    return text
