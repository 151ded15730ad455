"""What is told of an event: a word, and facts without content, codes or subjects.

Pure. Who may not see addresses gets none, nor texts of others that may hold some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from relay.model.cause import UNKNOWN, reply_class
from relay.model.feedback import Feedback, Kind
from relay.model.job import Failed, Queued, Sent, Superseded
from relay.model.mail import DEFAULT, Mail
from relay.model.outcome import Accepted
from relay.model.reply import Reply
from relay.model.submission import Submission
from relay.observe.call import taken_as
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    FedBack,
    NotTaken,
    Overtaken,
    Settled,
)

MOST_RECIPIENTS = 50  # that are named; a call has no more
MOST_SAID = 500  # characters of what the other side said

# What SES says later, in the words of `[[webhooks]] events`.
FEEDBACK: Final[Mapping[Kind, str]] = {
    "send": "confirmed",
    "delivery": "delivered",
    "bounce": "bounced",
    "complaint": "complained",
    "delay": "delayed",
    "reject": "rejected",
    "open": "opened",
    "click": "clicked",
    "rendering_failure": "not_rendered",
    "subscription": "subscription_changed",
}


class Told(NamedTuple):
    """What an event is told as; `people` is for who may see addresses.

    `id` is the event's own where it may come again, `at` its Unix time where that is
    not now.
    """

    word: str
    facts: dict[str, Any]
    people: dict[str, Any]
    id: str = ""
    at: float | None = None


def told(event: Event, *, taken: str) -> Told | None:
    """What is to be told of an event; None: nothing.

    `taken`: the word for mail that was taken over, by SES or in capture mode.
    """
    match event:
        case Attempted(outcome=Accepted(message_id), mail=mail):
            return Told(
                taken_as(mail, taken),
                {
                    "id": event.id,
                    "call": event.number + 1,
                    "messageId": message_id,
                    "by": _instead(event),
                    "attempts": event.attempt,
                    **_of_mail(mail),
                },
                _people(mail),
            )
        case Answered(mails=mails, reply=reply):
            if reply.code != 250:
                return _refused(event.submission, reply, mails[0])
            if not isinstance(event.outcome, Accepted):
                return Told(
                    "queued",
                    {
                        **_of_submission(event.submission),
                        "calls": len(mails),
                        "due": event.due,
                        "attempts": event.attempts,
                        **_of_mail(mails[0]),
                        "recipientCount": len(event.submission.envelope.recipients),
                    },
                    _people_of(event.submission),
                )
        case NotTaken(submission=submission, reply=reply, why="refused" | "dropped"):
            return _refused(submission, reply, None, event.why, event.rule)
        case Settled(job=job, state=Queued(last=last)) if event.outcome is not None:
            return Told(
                "deferred",
                {
                    **_of_job(event),
                    **_said(last),
                    "retryIn": None if event.wait is None else round(event.wait, 1),
                },
                _people(job.mail, last),
            )
        case Settled(job=job, state=Sent(message_id=message_id), outcome=None):
            # No attempt told of it: SES' own event did.
            facts = {**_of_job(event), "messageId": message_id}
            return Told(taken_as(job.mail, taken), facts, _people(job.mail))
        case Settled(job=job, state=Failed(reply=reply)):
            facts = {**_of_job(event), **_said(reply)}
            return Told("failed", facts, _people(job.mail, reply))
        case Settled(job=job, state=Superseded()):
            return Told("superseded", _of_job(event), _people(job.mail))
        case Overtaken(replaced=replaced, by=by):
            return Told(
                "superseded",
                {
                    "id": replaced.id,
                    "call": replaced.number + 1,
                    "usage": replaced.usage,
                    "recipientCount": len(replaced.recipients),
                    "supersededBy": by,
                    "maybeSent": replaced.state.maybe_sent,
                },
                {"recipients": list(replaced.recipients[:MOST_RECIPIENTS])},
            )
        case FedBack(feedback=feedback):
            return _fed_back(event.id, feedback)
    return None


def _refused(
    submission: Submission,
    reply: Reply,
    mail: Mail | None,
    word: str = "refused",
    rule: str = "",
) -> Told:
    """Nothing becomes of it, which its client was told."""
    count = len(submission.envelope.recipients)
    of_mail = {"usage": submission.usage, "rule": rule} if mail is None else {}
    return Told(
        word,
        {
            **_of_submission(submission),
            **of_mail,
            **(_of_mail(mail) if mail is not None else {}),
            "recipientCount": count,
            **_said(reply),
        },
        {**_people_of(submission), "reply": str(reply)},
    )


def _fed_back(mail_id: str, feedback: Feedback) -> Told:
    """A fact of SES; the link that was clicked is for nobody's eyes."""
    recipients = feedback.recipients[:MOST_RECIPIENTS]
    facts = {
        "id": mail_id,
        "messageId": feedback.message_id,
        "usage": feedback.usage,
        "recipientCount": len(feedback.recipients),
        "statuses": [one.status for one in recipients if one.status],
        "bounce": feedback.what if feedback.kind == "bounce" else "",
        "delay": feedback.what if feedback.kind == "delay" else "",
        "complaint": feedback.complaint,
    }
    people = {
        "reason": feedback.reason[:MOST_SAID],
        "recipients": [one.address for one in recipients],
        "details": [
            {
                "address": one.address,
                "status": one.status,
                "diagnostic": one.diagnostic[:MOST_SAID],
            }
            for one in recipients
            if one.status or one.diagnostic
        ],
    }
    word = FEEDBACK[feedback.kind]
    return Told(word, facts, people, f"msg_{feedback.key}", feedback.at)


def _of_submission(submission: Submission) -> dict[str, Any]:
    return {"id": submission.id, "listener": submission.listener}


def _instead(event: Attempted) -> str:
    """The account that was asked instead of the mail's own."""
    return "" if event.by == event.mail.options.account else event.by or DEFAULT


def _of_job(event: Settled) -> dict[str, Any]:
    job = event.job
    return {
        "id": job.id,
        "call": job.number + 1,
        "attempts": event.state.attempts,
        "maybeSent": getattr(event.state, "maybe_sent", False),
        **_of_mail(job.mail),
    }


def _of_mail(mail: Mail) -> dict[str, Any]:
    choice = mail.choice
    return {
        "usage": choice.usage,
        "template": choice.template,
        "locale": choice.locale,
        "rule": choice.rule,
        "account": mail.options.account or DEFAULT,
        "recipientCount": len(mail.envelope.recipients),
    }


def _said(reply: Reply | None) -> dict[str, Any]:
    """The codes of what was answered; its text is SES' own, and may quote the mail."""
    if reply is None:
        return {}
    cause = reply_class(reply)
    return {
        "reply": f"{reply.code} {reply.code // 100}.{reply.detail}",
        "cause": "" if cause == UNKNOWN else cause,
    }


def _people(mail: Mail, reply: Reply | None = None) -> dict[str, Any]:
    return {
        "sender": mail.envelope.sender or "",
        "recipients": list(mail.envelope.recipients[:MOST_RECIPIENTS]),
        **({} if reply is None else {"reply": str(reply)}),
    }


def _people_of(submission: Submission) -> dict[str, Any]:
    return {
        "sender": submission.envelope.sender or "",
        "recipients": list(submission.envelope.recipients[:MOST_RECIPIENTS]),
        "user": submission.user,
    }
