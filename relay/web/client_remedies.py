"""What a client writes instead, where the relay refuses what it wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from relay.content.json_value import json_value
from relay.model.reply import Fault, FaultKind
from relay.observe.story import Entry
from relay.web.remedy import (
    VARIABLES,
    Circumstances,
    Fix,
    Remedy,
    as_json,
    header_line,
    variables_line,
)

LINE = "Send this header"

# What a usable value of a control header looks like.
_EXAMPLES: Mapping[str, str] = {
    "x-relay-variables": '{"code": "123456"}',
    "x-relay-locale": "fr-CA",
    "x-relay-idempotency-key": "order-1042-receipt",
    "x-ses-configuration-set": "news",
    "x-ses-tenant": "acme",
    "x-ses-message-tags": "campaign=spring, app=shop",
    "x-ses-list-management-options": "news; topic=weekly",
    "x-ses-source-arn": "arn:aws:ses:eu-west-1:111122223333:identity/acme.example",
    "x-ses-from-arn": "arn:aws:ses:eu-west-1:111122223333:identity/acme.example",
    "x-ses-return-path-arn": (
        "arn:aws:ses:eu-west-1:111122223333:identity/acme.example"
    ),
    "x-smtpapi": '{"sub": {"-code-": ["123456"]}, "category": "sign-in"}',
    "x-mc-mergevars": '{"code": "123456"}',
    "x-mailgun-variables": '{"code": "123456"}',
    "x-mailgun-template-variables": '{"code": "123456"}',
}


def _header(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    name = fault.names[0]
    _, _, why = (entry.answer.text if entry.answer else "").partition(": ")
    return Remedy(
        f"The header {name} cannot be used: {why or 'it is not as it has to be'}.",
        "header",
        (name,),
        (Fix("Send it like this", header_line(name, _example_of(name, about))),),
        fault.at,
    )


def _example_of(header: str, about: Circumstances) -> str:
    name = header.lower()
    if name == about.usage_header.lower():
        return about.a_usage
    if name == "x-relay-send-at":
        tomorrow = datetime.now(UTC).timestamp() + 86_400
        return datetime.fromtimestamp(tomorrow, UTC).strftime("%Y-%m-%dT%H:00:00Z")
    return _EXAMPLES.get(name, "123456")


def _no_usage(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    header = fault.names[0]
    return Remedy(
        "The mail names no usage, and withoutUsage lets none pass that names none.",
        "header",
        lacks=header,
        fixes=(
            Fix(LINE, header_line(header, about.a_usage)),
            Fix(
                "Or let such mail pass as it is, at the top of the settings",
                'withoutUsage = "pass"',
            ),
        ),
    )


def _no_template(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    usage = fault.names[0]
    known = about.templates.usages
    if usage in known:
        return _no_locale(usage, about)
    by_key = {one.lower(): one for one in known}
    close = get_close_matches(usage.lower(), by_key, 1, 0.6)
    said = f"No template is called {usage}, and there is no Generic one."
    fixes = []
    if close:
        meant = by_key[close[0]]
        said += f" Did you mean {meant}?"
        fixes.append(_send(entry, about, usage=meant))
    elif known:
        said += f" There are: {', '.join(known)}."
        fixes.append(_send(entry, about, usage=known[0]))
    template = (
        f"[[templates]]\nusageType = {json.dumps(usage)}\n"
        'subject = "Your code is {{code}}"\n'
        'content = "<p>Your code is <b>{{code}}</b>.</p>"'
    )
    fixes.append(Fix("Or make the template in the settings", template))
    header = about.usage_header
    return Remedy(said, "header", (header,), tuple(fixes), lacks=header)


def _no_locale(usage: str, about: Circumstances) -> Remedy:
    """The usage has templates, and none that is for all locales."""
    locales = [one.locale for one in about.templates.all if one.usage == usage]
    return Remedy(
        f"The templates of {usage} are for {', '.join(locales)} alone, the mail asks "
        "for another locale or for none, and there is no Generic template.",
        "header",
        ("X-Relay-Locale",),
        (
            Fix(LINE, header_line("X-Relay-Locale", locales[0])),
            Fix(
                "Or make one for all others, in the settings",
                f'[[templates]]\nusageType = {json.dumps(usage)}\nlocale = ""',
            ),
        ),
        lacks="X-Relay-Locale",
    )


def _not_given(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    names = fault.names
    lacking = ", ".join(names)
    return Remedy(
        f"The template of {entry.usage or 'its usage'} prints {lacking}, and the mail "
        "does not give it.",
        "header",
        (VARIABLES,),
        (
            _send(entry, about, variables=names),
            Fix(
                "Or let the mail go without it, at the top of the settings",
                'missingVariables = "empty"',
            ),
        ),
        lacks=VARIABLES,
    )


def _value(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    name = ".".join(fault.names) or "a variable"
    why = entry.answer.text if entry.answer else f"The value of {name} cannot be used"
    return Remedy(
        f"{why}.",
        "header",
        _variable_headers(name.partition(".")[0]),
        (_send(entry, about, variables=(name.partition(".")[0],)),)
        if fault.names
        else (),
    )


def _variable_headers(name: str) -> tuple[str, ...]:
    return (VARIABLES, f"X-Relay-Variable-{name.replace('_', '-')}")


def _send(
    entry: Entry,
    about: Circumstances,
    *,
    usage: str = "",
    variables: tuple[str, ...] = (),
) -> Fix:
    """What a client sends instead: a header, or the body of a request."""
    if entry.listener == "http" and not entry.size:
        body = {
            "to": next(iter(entry.recipients), "ann@example.com"),
            "type": usage or entry.usage,
            "payload": json.loads(as_json({}, variables)),
        }
        return Fix("Send this to /api/v1/send", json.dumps(body))
    if usage:
        return Fix(LINE, header_line(about.usage_header, usage))
    return Fix(LINE, variables_line(_given(entry), variables))


def _given(entry: Entry) -> dict[str, Any]:
    """What the mail gives in JSON, where values are known; else nothing."""
    for name, value in entry.headers:
        if name.lower() == VARIABLES.lower() and value:
            try:
                found = json_value(value)
            except (ValueError, RecursionError):  # it is cut, or was never right
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def _key(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    header = fault.names[0]
    line = header_line(header, _EXAMPLES[header.lower()])
    return Remedy(
        "Another mail had this idempotency key before: other words, recipients or "
        "variables. Each mail needs a key of its own, and its repetitions the same.",
        "header",
        (header,),
        (Fix("Send a key that names this one mail", line),),
    )


def _too_much(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    said = entry.answer.text if entry.answer else "Too much of something"
    return Remedy(
        f"{said}: more than any mail program makes, so the relay reads it no further. "
        "Look for a loop in what makes the mail.",
        "body" if "MIME" in said else "header",
    )


def _too_long(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "With its attachments and the images of its template the mail is larger than "
        "the 40 MB that SES takes. Attach less, or link to it.",
        "body",
    )


def _loop(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "The mail has been through too many servers: two of them send it to each "
        "other. Its Received fields name them, the newest on top.",
        "header",
        fault.names,
    )


def _encrypted(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        f"The template of {entry.usage or 'its usage'} prints the text of the mail, "
        "and this one is encrypted. Send encrypted mail without a usage.",
        "header",
        (*fault.names, about.usage_header),
    )


def _no_from(fault: Fault, entry: Entry, about: Circumstances) -> Remedy:
    return Remedy(
        "The mail has no From header, and its null sender gives none either.",
        "header",
        fault.names,
        (Fix(LINE, "From: Acme <noreply@acme.example>"),),
        lacks="From",
    )


REMEDIES: Mapping[FaultKind, Callable[[Fault, Entry, Circumstances], Remedy]] = {
    "header": _header,
    "no_usage": _no_usage,
    "no_template": _no_template,
    "not_given": _not_given,
    "value": _value,
    "key": _key,
    "too_much": _too_much,
    "too_long": _too_long,
    "loop": _loop,
    "encrypted": _encrypted,
    "no_from": _no_from,
}
