"""The relay's own answers to a mail: what it says instead of SES, and the fixed limits.

What a session says of commands is in `smtp/replies.py`, what SES' errors become in
`ses/error_table.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from relay.model.reply import Refused, Reply, printable

MAX_FIELDS = 1000
MAX_HEADER_BYTES = 256_000
MAX_RECEIVED = 100
MAX_DEPTH = 100
MAX_PARTS = 500

# Whatever the mail.
INTERNAL = Reply(451, "3.0", "Internal error, try again later")
SHUTTING_DOWN = Reply(421, "3.2", "Shutting down, try again later")
NO_ROOM = Reply(452, "3.1", "Too much mail in hand, try again later")
NOT_KEPT = Reply(451, "3.0", "The mail cannot be kept now, try again later")
NO_CONTENT = Reply(554, "3.0", "The spool has no whole content of this mail")
TOO_MANY_CALLS = Reply(451, "3.2", "Too many calls")
# The relay's own pace ([pace]), of which SES knows nothing: its throttling has another
# text. Clients look for "Throttling failure" right after the codes.
TOO_FAST = Reply(
    454, "4.5", "Throttling failure: The relay's own pace is reached, try again later"
)

KEY_OF_ANOTHER = Reply(550, "6.0", "Idempotency key used for another mail", own=True)
# Of a mail that is to be sent later, where nothing keeps it.
NO_QUEUE = Reply(
    550, "7.0", "X-Relay-Send-At: this relay has no queue to keep it in", own=True
)

# About the mail itself.
TOO_MANY_FIELDS = Reply(554, "6.0", f"More than {MAX_FIELDS} header fields")
HEADER_TOO_LARGE = Reply(554, "6.0", f"Header larger than {MAX_HEADER_BYTES} bytes")
TOO_MANY_PARTS = Reply(554, "6.0", f"More than {MAX_PARTS} MIME parts")
TOO_DEEP = Reply(554, "6.0", f"MIME parts nested deeper than {MAX_DEPTH}")
LOOP = Reply(554, "4.6", f"More than {MAX_RECEIVED} Received fields: a mail loop")
NOT_PREPARED = Reply(554, "6.0", "The relay cannot make sense of this mail")
ENCRYPTED = Reply(550, "6.0", "An encrypted mail cannot be wrapped")
GUARDED = Reply(550, "7.1", "The guard of this relay lets no mail go to this recipient")
NO_FROM = Reply(550, "6.0", "No From header, and a null sender to make one of")


def bad_header(header: str, what: str) -> Refused:
    """A control header that cannot be used; `what` holds nothing of its value."""
    return Refused(Reply(550, "6.0", f"{header}: {what}"))


def no_usage(usage_header: str) -> Refused:
    """No usage, where each mail needs one."""
    return bad_header(usage_header, "the mail names no usage")


def no_template(usage: str, known: Iterable[str]) -> Refused:
    """Neither the usage nor Generic has a template."""
    text = f"No template for usage {usage[:100]}; known: {', '.join(known) or 'none'}"
    return Refused(Reply(550, "6.0", printable(text)[:400]))


def not_found(rule: str) -> Reply:
    """The mail's rule looks for variables that are not in it."""
    text = f"Rule {rule[:100]}: the mail lacks what it looks for"
    return Reply(550, "6.0", printable(text))


def not_given(variables: Iterable[str]) -> Refused:
    """The template has variables that the mail does not give."""
    names = printable(", ".join(variables))[:300]
    return Refused(Reply(550, "6.0", f"Variables not given: {names}"))


def not_a_text(variable: str, kind: str) -> Refused:
    """The template prints a variable that is `kind`."""
    return Refused(Reply(550, "6.0", f"Variable {variable} is {kind}, not a text"))


def not_a_link(variable: str, allowed: Iterable[str]) -> Refused:
    """A variable gives the template's link a scheme that is none of `allowed`."""
    text = f"Variable {variable} leads to something other than {', '.join(allowed)}"
    return Refused(Reply(550, "6.0", text[:400]))


def no_address(setting: str) -> Refused:
    """`sendFrom` or `replyTo` of the template, filled, is no mailbox."""
    text = f"The template's {setting} makes no usable address"
    return Refused(Reply(550, "6.0", text))


def no_link(setting: str) -> Refused:
    """`unsubscribe` of the template, filled, is no link."""
    text = f"The template's {setting} makes no https:// link of at most 900 characters"
    return Refused(Reply(550, "6.0", text))


def ok(message_id: str, accepted_as: str) -> Reply:
    """SES took the mail, or capture mode's inbox did."""
    return Reply(250, "0.0", f"{accepted_as} {message_id}")


def queued(mail_id: str, reason: str) -> Reply:
    """The mail is durable and waits; `reason` is a reply's text, "" for none."""
    text = f"queued as {mail_id}"
    if reason:
        # "Access denied" goes on a sentence here; "SES" and "TLS" stay as they are.
        lower = reason[1:2].islower()
        text += f"; {reason[0].lower() if lower else reason[0]}{reason[1:]}"
    return Reply(250, "0.0", text)


def too_many(usage: str) -> Reply:
    """One of the recipients has had as much mail of this usage as its limit allows."""
    text = f"Too many {printable(usage)[:100]} mails to this recipient"
    return Reply(450, "7.1", text, own=True)


def dropped(mail_id: str) -> Reply:
    """The same, and the client is not to know."""
    return Reply(250, "0.0", f"dropped as {mail_id}", own=True)


def due(mail_id: str, at: str) -> Reply:
    """The mail is durable, and is sent at the time that it names."""
    return queued(mail_id, f"due {at}")


def expired(last: Reply | None) -> Reply:
    """The time of the mail is over (RFC 3463: X.4.7)."""
    text = "Delivery time expired"
    return Reply(554, "4.7", f"{text}; last: {last.text}" if last else text)


def no_account(name: str) -> Reply:
    """The settings have no account any more that the mail was to leave by."""
    text = f"Relay configuration problem: there is no account {name}"
    return Reply(451, "3.5", printable(text)[:200])


def unreadable(column: str) -> Reply:
    """What the queue keeps of a mail cannot be read, so that it never leaves."""
    return Reply(554, "3.0", f"This release cannot read the spool's {column}")
