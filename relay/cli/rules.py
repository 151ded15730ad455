"""`relay rules test`: which rule a mail has, why no other, and what becomes of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import getaddresses
from pathlib import Path
from typing import Any

from relay import config, log
from relay.app import in_force
from relay.app.preparation import preparation
from relay.app.ses_side import request_settings
from relay.cli import settings
from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.intake.prepare import Preparation
from relay.model.mail import Mail
from relay.model.reply import Refused
from relay.model.submission import Envelope, Submission, new_id
from relay.rules.facts import NULL_SENDER, Facts
from relay.rules.found import NOTHING, Found
from relay.rules.rules import Rule, Rules, Verdict
from relay.ses.parameters import RequestSettings, request_for
from relay.system import files
from relay.system.process import CannotStart

# Of the header that SES would get; a subject may hold a code.
SHOWN = ("from", "reply-to", "to")


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of the mail; with a `reply` it would be refused."""

    verdicts: Sequence[Verdict]
    rule: Rule | None
    found: Found
    mails: Sequence[Mail]
    reply: str


class _Unusable(Exception):  # noqa: N818 - a statement about what was asked
    """What was asked for cannot be tested; the text says why."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the one command."""
    does = parser.add_subparsers(dest="does", metavar="COMMAND", required=True)
    test = does.add_parser(
        "test",
        help="say which rule a mail has",
        description="Print each rule with the first condition that failed, the one "
        "that holds, what it finds, and what SES would get. Nothing is sent. "
        "Exit code 0: a rule holds; 1: none does; 2: the file or the settings "
        "cannot be used.",
    )
    settings.add(test)
    test.add_argument("file", metavar="FILE.eml", type=Path, help="the mail")
    test.add_argument(
        "--sender", metavar="ADDRESS", help="MAIL FROM; default: the address of From"
    )
    test.add_argument(
        "--to",
        metavar="ADDRESS",
        action="append",
        help="a recipient, any number of times; default: those of the To field",
    )
    test.add_argument("--user", default="", help="who logged in")
    test.add_argument("--listener", help="default: the first of the settings")
    test.add_argument(
        "--client", default="127.0.0.1", metavar="ADDRESS", help="who connected"
    )
    test.add_argument("--json", action="store_true", help="print one JSON object")
    test.add_argument(
        "--show-values", action="store_true", help="show what the variables hold"
    )


def run(options: argparse.Namespace) -> int:
    """Test; 1 when no rule holds, 2 when there is nothing to test."""
    chosen = settings.load(options)
    if chosen is None:
        return 2
    try:
        templates = in_force.templates(
            chosen, samples_too=not settings.any_set(options)
        )
        rules = in_force.rules(chosen, templates) or Rules(())
        submission = _submission(options, chosen)
        log.setup(format="text", level="error")  # which says where a template fails
        tested = _tested(submission, rules, preparation(chosen, templates, rules))
    except (CannotStart, _Unusable) as error:
        settings.complain(str(error))
        return 2
    except Refused as refused:  # a header or parts over the limits, whatever the rules
        settings.complain(f"{options.file}: {refused.reply}")
        return 2
    request = {
        account.key: request_settings(account.ses)
        for account in config.accounts(chosen)
    }
    shown = _as_json(tested, request, values=options.show_values)
    if options.json:
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        print(_as_text(tested, shown))
    return 1 if tested.rule is None else 0


def _submission(options: argparse.Namespace, chosen: config.Config) -> Submission:
    """The mail as it would have come. Raises _Unusable, and Refused over the limits."""
    listeners = {one.name: one for one in chosen.listeners}
    users = {one.name: one for one in chosen.users}
    listener = options.listener or chosen.listeners[0].name
    for what, given, known in (
        ("listener", listener, listeners.keys()),
        ("user", options.user, users.keys()),
    ):
        if given and given not in known:
            raise _Unusable(
                f"--{what} {given}: there is no {what} of this name; known: "
                f"{', '.join(known) or 'none'}"
            )
    try:
        content = files.read(options.file, limit=chosen.limits.message_size)
    except ValueError as error:
        raise _Unusable(f"{options.file}: {error}") from error
    usage = users[options.user].usage if options.user else ""
    submission = Submission(
        id=new_id(),
        envelope=Envelope(None, ()),
        content=content,
        peer=options.client,
        listener=listener,
        usage=usage or listeners[listener].usage,
        user=options.user,
    )
    facts = Facts.of(submission)
    froms, to = facts.froms(), facts.header("to")
    sender = options.sender
    if sender is None and froms:
        sender = froms[0].plain
    pairs = getaddresses([field.plain for field in to])
    recipients = options.to or [address for _, address in pairs if address]
    envelope = Envelope(
        None if sender == NULL_SENDER else sender or None, tuple(recipients)
    )
    return replace(submission, envelope=envelope)


def _tested(submission: Submission, rules: Rules, made: Preparation) -> Tested:
    facts = Facts.of(submission)
    rule = rules.rule_for(facts)
    mails: Sequence[Mail] = ()
    reply = ""
    try:
        mails = made.prepare(submission).mails
    except Refused as refused:
        reply = str(refused.reply)
    found = NOTHING if rule is None else rule.find(facts)
    return Tested(rules.verdicts(facts), rule, found, mails, reply)


def _as_json(
    tested: Tested, request: Mapping[str, RequestSettings], *, values: bool
) -> dict[str, Any]:
    """Without `values` the variables have names alone."""
    choice = tested.mails[0].choice if tested.mails else None
    found = tested.found.variables
    return {
        "rules": [
            {"name": one.rule.name, "failed": one.failed or None}
            for one in tested.verdicts
        ],
        "rule": None if tested.rule is None else tested.rule.name,
        "usage": choice.usage if choice else "",
        "template": choice.template if choice else "",
        "locale": choice.locale if choice else "",
        "variables": dict(found) if values else dict.fromkeys(found),
        "missing": list(tested.found.missing),
        "header": _header(tested.mails, values=values),
        "parameters": [_parameters(mail, request) for mail in tested.mails],
        "reply": tested.reply or None,
    }


def _parameters(mail: Mail, request: Mapping[str, RequestSettings]) -> dict[str, Any]:
    """SendEmail's arguments for a mail by its account, without the content."""
    made = request_for(mail, request[mail.options.account])
    del made["Content"]
    return made


def _header(mails: Sequence[Mail], *, values: bool) -> dict[str, str]:
    """What a person sees of the header that SES would get."""
    shown = (*SHOWN, "subject") if values else SHOWN
    fields = parse(mails[0].content).fields if mails else ()
    return {field.name: decoded(field.value) for field in fields if field.key in shown}


def _as_text(tested: Tested, shown: Mapping[str, Any]) -> str:
    lines = []
    for verdict in tested.verdicts:
        what = f"no, {verdict.failed}" if verdict.failed else "holds"
        if not verdict.failed and verdict.rule is not tested.rule:
            what = "holds, behind the mail's"
        lines.append((verdict.rule.name, what))
    lines += [("", ""), ("rule", shown["rule"] or "none")]
    lines += [
        (f"variable {name}", _line(value)) for name, value in shown["variables"].items()
    ]
    lines += [("found nothing", pattern) for pattern in shown["missing"]]
    if tested.reply:
        lines.append(("refused", tested.reply))
    else:
        template = " ".join(filter(None, (shown["template"], shown["locale"])))
        lines += [
            ("usage", shown["usage"] or "none"),
            ("template", template or "none"),
            *((name, one) for name, one in shown["header"].items()),
            *(("SendEmail", json.dumps(one)) for one in shown["parameters"]),
        ]
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(
        f"{name + ':':{width}} {text}".rstrip() if name else "" for name, text in lines
    )


def _line(value: object) -> str:
    """A value in one line; None: it is not shown."""
    if value is None:
        return "found (--show-values shows it)"
    return json.dumps(value, ensure_ascii=False)
