"""The accounts that mail leaves by, each with all that `[ses]` says for it as well.

The first is `[ses]` itself, whose name is "default".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from relay.config.explain import Location, dotted
from relay.config.models import Account, Config, Ses, revealed
from relay.model.mail import DEFAULT

# Who asks. They come together: half of one account's and half of another's is nobody.
_CREDENTIALS = (
    "access_key_id",
    "access_key_id_file",
    "access_key_secret",
    "access_key_secret_file",
    "role_arn",
)


@dataclass(frozen=True, slots=True)
class Sending:
    """One account, whole; `location` is where the file has it."""

    name: str
    location: Location
    ses: Ses
    rate: Literal["auto"] | float
    share: float
    domains: tuple[str, ...] = ()
    fallback: str = ""

    @property
    def place(self) -> str:
        """As a message names it: `ses`, or `accounts[1] (brand-b)`."""
        named = f" ({self.name})" if self.name != DEFAULT else ""
        return f"{dotted(self.location)}{named}"

    @property
    def key(self) -> str:
        """Its name in a mail's options: "" is [ses]."""
        return "" if self.name == DEFAULT else self.name

    @property
    def door(self) -> tuple[str, ...]:
        """Credentials and region: accounts that have the same share what is SES' own.

        Its pace, its pause, the connections to it.
        """
        ses = self.ses
        secrets = (revealed(ses.access_key_id), revealed(ses.access_key_secret))
        return (*secrets, ses.role_arn, ses.region, ses.endpoint_url)


def accounts(config: Config) -> tuple[Sending, ...]:
    """All of them, `[ses]` first."""
    pace = config.pace
    default = Sending(DEFAULT, ("ses",), config.ses, pace.rate, pace.share)
    others = (
        Sending(
            account.name,
            ("accounts", number),
            _whole(account, config.ses),
            account.rate if "rate" in account.given else pace.rate,
            account.share if "share" in account.given else pace.share,
            account.domains,
            account.fallback,
        )
        for number, account in enumerate(config.accounts)
    )
    return (default, *others)


def _whole(account: Account, ses: Ses) -> Ses:
    """What `[ses]` says, but for what the account says itself."""
    given = account.given & Ses.kinds().keys()
    own = set(given)
    if not given.isdisjoint(_CREDENTIALS):
        own.update(_CREDENTIALS)
    return ses.replaced(**{name: getattr(account, name) for name in own})
