"""The account that a mail leaves by, and what it says of the mail's call.

It is its rule's, else the one with the domain of the From that leaves, else `[ses]`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from relay.content.address import author
from relay.content.encoded_words import decoded
from relay.content.header import Field, header_of, parse
from relay.intake.control_headers import Controls, with_ses_headers
from relay.intake.options import Options
from relay.model.mail import DEFAULT
from relay.rules.rules import Rule
from relay.templates.catalog import Templates


class SenderAccount:
    """What the settings say of one account's mail; "" is `[ses]`.

    `templates` are those that have its `emailAddress` in From, where it has its own.
    """

    def __init__(
        self,
        account: str = "",
        *,
        domains: Sequence[str] = (),
        client_headers: Collection[str] = (),
        tags: Mapping[str, str] | None = None,
        usage_tag: str = "usage",
        reencode: bool = True,
        templates: Templates | None = None,
    ) -> None:
        self.account = account
        self.domains = domains
        self.client_headers = tuple(client_headers)
        self.tags = dict(tags or {})
        self.reencode = reencode
        self.templates = templates
        self._usage_tag = usage_tag
        self.know(())

    def know(self, usages: Sequence[str]) -> None:
        """Make ready for mail of these usages."""
        self.options = Options(
            tags=self.tags,
            usage_tag=self._usage_tag,
            usages=usages,
            account=self.account,
        )


class SenderAccounts:
    """All of them, `[ses]` first."""

    def __init__(self, accounts: Sequence[SenderAccount]) -> None:
        self.default = accounts[0]
        self._named = {one.account or DEFAULT: one for one in accounts}
        self._by_domain = {name: one for one in accounts for name in one.domains}
        lists = {frozenset(one.client_headers) for one in accounts}
        # Which X-SES-* headers count is known once the account is.
        self._late = len(lists) > 1

    def know(self, usages: Sequence[str]) -> None:
        """Make ready for mail of these usages."""
        for account in self._named.values():
            account.know(usages)

    @property
    def client_headers(self) -> Collection[str]:
        """Which X-SES-* headers count for every mail."""
        return () if self._late else self.default.client_headers

    def named(self, name: str) -> SenderAccount | None:
        """The account that a rule names; None: it names none."""
        return self._named[name] if name else None

    def account(self, rule: Rule, header: bytes, sender: str | None) -> SenderAccount:
        """That of a mail: by its rule, else by the From in the header that leaves.

        Where it has none, `sender` will be it.
        """
        if rule.source.account:
            return self._named[rule.source.account]
        if not self._by_domain:
            return self.default
        field = parse(header_of(header)).first("from")
        address = (
            (sender or "") if field is None else author(field.value, decoded).address
        )
        return self.of(address)

    def of(self, address: str) -> SenderAccount:
        """The account that has the domain of an address."""
        _, at, domain = address.rpartition("@")
        domain = domain.lower().rstrip(".") if at else ""
        if domain in self._by_domain:
            return self._by_domain[domain]
        while domain:
            domain = domain.partition(".")[2]
            if (found := self._by_domain.get(f"*.{domain}")) is not None:
                return found
        return self.default

    def heard(
        self, controls: Controls, out: Sequence[Field], account: SenderAccount
    ) -> Controls:
        """What the X-SES-* headers in `out` ask for, as far as the account lets them.

        Raises Refused with a reply that names the header.
        """
        if not self._late:
            return controls
        return with_ses_headers(controls, out, account.client_headers)
