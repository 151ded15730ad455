"""Why a mail was refused, given up, or waits: what is wrong, where, and the cure."""

from __future__ import annotations

import re
from dataclasses import replace
from shlex import quote
from typing import Any

from relay.model import replies
from relay.model.reply import Fault, Reply
from relay.observe.call import Attempt
from relay.observe.story import Entry
from relay.web import client_remedies, operator_remedies, ses_remedies
from relay.web.remedy import Circumstances, Fix, Remedy

REMEDIES = {**client_remedies.REMEDIES, **operator_remedies.REMEDIES}

_EXPIRED = "554 5.4.7 "
_NO_ACCOUNT = str(replies.no_account(""))
_CLIENTS = str(Reply(554, "3.5", ""))  # a header of the mail named it
# What the relay itself says of an attempt, before SES hears of it.
_OWN = {
    str(reply): reply.fault
    for reply in vars(replies).values()
    if isinstance(reply, Reply) and reply.fault
}
_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_VARIABLE = "x-relay-variable-"


def why(entry: Entry, about: Circumstances) -> dict[str, Any] | None:
    """What stands in a mail's story of it; None: nothing is wrong."""
    if entry.state not in ("refused", "failed", "queued", "dropped"):
        return None
    last = _last(entry)
    fault = _own_fault(entry, last)
    if fault is not None:
        found = REMEDIES[fault.kind](fault, entry, about)
    elif last is not None:
        said = ses_remedies.Said(
            last.detail,
            entry.sender or "",
            entry.recipients,
            last.reply.startswith(_CLIENTS),
        )
        found = ses_remedies.remedy(last.answer, said, about)
    else:
        return None
    if entry.state == "failed":
        again = Fix("Then try it once more", f"relay queue retry {quote(entry.id)}")
        found = replace(found, fixes=(*found.fixes, again))
    return _shown(found, entry, by="SES" if fault is None else "relay")


def _own_fault(entry: Entry, last: Attempt | None) -> Fault | None:
    """What the relay finds wrong; None: the last attempt says what is."""
    if entry.not_taken:
        return entry.answer.fault if entry.answer else None
    if last is None:
        replies_to = [call.reply for call in entry.calls.values()]
        expired = any(reply.startswith(_EXPIRED) for reply in replies_to)
        return Fault("expired") if expired else None
    if last.reply.startswith(_NO_ACCOUNT):
        return Fault("account", (last.reply.removeprefix(_NO_ACCOUNT),))
    if last.answer == "suppressed":
        return Fault("suppressed")
    return _OWN.get(last.reply)


def _last(entry: Entry) -> Attempt | None:
    """The last attempt that was in vain."""
    vain = (one for one in reversed(entry.attempts) if one.answer != "accepted")
    return next(vain, None)


def _shown(remedy: Remedy, entry: Entry, *, by: str) -> dict[str, Any]:
    """As the API says it; `wrong` are places in the story's list of headers."""
    wrong = [
        place
        for place, (name, _) in enumerate(entry.headers)
        if any(_is(name, header) for header in remedy.headers)
    ]
    names = [name for name, _ in entry.headers]
    lacks = "" if any(_is(name, remedy.lacks) for name in names) else remedy.lacks
    return {
        "by": by,
        "what": remedy.what,
        "place": remedy.place,
        "wrong": wrong,
        "lacks": lacks if names else "",
        "at": remedy.at,
        "fixes": [{"what": fix.what, "text": fix.text} for fix in remedy.fixes],
    }


def _is(name: str, wanted: str) -> bool:
    """Tell whether a field is the one that is meant; its name may be a broken one."""
    name, wanted = (text.lower().replace("_", "-") for text in (name, wanted))
    if not name.startswith(_VARIABLE):
        return name == wanted
    plain = _NAME.match(name)
    # So much of it the relay says.
    return plain is not None and plain[0][: len(_VARIABLE) + 60] == wanted
