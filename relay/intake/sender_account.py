"""The account that a mail leaves by, and what it says of the mail's call.

It is its rule's, else the one with the domain of the From that leaves, else `[ses]`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from relay.content.address import first_address
from relay.content.encoded_words import decoded
from relay.content.header import Field, header_of, parse
from relay.intake.control_headers import Controls, with_ses_headers
from relay.model.mail import DEFAULT, SendOptions
from relay.templates.catalog import Templates

_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")


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
        # Of mail without X-SES-* headers: made once for each usage that is known.
        self._usual: dict[str, SendOptions] = {}

    def know(self, usages: Sequence[str]) -> None:
        """Make ready for mail of these usages."""
        for usage in ("", *usages):
            self._usual[usage] = self._made(Controls(), usage)

    def options(self, controls: Controls, usage: str) -> SendOptions:
        """What a call says of a mail."""
        usual = self._usual.get(usage)
        if usual is not None and not controls.about_ses:
            return usual
        return self._made(controls, usage)

    def _made(self, controls: Controls, usage: str) -> SendOptions:
        return SendOptions(
            configuration_set=controls.configuration_set,
            from_arn=controls.from_arn,
            feedback_arn=controls.feedback_arn,
            tenant=controls.tenant,
            list_management=controls.list_management,
            tags=self._merged_tags(controls.tags, usage),
            account=self.account,
        )

    def _merged_tags(
        self, clients: Mapping[str, str], usage: str
    ) -> tuple[tuple[str, str], ...]:
        tags = dict(self.tags)
        tags |= {name: tag for name, tag in clients.items() if name != self._usage_tag}
        if self._usage_tag and usage:
            tags[self._usage_tag] = _NOT_IN_A_TAG.sub("_", usage)[:256]
        return tuple(tags.items())


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

    def by_header(self, header: bytes, sender: str | None) -> SenderAccount:
        """The account of the From that leaves; without one `sender` will be it."""
        if not self._by_domain:
            return self.default
        field = parse(header_of(header)).first("from")
        address = (
            (sender or "") if field is None else first_address(decoded(field.value))
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
