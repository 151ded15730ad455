"""Who is owed what when a client has waited for SES; pure.

The first table of docs/queue.md, "What the waiting client hears": each of its rows
is a line here.

What is to be remembered of a mail, its key and what it counts for, is so from its 250
on, and after no other reply. What is kept has it in the same write, so that neither is
there alone. What SES took has it after that and before the reply; where it cannot be
written, the 250 goes out all the same, because it is true, and this process knows it
meanwhile. A 451 would have the client send again for certain, while a duplicate after
this 250 takes a lost reply, and a crash before the disk has room.
"""

from __future__ import annotations

from collections.abc import Sequence

from relay.model.outcome import Accepted, Deferred, Outcome, Rejected
from relay.model.replies import NOT_KEPT, ok, queued
from relay.model.reply import Reply
from relay.model.submission import MailId

# What a mail's calls came to, in their order; None: it is under way.
Outcomes = Sequence[Outcome | None]


def settled_by(outcomes: Outcomes, *, left: bool, accepted_as: str) -> Reply | None:
    """The reply after which nobody is owed anything, so that nothing is kept.

    None: what SES did not take has to be kept. `left`: nobody hears a reply.
    """
    taken = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    if len(taken) == len(outcomes):
        return ok(taken[0].message_id, accepted_as)
    refusals = [refusal_in(outcome) for outcome in outcomes]
    if None not in refusals and not left:
        return refusals[0]  # the client knows, so nobody else needs to
    return None


def refusal_in(outcome: Outcome | None) -> Reply | None:
    """The 5xx that a client hears who still waits, if there is one for it."""
    match outcome:
        case Rejected(reply) | Deferred(reply, tell=True):
            return reply
    return None


def told_of(outcomes: Outcomes, reply: Reply) -> Outcome | None:
    """The answer of SES behind `reply`; None: the reply is the queue's own."""
    first = outcomes[0]
    if len(outcomes) == 1:
        return first
    if all(isinstance(outcome, Accepted) for outcome in outcomes):
        return first
    return first if reply == refusal_in(first) else None


def when_kept(outcomes: Outcomes, mail_id: MailId) -> Reply:
    """The reply once all that SES did not take is durable."""
    match outcomes:
        case [Deferred(reply)]:
            return queued(mail_id, reply.text)
    return queued(mail_id, "")


def when_not_kept(before: Outcomes, ends: Sequence[Outcome], accepted_as: str) -> Reply:
    """The reply where what SES did not take could not be written.

    `before` is how the calls stood then, `ends` what each came to. A call that was
    under way is answered as without a queue; what had ended, and waits for another
    attempt, nobody keeps. Never a 250 that is not wholly true: the client sends all
    of it again, which is a duplicate where SES took a part.
    """
    if None not in before:
        return NOT_KEPT
    match ends:
        case [Deferred(reply)]:
            return reply
    return settled_by(ends, left=False, accepted_as=accepted_as) or NOT_KEPT
