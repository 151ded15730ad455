"""What a mail says about its SES call: client, rule and settings, in one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from relay.intake.control_headers import Controls
from relay.model.mail import SendOptions
from relay.rules.rules import NO_RULE, Rule

_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")


class Options:
    """Makes the options of each mail of one account."""

    def __init__(
        self,
        *,
        tags: Mapping[str, str],
        usage_tag: str,
        usages: Iterable[str],
        account: str = "",
    ) -> None:
        self._account = account
        self._tags = dict(tags)
        self._usage_tag = usage_tag
        # Of mail that says nothing itself: made once for each usage that is known.
        self._usual = {
            (usage, untracked): SendOptions(
                tags=self._merged({}, usage, {}), account=account, untracked=untracked
            )
            for usage in ("", *usages)
            for untracked in (False, True)
        }

    def of(
        self,
        controls: Controls,
        usage: str,
        rule: Rule = NO_RULE,
        *,
        tracking: bool = True,
    ) -> SendOptions:
        """Those of a mail; who stands nearer to it goes first.

        `tracking` is its template's word, beside which the rule has its own.
        """
        untracked = not (tracking and rule.source.tracking)
        usual = self._usual.get((usage, untracked))
        if usual is not None and not controls.about_ses and not rule.about_ses:
            return usual
        return SendOptions(
            configuration_set=controls.configuration_set,
            from_arn=controls.from_arn,
            feedback_arn=controls.feedback_arn,
            tenant=controls.tenant,
            list_management=controls.list_management,
            tags=self._merged(controls.tags, usage, rule.source.tags),
            account=self._account,
            rules_set=rule.source.configuration_set,
            untracked=untracked,
        )

    def _merged(
        self, clients: Mapping[str, str], usage: str, rules: Mapping[str, str]
    ) -> tuple[tuple[str, str], ...]:
        tags = {**self._tags, **rules}
        tags |= {name: tag for name, tag in clients.items() if name != self._usage_tag}
        if self._usage_tag and usage:
            tags[self._usage_tag] = _NOT_IN_A_TAG.sub("_", usage)[:256]
        return tuple(tags.items())
