"""What a reply says of SES' answer: its class, which is why a mail waits or failed."""

from __future__ import annotations

from relay.model.reply import Reply

UNKNOWN = "unknown"

# The beginning of a reply -> the class of SES' answer; the first that fits counts.
CLASSES = (
    ("454 4.4.5", "throttled"),
    ("454 4.3.2 Throttling", "quota"),
    ("454 4.3.2", "paused"),
    ("554 5.7.1 Message rejected: sending suspended", "suspended"),
    ("554 5.7.1 Message rejected", "not_verified"),
    ("554 5.7.1", "access_denied"),
    ("554 5.6.0 Message rejected", "content"),
    ("554 5.1.8", "mail_from"),
    ("451 4.3.5 Relay configuration", "not_found"),
    ("451 4.3.5", "credentials"),
    ("454 4.7.0", "credentials"),
    ("554 5.3.5", "not_found"),
    ("550 5.1.1", "suppressed"),
    ("553 5.1.3", "address"),
    ("554 5.6.0", "bad_request"),
    ("552 5.3.4", "too_long"),
    ("451 4.4.1", "unreachable"),
    ("454 4.7.5", "tls"),
    ("451 4.4.2", "no_answer"),
    ("451 4.3.0 Temporary", "service_failure"),
)

# Why mail is in the queue: those, and what the relay itself says there.
CAUSES = (
    ("554 5.4.7", "expired"),
    ("451 4.3.5 Relay configuration problem: there is no account", "no_account"),
    ("554 5.3.0", "unreadable"),
    *CLASSES,
)
LATER = "later"  # no attempt yet, and none before the time that its client asked for
NEW = "new"  # no attempt yet
NAMES = (LATER, NEW, *dict.fromkeys(name for _, name in CAUSES), UNKNOWN)


def reply_class(reply: Reply) -> str:
    """The class of SES' answer behind a reply."""
    said = str(reply)
    return next((name for start, name in CLASSES if said.startswith(start)), UNKNOWN)
