"""What the clients were told against what SES took: the proof, and its table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.crash.clients import SENDER, Try
from tests.crash.weather import FAULTS, Call

# Seconds in which the relay has certainly written how an answered attempt ended.
RECORDED = 2.0


@dataclass
class Verdict:
    """Faults found, and figures of the run."""

    faults: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)

    def table(self) -> str:
        """A summary for people."""
        rows = [*self.figures.items()]
        rows += [("duplicates", sum(self.duplicates.values()))]
        rows += [
            (f"  {cause}", count) for cause, count in sorted(self.duplicates.items())
        ]
        rows += [("FAULTS" if self.faults else "faults", len(self.faults))]
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {count:>8}" for name, count in rows]
        return "\n".join([*lines, *self.faults[:20]])


def judge(
    tries: Sequence[Try],
    calls: Sequence[Call],
    killed: Mapping[int, float],
    cause: Callable[[Call, Call], str] | None = None,
    *,
    shared: bool = False,
) -> Verdict:
    """Compare; `killed` says when which life of the relay was ended by SIGKILL.

    `cause` says why a mail that SES took in one call was in another, "" for no reason.
    `shared`: of a queue whose writes may have had their effect without an answer, so
    that mail may be sent of which a client heard that it is to come again.
    """
    verdict = Verdict()
    of_mail: dict[int, list[Call]] = defaultdict(list)
    reported = set()
    for call in calls:
        if not call.report:
            of_mail[call.mail].append(call)
        elif call.took and call.recipients == (SENDER,):
            reported.add(call.mail)
    for one in tries:
        verdict.figures[_said(one)] += 1
        its = of_mail.pop(one.mail, [])
        _mail(one, its, one.mail in reported, verdict, shared=shared)
    for number in of_mail:
        verdict.faults.append(f"mail {number}: SES got what no client ended")
    for call in calls:
        verdict.figures[f"SES: {call.fault}"] += 1
    _duplicates(calls, cause or partial(_cause, killed=killed), verdict)
    verdict.figures = Counter(dict(sorted(verdict.figures.items())))
    return verdict


def _said(one: Try) -> str:
    if one.code == 250:
        return f"250 {one.text.split()[1]}"
    return str(one.code) if one.code else "no reply"


def _mail(
    one: Try, calls: Sequence[Call], reported: bool, verdict: Verdict, *, shared: bool
) -> None:
    where = f"mail {one.mail} ({one.code} {one.text})"
    took = {address for call in calls if call.took for address in call.recipients}
    final = {
        address
        for call in calls
        if FAULTS[call.fault].final
        for address in call.recipients
    }
    digests = {call.digest for call in calls}
    if calls and digests != {one.digest or calls[0].digest}:
        verdict.faults.append(f"{where}: other bytes than the client's")
    if not (took | final) <= set(one.recipients):
        verdict.faults.append(f"{where}: other recipients than the client's")
    if one.code == 250:
        lost = set(one.recipients) - took - final
        if lost:
            verdict.faults.append(f"{where}: lost for {sorted(lost)[:3]}")
        if set(one.recipients) - took and not reported:
            verdict.faults.append(f"{where}: failed without a report")
        if " Ok " in f" {one.text}" and set(one.recipients) - took:
            verdict.faults.append(f"{where}: a false Ok")
    elif shared and 400 <= one.code < 500 and took:
        verdict.figures[f"{one.code}, and sent all the same"] += 1
    elif one.code and took:
        verdict.faults.append(f"{where}: refused, but SES took it")


def _duplicates(
    calls: Sequence[Call], cause_of: Callable[[Call, Call], str], verdict: Verdict
) -> None:
    before: dict[tuple[object, ...], Call] = {}
    for call in calls:
        if not call.took:
            continue
        # A mail of several calls may fail with several reports to its one sender.
        key = call.mail, call.recipients, call.digest if call.report else b""
        first = before.get(key)
        before[key] = call
        if first is None:
            continue
        cause = cause_of(first, call)
        if cause:
            verdict.duplicates[cause] += 1
        else:
            verdict.faults.append(
                f"mail {call.mail}: sent twice, without a cause: {first} {call}"
            )


def _cause(first: Call, again: Call, killed: Mapping[int, float]) -> str:
    """Why nobody could know that `first` had been taken; empty: somebody could."""
    if not FAULTS[first.fault].seen:
        return first.fault
    end = killed.get(first.life)
    if first.life != again.life and end is not None:
        answered = first.at + FAULTS[first.fault].answer.seconds
        if answered > end - RECORDED:
            return "killed before the end was written"
    return ""
