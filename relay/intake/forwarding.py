"""A mail that was kept instead of being sent, and goes to somebody else as it is."""

from __future__ import annotations

from dataclasses import replace

from relay.delivery.guarded import guarded_parts
from relay.intake.sender_account import SenderAccounts
from relay.model.guard import Guard
from relay.model.mail import Mail, Prepared
from relay.model.replies import GUARDED
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.rules.rules import NO_RULE, Rules
from relay.templates.catalog import Templates


def forwarded(
    kept: Mail,
    recipient: str,
    *,
    templates: Templates,
    accounts: SenderAccounts,
    rules: Rules | None,
    guard: Guard | None,
) -> Prepared:
    """The same content to `recipient`, by the account that it was made for.

    It counts into its template's limit, and ends no other mail. A report about it
    would reach whoever had nothing to do with it, so its sender is nobody. Raises
    Refused where the guard would only keep it again.
    """
    if guard is not None and guard.others != "redirect" and not guard.allows(recipient):
        raise Refused(GUARDED)
    choice = kept.choice
    named = (rule for rule in (rules.all if rules else ()) if rule.name == choice.rule)
    account = accounts.account(next(named, NO_RULE), kept.content, None)
    mail = replace(
        kept,
        envelope=Envelope(None, (recipient,)),
        options=kept.options._replace(account=account.account),
        choice=replace(choice, supersedes=False),
    )
    mails = [mail] if guard is None else guarded_parts(mail, guard)
    limits = (
        template.limit((recipient,))
        for template in templates.all
        if (template.usage, template.locale) == (choice.template, choice.locale)
    )
    return Prepared(tuple(mails), limit=next(limits, None))
