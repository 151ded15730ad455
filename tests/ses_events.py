"""SES' events as they come: each kind, in each of the envelopes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

MESSAGE_ID = "0102018f3b7c2a10-6e4d0f52-0b1c-4e8a-9a51-7f2f0d6f7c11-000000"
ACCEPTED = "2026-03-01T10:00:00.250Z"
ACCEPTED_AT = 1772359200.25
LATER = "2026-03-01T10:00:02.750Z"
LATER_AT = 1772359202.75
SECRET_LINK = "https://shop.example/reset?code=123456#top"

OWN: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Send": ("send", {}),
    "Delivery": (
        "delivery",
        {
            "timestamp": LATER,
            "processingTimeMillis": 2500,
            "recipients": ["ann@example.com"],
            "smtpResponse": "250 2.0.0 Ok: queued as 4F1",
            "reportingMTA": "a8-50.smtp-out.amazonses.com",
        },
    ),
    "Bounce": (
        "bounce",
        {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {
                    "emailAddress": "ann@example.com",
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 <ann@example.com> unknown",
                }
            ],
            "timestamp": LATER,
            "feedbackId": "0102018f3b7c2e00-aa",
            "reportingMTA": "dns; a8-50.smtp-out.amazonses.com",
        },
    ),
    "Complaint": (
        "complaint",
        {
            "complainedRecipients": [{"emailAddress": "ann@example.com"}],
            "timestamp": LATER,
            "feedbackId": "0102018f3b7c2e00-bb",
            "complaintSubType": None,
            "userAgent": "Feedback/1.0",
            "complaintFeedbackType": "abuse",
            "arrivalDate": LATER,
        },
    ),
    "DeliveryDelay": (
        "deliveryDelay",
        {
            "timestamp": LATER,
            "delayType": "MailboxFull",
            "expirationTime": "2026-03-02T00:00:00Z",
            "delayedRecipients": [
                {
                    "emailAddress": "ann@example.com",
                    "status": "4.2.2",
                    "diagnosticCode": "smtp; 452 4.2.2 mailbox full",
                }
            ],
        },
    ),
    "Reject": ("reject", {"reason": "Bad content"}),
    "Open": (
        "open",
        {"ipAddress": "192.0.2.7", "timestamp": LATER, "userAgent": "Mozilla/5.0"},
    ),
    "Click": (
        "click",
        {
            "ipAddress": "192.0.2.7",
            "timestamp": LATER,
            "userAgent": "Mozilla/5.0",
            "link": SECRET_LINK,
            "linkTags": {"button": ["reset"]},
        },
    ),
    "Rendering Failure": (
        "failure",
        {"errorMessage": "Attribute 'name' is missing", "templateName": "hello"},
    ),
    "Subscription": (
        "subscription",
        {
            "contactList": "news",
            "timestamp": LATER,
            "source": "UnsubscribeHeader",
            "newTopicPreferences": {"unsubscribeAll": True},
            "oldTopicPreferences": {"unsubscribeAll": False},
        },
    ),
}


def event(
    kind: str = "Delivery",
    *,
    message_id: str = MESSAGE_ID,
    mail_id: str = "",
    to: tuple[str, ...] = ("ann@example.com",),
    tags: Mapping[str, str] | None = None,
    own: Mapping[str, Any] | None = None,
    key: str = "eventType",
) -> dict[str, Any]:
    """An event; `own` changes its own words, `key` is where its kind stands."""
    place, words = OWN[kind]
    found: dict[str, list[str]] = {
        "ses:configuration-set": ["relay"],
        "ses:source-ip": ["192.0.2.1"],
        **{name: [value] for name, value in (tags or {}).items()},
    }
    if mail_id:
        found["relay_id"] = [mail_id]
    mail: dict[str, Any] = {
        "timestamp": ACCEPTED,
        "source": "Acme <app@acme.example>",
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/acme.example",
        "sendingAccountId": "123456789012",
        "messageId": message_id,
        "destination": list(to),
        "headersTruncated": False,
        "headers": [{"name": "Subject", "value": "Your code is 123456"}],
        "commonHeaders": {"subject": "Your code is 123456"},
    }
    if key == "eventType":
        mail["tags"] = found
    return {key: kind, "mail": mail, place: {**words, **(own or {})}}


def bare(found: Mapping[str, Any]) -> str:
    """As with raw message delivery."""
    return json.dumps(found)


def sns(found: Mapping[str, Any] | str) -> str:
    """In SNS' envelope."""
    text = found if isinstance(found, str) else json.dumps(found)
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "6e4d0f52-0b1c-4e8a-9a51-7f2f0d6f7c11",
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:ses-events",
            "Subject": "Amazon SES Email Event Notification",
            "Message": text,
            "Timestamp": LATER,
            "SignatureVersion": "1",
            "Signature": "c2lnbmVk",
            "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Unsubscribe",
        }
    )


def eventbridge(found: Mapping[str, Any]) -> str:
    """In EventBridge's envelope."""
    return json.dumps(
        {
            "version": "0",
            "id": "6e4d0f52-0b1c-4e8a-9a51-7f2f0d6f7c12",
            "detail-type": "Email Event",
            "source": "aws.ses",
            "account": "123456789012",
            "time": "2026-03-01T10:00:03Z",
            "region": "eu-west-1",
            "resources": [],
            "detail": found,
        }
    )


ENVELOPES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "bare": bare,
    "sns": sns,
    "eventbridge": eventbridge,
    "eventbridge in sns": lambda found: sns(eventbridge(found)),
}
SNS_TEST = sns("Successfully validated SNS topic for Amazon SES event publishing.")
