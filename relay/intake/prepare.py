"""From a submission to the mails that SES gets, or a refusal; pure.

The order: line ends, control headers, rules, usage, template or pass-through, options,
at most 50 recipients a mail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any

from relay.content.header import (
    Field,
    Message,
    header_of,
    limited_fields,
    normalise,
    parse,
)
from relay.content.ses_safe import check_structure
from relay.delivery.guarded import guarded_parts
from relay.intake import control_headers
from relay.intake.control_field import MAX_USAGE, bounded
from relay.intake.effort import Effort
from relay.intake.idempotency import key_of
from relay.intake.passed_through import breaks, goes_as_it_is, passed
from relay.intake.ruling import chosen, ruled
from relay.intake.send_at import later
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.intake.shares import shares
from relay.intake.slips import about_leaves, about_usage
from relay.intake.vendor_headers import NONE as NO_VENDORS
from relay.intake.vendor_headers import Vendors
from relay.model.guard import Guard
from relay.model.mail import RECIPIENTS_PER_CALL, Choice, Mail, Prepared
from relay.model.replies import (
    GUARDED,
    LOOP,
    MAX_RECEIVED,
    NOT_PREPARED,
    no_usage,
)
from relay.model.reply import Refused
from relay.model.slip import Slip
from relay.model.submission import Envelope, Order, Submission
from relay.rules.facts import Facts
from relay.rules.rules import NO_RULE, Rule, Rules
from relay.templates.catalog import Templates
from relay.templates.template import Template

# Of the variables' names this much is remembered, for people who look at the mail.
MAX_NAMES, MAX_NAME = 50, 64

NO_CONTROLS = control_headers.Controls()
NO_ORIGINAL = parse(b"")
NO_CHOICE = Choice()


class Preparation:
    """Makes mails of submissions, as the settings and the templates want them."""

    def __init__(
        self,
        *,
        templates: Templates,
        usage_header: str = "X-Relay-Usage",
        without_usage: str = "pass",
        accounts: SenderAccounts | None = None,
        headers_of: Collection[str] = (),
        split_at: int = RECIPIENTS_PER_CALL,
        rules: Rules | None = None,
        guard: Guard | None = None,
    ) -> None:
        self._templates = templates
        self._rules = rules
        self._usage_header = usage_header
        self._without_usage = without_usage
        self._accounts = accounts or SenderAccounts([SenderAccount()])
        self._accounts.know(templates.usages)
        self._vendors = Vendors(headers_of) if headers_of else NO_VENDORS
        self._split_at = split_at
        self._guard = guard
        # Mails of one usage mostly give the same variables.
        self._choice = lru_cache(maxsize=64)(_choice)
        self._effort = Effort(
            (name for template in templates.all for name in template.variables),
            usage_header=usage_header,
            any_usage=without_usage not in ("pass", "reject")
            or bool(headers_of)
            or (rules is not None and rules.name_usages),
            search_bodies=rules is not None and rules.read_bodies,
        )

    def takes_long(self, submission: Submission) -> bool:
        """Tell cheaply whether `prepare` would hold up other clients."""
        return self._effort.is_long(submission)

    def prepare(self, submission: Submission, *, plainly: bool = False) -> Prepared:
        """The mails to send. Raises Refused with what the client is to hear.

        `plainly`: nothing is done but what must be, so no template, and nothing is
        made safe for SES; for what `prepare` broke on.
        """
        if plainly and submission.order is not None:
            raise Refused(NOT_PREPARED)
        if submission.order is not None:
            return self._ordered(submission.order, submission)
        content = normalise(submission.content)
        header = header_of(content)
        lower = header.lower()
        if lower.count(b"received") > MAX_RECEIVED:
            _refuse_loop(header)
        controls = NO_CONTROLS
        kept: tuple[Field, ...] | None = None  # the header, where it was taken apart
        out: Sequence[Field] = ()
        if control_headers.mentions(lower, self._usage_header):
            kept, out = control_headers.taken_out(
                limited_fields(header), self._usage_header
            )
            controls = control_headers.read(
                Message(out, b""),
                usage_header=self._usage_header,
                client_headers=self._accounts.client_headers,
                vendors=self._vendors,
            )
        rule, own = NO_RULE, controls
        if self._rules is not None:
            facts = Facts(submission, content, header, lower)
            rule = self._rules.rule_for(facts) or NO_RULE
        try:
            if rule is not NO_RULE:
                controls = ruled(controls, rule, facts)
            prepared = self._mails(
                submission, content, header, lower, kept, out, controls, rule, plainly
            )
            if own is not NO_CONTROLS:
                prepared = self._with_slips(prepared, own)
            if own.send_at is None and not own.key:
                return prepared
            came = Message(limited_fields(header), content[len(header) :])
            return _with_promises(prepared, submission, came, own)
        except Refused as refused:
            refused.rule = rule.name
            refused.slips = own.slips
            raise

    def _mails(
        self,
        submission: Submission,
        content: bytes,
        header: bytes,
        lower: bytes,
        kept: tuple[Field, ...] | None,
        out: Sequence[Field],
        controls: control_headers.Controls,
        rule: Rule,
        plainly: bool,
    ) -> Prepared:
        """Those of a mail whose control headers were read, and whose rule was found.

        `kept` is the rest of its header, where control headers were taken out: `out`.
        """
        envelope = submission.envelope
        usage = controls.usage or submission.usage or self._default_usage()
        choice = NO_CHOICE
        limit = None
        tracking = True
        leaves: tuple[Slip, ...] = ()
        if usage and plainly:
            raise Refused(NOT_PREPARED)
        if usage:
            fields = limited_fields(header) if kept is None else kept
            message = Message(fields, content[len(header) :])
            if lower.find(b"multipart/") >= 0:
                check_structure(message)
            content, choice, template, leaves = self._templated(
                message, envelope, controls, usage, rule
            )
            limit = template.limit(envelope.recipients)
            tracking = template.tracking
            account = self._accounts.account(rule, content, envelope.sender)
        else:
            left, start = kept, len(header)
            if rule.edits.any:
                fields = limited_fields(header) if kept is None else kept
                left = rule.edits.applied(fields, fields)
                header = b"".join([field.raw for field in left])
            account = self._accounts.account(rule, header, envelope.sender)
            if left is not None or not goes_as_it_is(
                content, header, lower, reencodes=account.reencode
            ):
                fields = limited_fields(header) if left is None else left
                mend = not plainly and account.reencode and breaks(content)
                content = passed(fields, content, start, envelope, mend=mend)
        if rule is not NO_RULE:
            choice = chosen(choice, rule)
        controls = self._accounts.heard(controls, out, account)
        options = account.options.of(controls, usage, rule, tracking=tracking)
        whole = Mail(envelope, content, options, choice)
        slips = controls.slips + leaves
        return Prepared(self._shares(whole), slips, limit=limit)

    def _ordered(self, order: Order, submission: Submission) -> Prepared:
        """The mail of an order: the template alone, around no original."""
        envelope = submission.envelope
        bounded(order.usage, "usage", MAX_USAGE)
        controls = control_headers.Controls(
            usage=order.usage,
            variables={**order.defaults, **order.variables},
            locale=order.locale,
        )
        content, choice, template, slips = self._templated(
            NO_ORIGINAL,
            envelope,
            controls,
            order.usage,
            defaults=order.defaults.keys() - order.variables.keys(),
        )
        choice = replace(choice, variables=_names(order.variables))
        account = self._accounts.account(NO_RULE, content, envelope.sender)
        options = account.options.of(controls, order.usage, tracking=template.tracking)
        mails = self._shares(Mail(envelope, content, options, choice))
        limit = template.limit(envelope.recipients)
        prepared = Prepared(mails, slips, limit=limit)
        prepared = self._with_slips(prepared, controls)
        own = controls._replace(
            variables=order.variables, send_at=order.send_at, key=order.key
        )
        return _with_promises(prepared, submission, NO_ORIGINAL, own)

    def _with_slips(
        self, prepared: Prepared, own: control_headers.Controls
    ) -> Prepared:
        """The same, with what is wrong with the usage that its client asks for."""
        choice = prepared.mails[0].choice
        slips = about_usage(
            choice, own.usage, bool(own.variables), self._templates.usages
        )
        if not slips:
            return prepared
        return prepared._replace(slips=(*prepared.slips, *slips))

    def _default_usage(self) -> str:
        match self._without_usage:
            case "pass":
                return ""
            case "reject":
                raise no_usage(self._usage_header)
        return self._without_usage

    def _templated(
        self,
        message: Message,
        envelope: Envelope,
        controls: control_headers.Controls,
        usage: str,
        rule: Rule = NO_RULE,
        defaults: Collection[str] = (),
    ) -> tuple[bytes, Choice, Template, tuple[Slip, ...]]:
        variables = dict(controls.variables)
        locale = controls.locale
        if locale:
            variables.setdefault("locale", locale)
        elif isinstance(variables.get("locale"), str):
            locale = variables["locale"]
        account = self._accounts.named(rule.source.account)
        templates = self._templates if account is None else account.templates
        template = (templates or self._templates).choose(usage, locale)
        sender = rule.edits.sender(message.fields)
        lacking: dict[str, None] = {}
        content = template.apply(
            message, envelope, variables, sender, locale=locale, lacking=lacking
        )
        if rule.edits.any:
            made = parse(content)
            fields = rule.edits.applied(made.fields, message.fields)
            content = Message(fields, made.rest).content
        choice = self._choice(usage, template, _names(controls.variables))
        slips = about_leaves(lacking, template.usage, defaults) if lacking else ()
        return content, choice, template, slips

    def _shares(self, whole: Mail) -> tuple[Mail, ...]:
        """The mails of a submission, each for one call. Raises Refused."""
        if self._guard is None:
            return self._calls(whole)
        parts = guarded_parts(whole, self._guard)
        if not parts:
            raise Refused(GUARDED)
        return tuple(call for part in parts for call in self._calls(part))

    def _calls(self, whole: Mail) -> tuple[Mail, ...]:
        parts = shares(whole.envelope, self._split_at)
        if parts == [whole.envelope]:  # as nearly always
            return (whole,)
        rest = whole.content, whole.options, whole.choice
        return tuple([Mail(one, *rest) for one in parts])


def _with_promises(
    prepared: Prepared,
    submission: Submission,
    came: Message,
    own: control_headers.Controls,
) -> Prepared:
    """The same, with the time and the key that its client asks for.

    `own` is what the mail, which came as `came`, says itself.
    """
    key = None
    if own.key:
        key = key_of(
            own.key,
            submission,
            came,
            usage=own.usage,
            locale=own.locale,
            variables=own.variables,
        )
    due = later(own.send_at, submission.received_at)
    return prepared._replace(send_at=due, key=key)


def _choice(usage: str, template: Template, names: tuple[str, ...]) -> Choice:
    return Choice(
        usage,
        template.usage,
        template.locale,
        template.valid_for,
        template.supersedes,
        names,
        template.priority,
    )


def _names(variables: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name[:MAX_NAME] for name in islice(variables, MAX_NAMES)])


def _refuse_loop(header: bytes) -> None:
    if len(parse(header).all("received")) > MAX_RECEIVED:
        raise Refused(LOOP)
