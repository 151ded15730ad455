"""`relay check`: read and validate everything; with --online, ask AWS too."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import Literal

from relay import config
from relay.app import front, in_force, in_vain, ses_side
from relay.app.guard import guard, in_words
from relay.app.senders import senders
from relay.cli import settings
from relay.cli.finding import Finding
from relay.config import webhooks
from relay.config.explain import dotted
from relay.content.address import mailbox
from relay.queue import file
from relay.queue.store import RESERVE
from relay.smtp.certificate import BadCertificate, Certificate
from relay.system import mounts
from relay.system.process import CannotStart
from relay.templates.catalog import Templates

# A certificate that ends within this is worth a warning.
SOON = timedelta(days=14)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings.add(parser)
    parser.add_argument(
        "--online",
        action="store_true",
        help="ask AWS: credentials, identities, sandbox, quota, configuration set, "
        "the queue that relays share, and that of SES' events",
    )


def run(options: argparse.Namespace) -> int:
    """Check; 1 when there is a problem, 2 when the settings cannot be used."""
    chosen = settings.to_serve(options)
    if chosen is None:
        return 2
    try:
        templates, findings = offline(chosen)
    except CannotStart as error:
        settings.complain(str(error))
        return 2
    if options.online:
        findings += asyncio.run(online(chosen, templates))
    for finding in findings:
        print(f"{finding.level}: {finding.text}")
    return 1 if any(finding.level == "problem" for finding in findings) else 0


def offline(chosen: config.Config) -> tuple[Templates, list[Finding]]:
    """The templates, and all that can be said without asking anybody.

    What a start asks, in its words. Raises CannotStart.
    """
    templates = in_force.templates(chosen)
    in_force.rules(chosen, templates)
    certificate = front.certificate(chosen)
    tracked: list[str] = []
    if chosen.transport != "capture":
        untracks = asyncio.run(ses_side.try_to_open(chosen))
        tracked = [] if untracks else list(in_vain.tracked(chosen, templates))
    waiting = in_vain.without_queue(chosen, templates)
    return templates, [
        Finding("ok", f"settings: {chosen.file or 'from the environment'}"),
        Finding("ok", f"templates: {', '.join(templates.usages) or 'none'}"),
        *([_end_of(certificate)] if isinstance(certificate, Certificate) else []),
        *(Finding("warning", warning) for warning in templates.warnings),
        *(Finding("warning", one) for one in config.warnings(chosen)),
        *(Finding("warning", one) for one in (*waiting, *tracked)),
        *(Finding("warning", one) for one in config.exposed(chosen, os.environ)),
        *_accounts(chosen),
        *_guard(chosen),
        *_webhooks(chosen),
        *_outside_the_identity(chosen, templates),
        *_spool(chosen),
    ]


def _end_of(certificate: Certificate) -> Finding:
    """How long the listeners' certificate is good for."""
    try:
        end = certificate.ends()
    except BadCertificate as error:  # OpenSSL takes it; its end cannot be told
        return Finding("warning", str(error))
    left = end - datetime.now(UTC)
    if left < timedelta(0):
        return Finding(
            "problem",
            f"tls.certFile: ended on {end:%Y-%m-%d}; renew it, and the "
            "running relay reads the new one by itself",
        )
    level: Literal["ok", "warning"] = "ok" if left > SOON else "warning"
    return Finding(level, f"tls.certFile: is good until {end:%Y-%m-%d}")


def _accounts(chosen: config.Config) -> list[Finding]:
    """Which there are beside `[ses]`, and whose mail each takes."""
    found = []
    for account in config.accounts(chosen)[1:]:
        parts = [account.ses.region or "AWS' own region"]
        if account.domains:
            parts.append(f"mail from {', '.join(account.domains)}")
        if account.fallback:
            parts.append(f"else by {account.fallback}")
        found.append(Finding("ok", f"account {account.name}: {'; '.join(parts)}"))
        ruled = any(rule.account == account.name for rule in chosen.rules)
        back = any(one.fallback == account.name for one in chosen.accounts)
        if not (account.domains or ruled or back):
            text = f"{account.place}: no domains, and no rule and no fallback names it"
            found.append(Finding("warning", f"{text}; no mail leaves by it"))
    return found


def _webhooks(chosen: config.Config) -> list[Finding]:
    """Who is told of what, and whether that outlives a restart."""
    places = {"sqlite": "in the spool", "sqs": "in the bucket", "none": "in memory"}
    kept = places[chosen.queue.engine]
    return [
        Finding(
            "ok",
            f"webhook {webhooks.name_of(one)}: {webhooks.place(one.url).authority} is "
            f"told of {', '.join(one.events) or 'all events'}; kept {kept}",
        )
        for one in chosen.webhooks
    ]


def _guard(chosen: config.Config) -> list[Finding]:
    """That a guard is up, and what it does to reports."""
    up = guard(chosen)
    if up is None:
        return []
    found = [Finding("ok", f"guard: {in_words(chosen)}")]
    report_to = config.address_of(chosen.queue.report_to)
    if report_to and not up.takes(report_to):
        text = f"queue.reportTo = {report_to!r}: gets no reports, for the guard lets "
        found.append(Finding("warning", f"{text}no mail go there"))
    return found


def _outside_the_identity(chosen: config.Config, templates: Templates) -> list[Finding]:
    """Senders that `emailAddressIdentityArn`, which goes with every mail, lacks."""
    return [
        Finding(
            "warning",
            f"{setting} = {sender!r}: outside {dotted(account.location)}."
            f"emailAddressIdentityArn ({identity}), which goes with every mail; SES "
            "will refuse it",
        )
        for account in config.accounts(chosen)
        if (arn := account.ses.email_address_identity_arn)
        and (identity := arn.rpartition("identity/")[2].lower())
        for setting, sender in _identities(chosen, templates, account)
        if not setting.endswith((".feedbackForwardingEmailAddress", "]"))
        and not _covers(identity, sender.lower())
    ]


def _covers(identity: str, sender: str) -> bool:
    """Tell whether an identity, an address or a domain, lets `sender` send."""
    domain = sender.rpartition("@")[2]
    return identity in (sender, domain) or domain.endswith(f".{identity}")


def _spool(chosen: config.Config) -> list[Finding]:
    """Whether the queue's file can be written, and lies where mail is safe."""
    if chosen.queue.engine != "sqlite":
        return []
    path = config.spool_path(chosen)
    try:
        path = path.absolute()
    except OSError as error:  # there is no working directory
        return [Finding("problem", file.trouble(path, error))]
    here = f"queue.path = {path}"
    directory = path.parent
    if not os.access(directory, os.F_OK):
        text = f"{here}: there is no directory {directory}; make it, for the relay"
        return [Finding("problem", text)]
    if not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
        text = f"{here}: {directory} is no directory that this user can write to"
        return [Finding("problem", text)]
    if path.is_dir():
        text = f"{here}: a directory; name a file in it, such as relay-spool.db"
        return [Finding("problem", text)]
    if path.exists():
        if not os.access(path, os.R_OK | os.W_OK):
            text = f"{here}: run this as its owner, or give it to this user"
            return [Finding("problem", text)]
        try:
            file.check_private(path)
            file.opened(path, write=False).close()
        except file.UnusableSpool as error:
            return [Finding("problem", str(error))]
        except OSError as error:
            return [Finding("problem", file.trouble(path, error))]
    free = shutil.disk_usage(directory).free
    found = [Finding("ok", f"queue: {path}, {free / 1e9:.1f} GB are free")]
    # A body is written twice: to the log, then to its place.
    needed = 2 * chosen.limits.message_size + RESERVE
    if free < needed:
        text = (
            f"{here}: {free / 1e6:.0f} MB are free, and a mail of limits.messageSize "
            f"takes {needed / 1e6:.0f} MB; until there is room it hears 451 4.3.0"
        )
        found.append(Finding("warning", text))
    mount = mounts.under(directory)
    if mount is not None and mount.danger:
        found.append(Finding("warning", f"{here}: {mount.danger}"))
    return found


async def online(chosen: config.Config, templates: Templates) -> list[Finding]:
    """What AWS says of them."""
    if chosen.transport == "capture":
        return [Finding("ok", 'transport = "capture": there is nothing to ask')]
    from relay.cli import check_aws

    found: list[Finding] = []
    if chosen.queue.engine == "sqs":
        from relay.app.fleet_side import fleet_settings
        from relay.fleet import checks

        asked_of = await checks.checks(fleet_settings(chosen))
        found += (Finding(line.level, line.text) for line in asked_of)
    if chosen.events.url:
        from relay.app.events_side import events_settings
        from relay.fleet import checks

        asked_of = await checks.checks_of_events(events_settings(chosen))
        found += (Finding(line.level, line.text) for line in asked_of)
    for account in config.accounts(chosen):
        of = f"account {account.name}: " if account.key else ""
        asked = await check_aws.checks(
            ses_side.client_settings(account.ses),
            place=dotted(account.location),
            identities=_identities(chosen, templates, account),
            identity_arn=account.ses.email_address_identity_arn,
            configuration_set=account.ses.configuration_set_name,
            rules_sets=[
                (f"rules[{number}].configurationSetName", rule.configuration_set_name)
                for number, rule in enumerate(chosen.rules)
                if rule.configuration_set_name
                and (rule.account or config.DEFAULT) == account.name
            ],
        )
        found += (Finding(one.level, f"{of}{one.text}") for one in asked)
    return found


def _identities(
    chosen: config.Config, templates: Templates, account: config.Sending
) -> list[tuple[str, str]]:
    """The senders that SES must know, each with the setting that names it.

    Those of the account's mail: its own, and templates' whose domain it has.
    """
    here, ses = dotted(account.location), account.ses
    named = [
        (
            f"{here}.feedbackForwardingEmailAddress",
            mailbox(ses.feedback_forwarding_email_address).address,
        ),
        *(
            (f"{here}.domains[{number}]", domain.removeprefix("*."))
            for number, domain in enumerate(account.domains)
        ),
    ]
    if not account.key or ses.email_address != chosen.ses.email_address:
        # What an account has not of its own, is in From where its domain is.
        named.insert(0, (f"{here}.emailAddress", mailbox(ses.email_address).address))
    by = senders(chosen)
    named += [
        (place("sendFrom"), address)
        for place, template in in_vain.entries(chosen, templates)
        if "{" not in template.send_from and "@" in template.send_from
        if (address := mailbox(template.send_from).address)
        and by.of(address).account == account.key
    ]
    named += [
        (f"rules[{number}].setFrom", address)
        for number, rule in enumerate(chosen.rules)
        if (address := mailbox(rule.set_from).address)
        and _named(rule.account, by.of(address).account) == account.key
    ]
    return [(setting, address) for setting, address in named if address]


def _named(by_rule: str, by_domain: str) -> str:
    """The account of a rule's mail: the one it names, else that of the domain."""
    if not by_rule:
        return by_domain
    return "" if by_rule == config.DEFAULT else by_rule
