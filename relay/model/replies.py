"""The relay's own answers to a mail: what it says instead of SES, and the fixed limits.

What a session says of commands is in `smtp/replies.py`, what SES' errors become in
`ses/error_table.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from relay.model.reply import Fault, FaultKind, Refused, Reply, printable

MAX_FIELDS = 1000
MAX_HEADER_BYTES = 256_000
MAX_RECEIVED = 100
MAX_DEPTH = 100
MAX_PARTS = 500


def _own(
    code: int, detail: str, text: str, kind: FaultKind, *names: str, at: int = 0
) -> Reply:
    """A reply of the relay's, and what is wrong."""
    return Reply(code, detail, text, fault=Fault(kind, names, at))


# Whatever the mail.
INTERNAL = _own(451, "3.0", "Internal error, try again later", "relay")
SHUTTING_DOWN = _own(421, "3.2", "Shutting down, try again later", "relay")
NO_ROOM = _own(
    452, "3.1", "Too much mail in hand, try again later", "relay", "limits.memory"
)
NOT_KEPT = _own(451, "3.0", "The mail cannot be kept now, try again later", "spool")
NO_CONTENT = _own(554, "3.0", "The spool has no whole content of this mail", "spool")
TOO_MANY_CALLS = _own(451, "3.2", "Too many calls", "relay", "ses.concurrency")
# The relay's own pace ([pace]), of which SES knows nothing: its throttling has another
# text. Clients look for "Throttling failure" right after the codes.
TOO_FAST = _own(
    454,
    "4.5",
    "Throttling failure: The relay's own pace is reached, try again later",
    "relay",
    "pace.rate",
)

KEY_OF_ANOTHER = Reply(
    550,
    "6.0",
    "Idempotency key used for another mail",
    own=True,
    fault=Fault("key", ("X-Relay-Idempotency-Key",)),
)
# Of a mail that is to be sent later, where nothing keeps it.
NO_QUEUE = Reply(
    550,
    "7.0",
    "X-Relay-Send-At: this relay has no queue to keep it in",
    own=True,
    fault=Fault("no_queue", ("X-Relay-Send-At",)),
)

# About the mail itself.
TOO_MANY_FIELDS = _own(554, "6.0", f"More than {MAX_FIELDS} header fields", "too_much")
HEADER_TOO_LARGE = _own(
    554, "6.0", f"Header larger than {MAX_HEADER_BYTES} bytes", "too_much"
)
TOO_MANY_PARTS = _own(554, "6.0", f"More than {MAX_PARTS} MIME parts", "too_much")
TOO_DEEP = _own(554, "6.0", f"MIME parts nested deeper than {MAX_DEPTH}", "too_much")
LOOP = _own(
    554,
    "4.6",
    f"More than {MAX_RECEIVED} Received fields: a mail loop",
    "loop",
    "Received",
)
NOT_PREPARED = _own(
    554, "6.0", "The relay cannot make sense of this mail", "not_understood"
)
# More than SES takes, docs of its quotas: 40 MB as they are sent.
MAX_SENT_BYTES = 40 * 1024 * 1024
TOO_LONG_WITH_IMAGES = _own(
    552,
    "3.4",
    "Message is too long together with the images of its template",
    "too_long",
)
ENCRYPTED = _own(
    550, "6.0", "An encrypted mail cannot be wrapped", "encrypted", "Content-Type"
)
TEMPLATE_FAILED = _own(
    451, "3.0", "The mail's template failed; the log says where", "template"
)
GUARDED = _own(
    550, "7.1", "The guard of this relay lets no mail go to this recipient", "guard"
)
NO_FROM = _own(
    550, "6.0", "No From header, and a null sender to make one of", "no_from", "From"
)


def bad_header(header: str, what: str, *, at: int = 0) -> Refused:
    """A control header that cannot be used; `what` holds nothing of its value.

    `at`: what is wrong begins at this character of it, from 1.
    """
    return Refused(_own(550, "6.0", f"{header}: {what}", "header", header, at=at))


def no_usage(usage_header: str) -> Refused:
    """No usage, where each mail needs one."""
    text = f"{usage_header}: the mail names no usage"
    return Refused(_own(550, "6.0", text, "no_usage", usage_header))


def no_template(usage: str, known: Iterable[str]) -> Refused:
    """Neither the usage nor Generic has a template."""
    text = f"No template for usage {usage[:100]}; known: {', '.join(known) or 'none'}"
    return Refused(_own(550, "6.0", printable(text)[:400], "no_template", usage[:100]))


def not_found(rule: str) -> Reply:
    """The mail's rule looks for variables that are not in it."""
    text = f"Rule {rule[:100]}: the mail lacks what it looks for"
    return _own(550, "6.0", printable(text), "rule", rule[:100])


def not_given(variables: Iterable[str]) -> Refused:
    """The template has variables that the mail does not give."""
    names = tuple(variables)
    text = f"Variables not given: {printable(', '.join(names))[:300]}"
    return Refused(_own(550, "6.0", text, "not_given", *names[:50]))


def not_a_text(variable: str, kind: str) -> Refused:
    """The template prints a variable that is `kind`."""
    text = f"Variable {variable} is {kind}, not a text"
    return Refused(_own(550, "6.0", text, "value", variable))


def not_read(variable: str, name: str) -> Refused:
    """A filter of the template cannot make anything of a value."""
    what = f"Variable {printable(variable)[:100]}" if variable else "A value"
    text = f"{what} cannot be read by the filter {name}"
    return Refused(_own(550, "6.0", text, "value", *filter(None, [variable])))


def not_a_link(variable: str, allowed: Iterable[str]) -> Refused:
    """A variable gives the template's link a scheme that is none of `allowed`."""
    text = f"Variable {variable} leads to something other than {', '.join(allowed)}"
    return Refused(_own(550, "6.0", text[:400], "value", variable))


def no_address(setting: str) -> Refused:
    """`sendFrom` or `replyTo` of the template, filled, is no mailbox."""
    text = f"The template's {setting} makes no usable address"
    return Refused(_own(550, "6.0", text, "template_setting", setting))


def no_link(setting: str) -> Refused:
    """`unsubscribe` of the template, filled, is no link."""
    text = f"The template's {setting} makes no https:// link of at most 900 characters"
    return Refused(_own(550, "6.0", text, "template_setting", setting))


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
    return Reply(450, "7.1", text, own=True, fault=Fault("limit", (usage[:100],)))


def suppressed(since: str, why: str) -> Reply:
    """A recipient gets no mail since that day; `why` names nobody."""
    text = f"Recipient suppressed since {since}: {why}"
    return Reply(550, "1.1", text, own=True, fault=Fault("suppressed"))


def dropped(mail_id: str) -> Reply:
    """The recipient has had as much as its limit allows; the client is not to know."""
    return Reply(250, "0.0", f"dropped as {mail_id}", own=True, fault=Fault("limit"))


def due(mail_id: str, at: str) -> Reply:
    """The mail is durable, and is sent at the time that it names."""
    return queued(mail_id, f"due {at}")


def expired(last: Reply | None) -> Reply:
    """The time of the mail is over (RFC 3463: X.4.7)."""
    text = "Delivery time expired"
    return _own(554, "4.7", f"{text}; last: {last.text}" if last else text, "expired")


def no_account(name: str) -> Reply:
    """The settings have no account any more that the mail was to leave by."""
    text = f"Relay configuration problem: there is no account {name}"
    return _own(451, "3.5", printable(text)[:200], "account", name)


def unreadable(column: str) -> Reply:
    """What the queue keeps of a mail cannot be read, so that it never leaves."""
    return _own(554, "3.0", f"This release cannot read the spool's {column}", "spool")
