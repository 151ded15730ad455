"""What stands on top of the page while it is so: each a sentence, and its cure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from relay.model.mail import DEFAULT
from relay.observe.settings_read import SettingsRead
from relay.observe.stats import Stats, answer_class
from relay.observe.webhook import WebhookFigures
from relay.web import ses_remedies
from relay.web.remedy import Circumstances
from relay.web.ses_remedies import Said

# A sender that tries no more is no trouble any more; one that does, hears it again.
OF_A_SENDER = 3600.0  # seconds
FAILURES_SHOWN = 3  # of a webhook, in a row: half a minute or more


def of_settings(read: SettingsRead) -> list[dict[str, str]]:
    """What keeps the settings as they are written from being in force."""
    if read.mistake:
        text = "The settings were changed and have a mistake; the last good ones hold."
        return [{"text": text, "cure": read.mistake}]
    if read.needs_restart:
        named = ", ".join(read.needs_restart)
        return [{"text": f"Changed settings wait for a restart: {named}.", "cure": ""}]
    return []


def of_sending(
    stats: Stats, about: Circumstances, clock: Callable[[], float] = time.monotonic
) -> list[dict[str, str]]:
    """What an operator must know, each in a sentence, and what to do about it."""
    now = stats.now()
    waits = ""
    if now.waiting:
        waits = " 1 mail waits." if now.waiting == 1 else f" {now.waiting} mails wait."
    troubles = []
    if now.paused and not now.accounts:
        text = f"Sending is paused: {now.paused}.{waits}"
        troubles.append({"text": text, "cure": _of_pause(now.paused, about)})
    for account in now.accounts:
        if account.paused:
            goes = f" Its mail goes by {account.fallback}." if account.fallback else ""
            text = (
                f"Account {account.account} is paused: {account.paused}.{goes}{waits}"
            )
            troubles.append({"text": text, "cure": _of_pause(account.paused, about)})
    paused = {one.account: one.paused for one in now.accounts} or {DEFAULT: now.paused}
    for (by, sender), (alarm, at, to) in stats.alarms.items():
        if alarm.reply.text == paused.get(by or DEFAULT):
            continue
        if sender and clock() - at > OF_A_SENDER:
            continue
        of = f" of account {by or DEFAULT}" if now.accounts else ""
        what = f"refuses mail from {sender}" if sender else "takes no mail"
        text = f"SES {what}{of}: {alarm.reply.text.rstrip('.')}.{waits}"
        said = Said(alarm.detail, sender, to)
        cure = ses_remedies.remedy(answer_class(alarm), said, about)
        troubles.append({"text": text, "cure": cure.in_words})
    return troubles


def of_events(stats: Stats) -> list[dict[str, str]]:
    """What keeps the relay from hearing what becomes of mail that SES took."""
    if not (found := stats.deaf()):
        return []
    text = "SES' events cannot be received; mail is taken and sent all the same."
    return [{"text": text, "cure": found}]


def of_webhooks(figures: Sequence[WebhookFigures]) -> list[dict[str, str]]:
    """Which of them are told nothing, or in vain."""
    troubles = []
    for one in figures:
        waits = f" {one.waiting} events wait." if one.waiting else ""
        if one.waiting == 1:
            waits = " 1 event waits."
        if one.off:
            text = f"Webhook {one.name} is switched off: {one.off}.{waits}"
            cure = (
                "Repair it, or take it out of the settings; then a reload "
                "(SIGHUP) or a restart tries it again."
            )
            troubles.append({"text": text, "cure": cure})
        elif one.failures >= FAILURES_SHOWN:
            text = f"Webhook {one.name} fails: {one.detail.rstrip('.')}.{waits}"
            cure = "It is tried again by itself, and switched off after 30 failures."
            troubles.append({"text": text, "cure": cure})
    return troubles


def _of_pause(said: str, about: Circumstances) -> str:
    """What to do about the pause of which SES said so much."""
    lower = said.lower()
    found = (one for one in ("quota", "suspended") if one in lower)
    return ses_remedies.remedy(next(found, "paused"), Said(""), about).in_words
