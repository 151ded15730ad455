"""How things stand, in sentences: what is wrong, and what cures it; pure.

By the figures of the last minute and the state of this moment. What an answer of SES
says of single settings stands in `/api/v1/status`; here it is how much of the mail it
concerns, and what becomes of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from relay.observe.ring import Point
from relay.observe.stats import GROUPS, AccountNow, Now

OLD = 60.0  # seconds that mail waits until that is worth a word
SLOW = 5.0  # seconds of the 95th percentile until that is
NEARLY = 0.8  # of the daily quota
MANY = 0.05  # of the mails: what is wrong with less is their senders' own affair

_ONLINE = "`relay check --online` asks SES and names what is wrong."
# The class of an answer -> what to do. Where there is no other word, the log has it.
CURES: Mapping[str, str] = {
    "throttled": (
        "The relay slows down by itself, and what it does not send at once waits. If "
        "this lasts, other senders use the account's rate too: lower pace.share, or "
        "ask AWS for a higher sending rate (Service Quotas, Amazon SES)."
    ),
    "quota": (
        "Waiting mail goes as the mail of 24 hours ago stops counting; the relay looks "
        "by itself. For more, ask AWS for a higher daily quota (Service Quotas, Amazon "
        "SES)."
    ),
    "paused": (
        "Somebody, or an alarm, paused sending: SES console, Account dashboard, or the "
        "configuration set. The relay looks by itself whether it goes on."
    ),
    "suspended": (
        "AWS stopped this account; why it wrote to the account's address. SES console, "
        "Account dashboard has the case to answer."
    ),
    "not_verified": (
        "Verify the sender's address or domain in this region (SES console, "
        "Identities). In the sandbox each recipient needs it, too."
    ),
    "access_denied": (
        "The relay's role or user may not send. The log, and the notice above, have "
        "the policy that grants it."
    ),
    "mail_from": (
        "The identity's own MAIL FROM domain has no right MX record: repair it, or let "
        "the identity use the default on failure."
    ),
    "not_found": (
        "A configuration set, tenant or contact list that is named in the settings, a "
        "rule or a mail is not in this account and region."
    ),
    "credentials": f"Renew the keys, and look at this machine's clock. {_ONLINE}",
    "unreachable": (
        "Look at the way out: DNS, port 443, proxy, ses.endpointUrl, VPC endpoint. "
        f"{_ONLINE}"
    ),
    "tls": f"Look at this machine's clock, its CA certificates, a proxy. {_ONLINE}",
    "no_answer": (
        "SES, or what is between, answers too late. Such mail is tried again much "
        "later, since it may have been sent."
    ),
    "service_failure": (
        "SES has trouble of its own: the AWS Health Dashboard says how long. The relay "
        "tries again by itself."
    ),
    "unknown": "The relay does not know this error of SES: the log has its words.",
}
_OF_MAILS = "Each mail's story has SES' own words."
_OF_RELAY = "Each mail's story says why."
_WAITING = "The view Queue says of each why it waits, and until when."
_SEE_FAILED, _SEE_REFUSED = "/mails?state=failed", "/mails?state=refused"
_SEE_WAITING = "/queue"


class Sentence(NamedTuple):
    """One of them; `level` says how bad it is."""

    level: Literal["good", "wait", "bad"]
    text: str
    cure: str = ""
    see: str = ""  # the view that shows the mails


def verdict(now: Now, recent: Point, *, captures: bool) -> list[Sentence]:
    """All sentences, the worst first; at least one."""
    of_ses = [] if captures else [*_of_accounts(now), *_of_answers(recent)]
    found = [*of_ses, *_of_relay(recent), *_of_time(recent)]
    if not of_ses and now.oldest is not None and now.oldest > OLD:
        found.append(Sentence("wait", f"{_waiting(now)}.", _WAITING, _SEE_WAITING))
    found.sort(key=lambda one: one.level != "bad")
    return found or [Sentence("good", _calm(recent, captures=captures))]


def _of_accounts(now: Now) -> Iterator[Sentence]:
    """What holds all mail of an account up, or soon will."""
    whole = AccountNow(
        "", paused=now.paused, quota=now.quota, quota_used=now.quota_used
    )
    for one in now.accounts or (whole,):
        of = f" by account {one.account}" if one.account else ""
        if one.paused:
            goes = f"; its mail goes by {one.fallback}" if one.fallback else ""
            waits = f"; {_waiting(now)}" if now.waiting else ""
            see = _SEE_WAITING if now.waiting else ""
            text = f"Sending{of} is paused: {one.paused}{goes}{waits}."
            yield Sentence("bad", text, CURES[_why_paused(one.paused)], see)
        elif one.quota and (one.quota_used or 0) >= NEARLY * one.quota:
            used, most = int(one.quota_used or 0), int(one.quota)
            yield Sentence(
                "wait",
                f"{used / most:.0%} of SES' daily quota{of} is used: {used} of {most} "
                "recipients in 24 hours.",
                CURES["quota"],
            )


def _why_paused(reason: str) -> str:
    said = reason.lower()
    if "quota" in said:
        return "quota"
    if "suspended" in said:
        return "suspended"
    if "tls" in said:
        return "tls"
    return "paused" if "paused" in said else "unreachable"


def _of_answers(recent: Point) -> Iterator[Sentence]:
    """What SES did not take."""
    answers = recent.answers
    calls, taken = sum(answers.values()), answers.get("accepted", 0)
    for group, said in (
        ("account", "SES refused {of} for the account or its sender"),
        ("unreachable", "SES could not be reached, or failed, for {of}"),
        ("throttled", "SES throttled {of}"),
        ("mail", "SES refused {of} for what is in the mail"),
    ):
        here = {word: answers[word] for word in GROUPS[group] if word in answers}
        if not here:
            continue
        count = sum(here.values())
        if group == "mail" and count < MANY * calls:
            continue
        most = max(here, key=lambda word: here[word])
        text = said.format(of=f"{_part(count, calls, 'call')} of {_span(recent)}")
        if group in ("account", "unreachable"):
            words = sorted(here, key=lambda word: -here[word])
            text += f" ({', '.join(word.replace('_', ' ') for word in words)})"
        bad = group in ("account", "unreachable") and not taken
        level: Literal["wait", "bad"] = "bad" if bad else "wait"
        if group == "mail":
            yield Sentence(level, f"{text}.", _OF_MAILS, _SEE_FAILED)
        else:
            yield Sentence(level, f"{text}.", CURES[most])


def _of_relay(recent: Point) -> Iterator[Sentence]:
    """What the relay itself did not take."""
    count, whole = recent.counts.get("refused", 0), sum(recent.counts.values())
    if count and count >= MANY * whole:
        mails = _part(count, whole, "mail")
        text = f"The relay itself refused {mails} of {_span(recent)}."
        yield Sentence("wait", text, _OF_RELAY, _SEE_REFUSED)


def _of_time(recent: Point) -> Iterator[Sentence]:
    slow = recent.percentile(0.95)
    if slow is not None and slow > SLOW:
        text = f"One client of 20 waits {_age(slow)} or longer for its answer."
        cure = "Time to the answer says since when; a mail's story, which call took it."
        yield Sentence("wait", text, cure)


def _calm(recent: Point, *, captures: bool) -> str:
    count = sum(recent.counts.values())
    if not recent.seconds:
        return "The first figures come within five seconds."
    if not count:
        return "All is well. No mail comes at the moment."
    mails = f"{count} {'mail' if count == 1 else 'mails'} in {_span(recent)}"
    if captures:
        return f"All is well. {mails}, kept here and sent nowhere."
    calls, taken = sum(recent.answers.values()), recent.answers.get("accepted", 0)
    took = "all calls" if taken == calls else f"{taken} of {calls} calls"
    return f"All is well. {mails}; SES took {took}."


def _span(recent: Point) -> str:
    seconds = round(recent.seconds)
    if seconds <= 90:
        return "the last minute"
    return f"the last {round(seconds / 60)} minutes"


def _part(count: int, whole: int, what: str) -> str:
    if count < whole:
        return f"{count} of {whole} {what}s"
    return f"the one {what}" if count == 1 else f"all {count} {what}s"


def _waiting(now: Now) -> str:
    mails = f"{now.waiting} {'mail waits' if now.waiting == 1 else 'mails wait'}"
    return (
        mails if now.oldest is None else f"{mails}, the oldest for {_age(now.oldest)}"
    )


def _age(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
