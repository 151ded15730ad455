"""SES' events as they stand in messages of SQS, read into facts; pure.

One event comes bare, in SNS' envelope or in EventBridge's; all are told apart by their
keys. Whoever may write into the queue may write anything, so that size and depth are
bounded before anybody reads, and no text is believed to be one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from relay.model.feedback import ID_TAG, NO_MAIL, Feedback, Kind, Recipient, id_of
from relay.model.mail import TAG
from relay.model.submission import MailId
from relay.ses.json_depth import is_shallow

MOST = 300_000  # bytes of a message; SES' own have some 60,000 at most
MOST_ENVELOPES = 3  # an event in EventBridge's, in SNS', and one more
MAX_ADDRESS = 320
MAX_WORD = 100
MAX_TEXT = 1000  # of what a server said
MAX_LINK = 2000
_LAST = 2.0**33  # seconds, in the year 2242
MAX_RECIPIENTS = 1000  # SES' limit is 50

Why = Literal["test", "unknown", "malformed"]


class NoFact(Exception):  # noqa: N818 - a statement about the message
    """The message tells nothing of a mail.

    `why`: a test of who set the queue up; unknown, so well-formed JSON that is none
    of SES' events about mail; or malformed. The text quotes nothing of the message.
    """

    def __init__(self, why: Why, text: str) -> None:
        super().__init__(text)
        self.why: Why = why


# The names of events, without spaces and in lower case, and where their own words are.
_KINDS: Final[Mapping[str, tuple[Kind, str]]] = {
    "send": ("send", "send"),
    "delivery": ("delivery", "delivery"),
    "bounce": ("bounce", "bounce"),
    "complaint": ("complaint", "complaint"),
    "deliverydelay": ("delay", "deliveryDelay"),
    "reject": ("reject", "reject"),
    "open": ("open", "open"),
    "click": ("click", "click"),
    "renderingfailure": ("rendering_failure", "failure"),
    "subscription": ("subscription", "subscription"),
}
# Of these nothing is known without their own words.
_NEEDED = ("delivery", "bounce", "complaint", "delay")
# Of a mail to several SES does not say who did it.
_OF_ONE = ("open", "click", "subscription")
# What SES writes into a queue that it was just told of.
_TESTS = ("AmazonSnsSubscriptionSucceeded",)

_STEERS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def read(
    body: str, *, sent_at: float, usage_tags: Collection[str] = ("usage",)
) -> Feedback:
    """The fact in a message that was sent at `sent_at` (Unix time). Raises NoFact.

    `usage_tags` are the names of the tags that the settings give usages.
    """
    event = _unwrapped(body)
    named = event.get("eventType", event.get("notificationType"))
    if named in _TESTS:
        raise NoFact("test", "SES' word that it may write here")
    mail = event.get("mail")
    if not isinstance(named, str) or not isinstance(mail, dict):
        raise NoFact("unknown", "no event of SES about a mail")
    found = _KINDS.get(named.replace(" ", "").lower())
    if found is None:
        raise NoFact("unknown", "an event of SES of another kind")
    kind, place = found
    own = event.get(place)
    if not isinstance(own, dict):
        if kind in _NEEDED:
            raise NoFact("malformed", f"a {kind} that does not say what happened")
        own = {}
    message_id = _text(mail.get("messageId"), MAX_WORD)
    if not message_id:
        raise NoFact("malformed", f"a {kind} of no mail")
    tags = mail.get("tags")
    if not isinstance(tags, dict):
        tags = {}
    accepted_at = _moment(mail.get("timestamp"))
    at = _moment(own.get("timestamp"))
    if at is None:
        at = accepted_at if accepted_at is not None else sent_at
    types = {
        "bounce": (own.get("bounceType"), own.get("bounceSubType")),
        "complaint": (None, own.get("complaintSubType")),
        "delay": (own.get("delayType"), None),
    }
    type_, subtype = types.get(kind, (None, None))
    destination = tuple(_addresses(mail.get("destination")))
    return Feedback(
        kind,
        message_id,
        at,
        mail_id=_mail_id(tags),
        recipients=tuple(_recipients(kind, own, destination)),
        accepted_at=accepted_at,
        type=_text(type_, MAX_WORD),
        subtype=_text(subtype, MAX_WORD),
        complaint=_text(own.get("complaintFeedbackType"), MAX_WORD),
        reason=_text(own.get("reason", own.get("errorMessage")), MAX_TEXT)
        if kind in ("reject", "rendering_failure")
        else "",
        link=_text(own.get("link"), MAX_LINK) if kind == "click" else "",
        usage=next(filter(None, (_tag(tags, one) for one in usage_tags)), ""),
        destination=destination,
    )


def _unwrapped(body: str) -> dict[str, Any]:
    """The event itself, of whichever envelopes. Raises NoFact."""
    found = _object(body)
    for _ in range(MOST_ENVELOPES):
        if "eventType" in found or "notificationType" in found:
            return found
        if isinstance(detail := found.get("detail"), dict) and "detail-type" in found:
            found = detail
        elif isinstance(message := found.get("Message"), str) and "TopicArn" in found:
            if found.get("Type", "Notification") != "Notification":
                raise NoFact("unknown", "SNS' word about a subscription")
            found = _object(message)
        else:
            break
    raise NoFact("unknown", "no event of SES")


def _object(text: str) -> dict[str, Any]:
    """The JSON object in a text. Raises NoFact."""
    raw = text.encode("utf-8", "replace")
    if len(raw) > MOST:
        raise NoFact("malformed", "longer than any message")
    if not is_shallow(raw):
        raise NoFact("malformed", "nested too deep")
    try:
        found = json.loads(raw)
    except ValueError:
        # SNS' first words are plain text; so may be those of who tries the queue.
        looks = text.lstrip()[:1] in ("{", "[")
        why: Why = "malformed" if looks else "test"
        raise NoFact(why, "no JSON") from None
    if not isinstance(found, dict):
        raise NoFact("unknown", "JSON that is no object")
    return found


def _recipients(
    kind: Kind, own: Mapping[str, Any], everybody: Sequence[str]
) -> Iterator[Recipient]:
    said = _text(own.get("smtpResponse"), MAX_TEXT) if kind == "delivery" else ""
    names = {
        "delivery": "recipients",
        "bounce": "bouncedRecipients",
        "complaint": "complainedRecipients",
        "delay": "delayedRecipients",
    }
    found = [
        Recipient(
            address,
            _text(one.get("status"), MAX_WORD),
            _text(one.get("diagnosticCode"), MAX_TEXT) or said,
        )
        for one in _listed(own.get(names[kind]) if kind in names else None)
        if (address := _address(one.get("emailAddress")))
    ]
    if found:
        yield from found
        return
    # Where it does not say of whom of several, it may be of any.
    if len(everybody) == 1 or kind not in (*names, *_OF_ONE):
        for address in everybody:
            yield Recipient(address, "", said)


def _addresses(value: object) -> Iterator[str]:
    for one in _listed(value):
        if address := _address(one.get("emailAddress")):
            yield address


def _listed(value: object) -> Iterator[Mapping[str, Any]]:
    """Recipients, which are addresses or say more than that."""
    for one in value[:MAX_RECIPIENTS] if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one
        elif isinstance(one, str):
            yield {"emailAddress": one}


def _address(value: object) -> str:
    """An address without the name that may stand before it."""
    text = _text(value, MAX_TEXT)
    if text.endswith(">") and "<" in text:
        text = text[text.rindex("<") + 1 : -1].strip()
    return text[:MAX_ADDRESS]


def _text(value: object, most: int) -> str:
    """A text of one line; "" of anything else."""
    if not isinstance(value, str):
        return ""
    text = value[: 2 * most]
    if not text.isprintable():
        text = _STEERS.sub(" ", text).encode("utf-8", "replace").decode()
    return text.strip()[:most]


def _tag(tags: Mapping[str, Any], name: str) -> str:
    """The first value of a tag."""
    value = tags.get(name)
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) and TAG.fullmatch(value) else ""


def _mail_id(tags: Mapping[str, Any]) -> MailId:
    found = _tag(tags, ID_TAG)
    return id_of(found) if found and len(found) <= MAX_WORD else NO_MAIL


def _moment(value: object) -> float | None:
    """Unix seconds of SES' times; None: it is none."""
    if not isinstance(value, str) or len(value) > MAX_WORD:
        return None
    try:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = at.timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _LAST else None
