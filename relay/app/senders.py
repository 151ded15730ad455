"""What the settings say of each account's mail before it leaves."""

from __future__ import annotations

from relay import config
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.templates.catalog import Templates


def senders(
    settings: config.Config, templates: Templates | None = None
) -> SenderAccounts:
    """All accounts; with `templates`, those with an `emailAddress` have their own."""
    accounts = [
        SenderAccount(
            account.key,
            domains=account.domains,
            client_headers=account.ses.client_headers,
            tags=account.ses.tags,
            usage_tag=account.ses.usage_tag,
            reencode=account.ses.reencode == "auto",
            templates=_own(settings, account, templates),
        )
        for account in config.accounts(settings)
    ]
    return SenderAccounts(accounts)


def _own(
    settings: config.Config, account: config.Sending, templates: Templates | None
) -> Templates | None:
    address = account.ses.email_address
    asked_for = any(rule.account == account.name for rule in settings.rules)
    if templates is None or not asked_for or address == settings.ses.email_address:
        return None
    return Templates(
        [template.source for template in templates.all],
        email_address=address,
        missing=settings.missing_variables,
    )
