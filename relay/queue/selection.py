"""Which jobs of the spool are meant, as a condition of SQL."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relay.model.cause import CAUSES, LATER, NEW, UNKNOWN

# When the time of a mail began, which is its age: job_age is an index on it.
BEGAN = "coalesce(send_at, accepted_at)"
# Under any reply that begins so is this: replies are printable ASCII.
_ABOVE = "\x7f"

# What is no JSON would end the whole list.
_TO = (
    "EXISTS (SELECT 1 FROM json_each(iif(json_valid(job.recipients), job.recipients,"
    " '[]')) WHERE {})"
)
_TO_ADDRESS = _TO.format("lower(value) = :recipient")
_TO_DOMAIN = _TO.format("substr(lower(value), -length(:recipient)) = :recipient")

_ANYWHERE = (
    "id || char(10) || coalesce(sender, '') || char(10) || recipients || char(10)"
    " || usage"
)
# What a term may name -> its condition; {0} is its value's name. What is stored may be
# of any type where it was damaged, and then it is no match, and not NULL either.
_TERMS = {
    "any": f"instr(lower({_ANYWHERE}), {{0}}) > 0",
    "to": _TO.format("instr(lower(value), {0}) > 0"),
    "from": "instr(lower(coalesce(sender, '')), {0}) > 0",
    "usage": "lower(usage) = {0}",
    "account": "lower(account) = {0}",
    "priority": "priority = {0}",
    "state": "state = {0}",
    "since": "accepted_at >= {0}",
    "until": "accepted_at < {0}",
}
TERMS = tuple(_TERMS)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that must hold of a job, or must not.

    `field` is one of TERMS. A text is in lower case; a time is Unix seconds.
    """

    field: str
    value: str | int | float
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which jobs are meant; what is not given leaves none out.

    `recipient` is an address or a domain. Ages are seconds since the mail came.
    `later`: mail that is to be sent later is meant, too. `cause` is one of
    relay.model.cause.NAMES, `account` a name, "" for [ses]. `terms` must all hold.
    """

    ids: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    usage: str | None = None
    recipient: str = ""
    older_than: float | None = None
    newer_than: float | None = None
    later: bool = True
    limit: int | None = None
    cause: str = ""
    account: str | None = None
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of SQL on a row of `job`, and the values that it names."""

    text: str
    values: dict[str, Any]


def condition(
    selection: Selection, *, began: float, spool: Callable[[float], float]
) -> Condition:
    """What holds of the jobs that are meant, seen at `began` of the spool's clock.

    `spool` tells that clock's time of Unix seconds.
    """
    terms = ["1"]
    values: dict[str, Any] = {}
    if selection.ids:
        terms.append("id IN (SELECT value FROM json_each(:ids))")
        values["ids"] = json.dumps(selection.ids)
    if selection.states:
        terms.append("state IN (SELECT value FROM json_each(:states))")
        values["states"] = json.dumps(selection.states)
    if selection.usage is not None:
        terms.append("usage = :usage")
        values["usage"] = selection.usage
    if selection.recipient:
        local, _, domain = selection.recipient.lower().rpartition("@")
        terms.append(_TO_ADDRESS if local else _TO_DOMAIN)
        values["recipient"] = f"{local}@{domain}"
    if not selection.later:
        terms.append("(state <> 'queued' OR coalesce(send_at, 0) <= :began)")
        values["began"] = began
    if selection.older_than is not None:
        terms.append("accepted_at <= :older")
        values["older"] = began - selection.older_than
    if selection.newer_than is not None:
        terms.append("accepted_at >= :newer")
        values["newer"] = began - selection.newer_than
    if selection.cause:
        terms.append(f"{CAUSE} = :cause")
        values |= {"cause": selection.cause, "began": began}
    if selection.account is not None:
        terms.append("account = :account")
        values["account"] = selection.account
    for number, term in enumerate(selection.terms):
        name = f"term{number}"
        text = f"coalesce({_TERMS[term.field].format(f':{name}')}, 0)"
        terms.append(f"NOT {text}" if term.negated else text)
        moment = term.field in ("since", "until")
        values[name] = spool(float(term.value)) if moment else term.value
    return Condition(" AND ".join(terms), values)


def _cause() -> str:
    """The cause of a job as an expression; it names :began."""
    untried = f"iif(coalesce(send_at, 0) > :began, '{LATER}', '{NEW}')"
    cases = [f"WHEN reply IS NULL THEN {untried}"]
    # Compared and not cut out: of many rows that is several times as fast.
    cases += [
        f"WHEN reply >= '{start}' AND reply < '{start}{_ABOVE}' THEN '{name}'"
        for start, name in CAUSES
    ]
    return f"CASE {' '.join(cases)} ELSE '{UNKNOWN}' END"


CAUSE = _cause()
