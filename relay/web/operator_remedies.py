"""What an operator does, where the relay refuses for no fault of a client's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from shlex import quote

from relay.model.reply import Fault, FaultKind
from relay.observe.story import Entry
from relay.web.remedy import VARIABLES, Circumstances, Fix, Remedy

LET_MORE_IN = "Let more in, in the settings"


def _relay(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    what = "Nothing is wrong with the mail: the relay was stopping, full or broken."
    if fault.names:
        what = (
            "Nothing is wrong with the mail: there was more of it at one time than "
            f"{fault.names[0]} lets in."
        )
    return Remedy(f"{what} A client that hears a 4xx sends it again.", "settings")


def _spool(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "Nothing is wrong with the mail: the relay's spool could not be written, or "
        "holds something that this release cannot read. Look at the disk and the log.",
        "settings",
        fixes=(Fix("See what is in the spool", "relay queue list"),),
    )


def _template(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    usage = entry.usage or about.a_usage
    return Remedy(
        f"Nothing is wrong with the mail: the template of {usage} failed. The log has "
        "its file and line; the mail's client may send it again.",
        "settings",
        fixes=(
            Fix("Look for what is wrong in it", "relay templates lint"),
            Fix("Make a mail of it", f"relay render {quote(usage)}"),
        ),
    )


def _template_setting(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    setting = fault.names[0]
    becomes = (
        'unsubscribe = "https://acme.example/u/{{token}}"'
        if setting == "unsubscribe"
        else f'{setting} = "Acme <noreply@acme.example>"'
    )
    return Remedy(
        f"The template of {entry.usage or 'its usage'} has a variable in {setting}, "
        "and the value that the mail gives makes nothing of it that can be used.",
        "header",
        (VARIABLES,),
        (Fix("In the template's settings, a value that always works", becomes),),
    )


def _rule(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        f"Rule {fault.names[0]} looks for variables in the text, and they are not "
        'there; its notFound = "reject" refuses such mail.',
        "body",
        fixes=(
            Fix("See what the rule finds", "relay rules test MAIL.eml"),
            Fix("Or let such mail pass, in the rule", 'notFound = "pass"'),
        ),
    )


def _no_queue(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "The mail asks to be sent later, and this relay has no queue to keep it in.",
        "header",
        fault.names,
        (Fix("Give it a queue in the settings", '[queue]\nengine = "sqlite"'),),
    )


def _not_understood(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "The relay broke on this mail, which is a fault of the relay's. The log has "
        "its place under the mail's id: please report it.",
    )


def _guard(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    up = f": {about.guard}" if about.guard else ""
    to = entry.recipients[-1] if entry.recipients else "*@acme.example"
    return Remedy(
        f"A guard is up{up}. It lets no mail go to {to}.",
        "recipient",
        ("To", "Cc"),
        (
            Fix(
                "Let it through, in the settings",
                f"[guard]\nrecipients = [{json.dumps(to)}]  # beside those there",
            ),
        ),
    )


def _limit(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    usage = next(iter(fault.names), "") or entry.usage
    return Remedy(
        f"The recipient has had as much mail of {usage or 'this usage'} as its "
        "template's perRecipient allows, and may have more when the older ones are out "
        "of that time.",
        "recipient",
        ("To", "Cc"),
        (Fix("Allow more, in the template's settings", 'perRecipient = "10/h"'),),
    )


def _size(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    setting = fault.names[0]
    table, _, name = setting.partition(".")
    twice = {"recipients": 2000, "messageSize": 80_000_000, "lineLength": 2_000_000}
    what = {
        "recipients": "names more recipients",
        "messageSize": "is larger",
        "lineLength": "has a longer line",
    }
    return Remedy(
        f"The mail {what[name]} than {setting} lets in; it was refused before all of "
        "it was here, so there is no more to see. SES takes 40 MB at most.",
        "recipient" if name == "recipients" else "body",
        fixes=(Fix(LET_MORE_IN, f"[{table}]\n{name} = {twice[name]}"),),
    )


def _often(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    who = f"User {entry.user}" if entry.user else f"The client {entry.peer}"
    return Remedy(
        f"{who} began more mails in a minute than limits.messagesPerMinute lets it. "
        "It hears a 450 and sends the mail again.",
        "settings",
        fixes=(Fix(LET_MORE_IN, "[limits]\nmessagesPerMinute = 600"),),
    )


def _sender(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    line = f"senders = [{json.dumps(entry.sender or '<>')}]  # beside those there"
    return Remedy(
        f"User {entry.user} may not send as {entry.sender or '<>'}.",
        "sender",
        fixes=(Fix("Let it, at the user in the settings", line),),
    )


def _expired(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "It could not be sent in its time: validFor of its template, or "
        "queue.giveUpAfter. Try it again where it is still of use.",
    )


def _account(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    name = next(iter(fault.names), "")
    return Remedy(
        f"The settings have no account {name} any more, by which the mail was to go.",
        "settings",
        fixes=(
            Fix("Give it back", f"[[accounts]]\nname = {json.dumps(name or 'name')}"),
        ),
    )


def _suppressed(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "Mail to this recipient bounced, was complained about, or is not wanted by the "
        "operator, so that the relay sends none ([suppression]). The list has the day "
        "and the reason; where the mailbox works again, remove it there.",
        "settings",
        fixes=(
            Fix("See why", "relay suppression list ADDRESS"),
            Fix("Send to it again", "relay suppression remove ADDRESS"),
        ),
    )


REMEDIES: Mapping[FaultKind, Callable[[Fault, Entry, Circumstances], Remedy]] = {
    "relay": _relay,
    "spool": _spool,
    "template": _template,
    "template_setting": _template_setting,
    "rule": _rule,
    "no_queue": _no_queue,
    "not_understood": _not_understood,
    "guard": _guard,
    "limit": _limit,
    "size": _size,
    "often": _often,
    "sender": _sender,
    "expired": _expired,
    "account": _account,
    "suppressed": _suppressed,
}
