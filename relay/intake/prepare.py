"""From a submission to the mails that SES gets, or a refusal; pure.

The order: line ends, control headers, rules, usage, template or pass-through, options,
at most 50 recipients a mail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from relay.content.header import (
    Field,
    Message,
    header_of,
    limited_fields,
    normalise,
    parse,
    with_first,
)
from relay.content.ses_safe import (
    check_structure,
    has_long_line,
    may_exceed,
    reencode,
)
from relay.delivery.guarded import guarded_parts
from relay.intake import control_headers
from relay.intake.control_field import MAX_USAGE, bounded
from relay.intake.effort import Effort
from relay.intake.ruling import chosen, ruled
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.intake.vendor_headers import NONE as NO_VENDORS
from relay.intake.vendor_headers import Vendors
from relay.model.guard import Guard
from relay.model.mail import RECIPIENTS_PER_CALL, Choice, Mail, Prepared
from relay.model.replies import (
    GUARDED,
    LOOP,
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    MAX_RECEIVED,
    NO_FROM,
    NOT_PREPARED,
    no_usage,
)
from relay.model.reply import Refused
from relay.model.submission import Envelope, Order, Submission
from relay.rules.facts import Facts
from relay.rules.rules import NO_RULE, Rule, Rules
from relay.templates.catalog import Templates

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
            return self._ordered(submission.order, submission.envelope)
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
        rule = NO_RULE
        if self._rules is not None:
            facts = Facts(submission, content, header, lower)
            rule = self._rules.rule_for(facts) or NO_RULE
        try:
            if rule is not NO_RULE:
                controls = ruled(controls, rule, facts)
            return self._mails(
                submission, content, header, lower, kept, out, controls, rule, plainly
            )
        except Refused as refused:
            refused.rule = rule.name
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
        if usage and plainly:
            raise Refused(NOT_PREPARED)
        if usage:
            fields = limited_fields(header) if kept is None else kept
            message = Message(fields, content[len(header) :])
            if lower.find(b"multipart/") >= 0:
                check_structure(message)
            content, choice = self._templated(message, envelope, controls, usage, rule)
            account = self._accounts.account(rule, content, envelope.sender)
        else:
            left, start = kept, len(header)
            if rule.edits.any:
                fields = limited_fields(header) if kept is None else kept
                left = rule.edits.applied(fields, fields)
                header = b"".join([field.raw for field in left])
            account = self._accounts.account(rule, header, envelope.sender)
            if left is not None or not _goes_as_it_is(
                content, header, lower, reencodes=account.reencode
            ):
                fields = limited_fields(header) if left is None else left
                breaks = not plainly and account.reencode and _breaks(content)
                content = self._passed(fields, content, start, envelope, breaks)
        if rule is not NO_RULE:
            choice = chosen(choice, rule)
        controls = self._accounts.heard(controls, out, account)
        options = account.options.of(controls, usage, rule)
        whole = Mail(envelope, content, options, choice)
        return Prepared(self._shares(whole), controls.warnings)

    def _ordered(self, order: Order, envelope: Envelope) -> Prepared:
        """The mail of an order: the template alone, around no original."""
        bounded(order.usage, "usage", MAX_USAGE)
        controls = control_headers.Controls(
            usage=order.usage,
            variables={**order.defaults, **order.variables},
            locale=order.locale,
        )
        content, choice = self._templated(NO_ORIGINAL, envelope, controls, order.usage)
        choice = replace(choice, variables=_names(order.variables))
        account = self._accounts.account(NO_RULE, content, envelope.sender)
        options = account.options.of(controls, order.usage)
        return Prepared(self._shares(Mail(envelope, content, options, choice)))

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
    ) -> tuple[bytes, Choice]:
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
        content = template.apply(message, envelope, variables, sender)
        if rule.edits.any:
            made = parse(content)
            fields = rule.edits.applied(made.fields, message.fields)
            content = Message(fields, made.rest).content
        return content, Choice(
            usage,
            template.usage,
            template.locale,
            template.valid_for,
            template.supersedes,
            _names(controls.variables),
            template.priority,
        )

    def _passed(
        self,
        fields: tuple[Field, ...],
        content: bytes,
        start: int,
        envelope: Envelope,
        breaks: bool,
    ) -> bytes:
        """Without a template: these fields, and the rest of `content`.

        `breaks`: SES would break something in it.
        """
        if all(field.key != "from" for field in fields):
            if envelope.sender is None:
                raise Refused(NO_FROM)
            made = b"From: " + envelope.sender.encode("utf-8", "replace") + b"\r\n"
            fields = with_first(fields, Field("From", made))
        # A text without a header gets the line between the two.
        empty = b"" if content.startswith(b"\r\n", start) else b"\r\n"
        if start == len(content) > 0:
            empty = b""
        if breaks or may_exceed(content):
            message = Message(fields, empty + content[start:])
            check_structure(message)
            if breaks:
                return reencode(message).content
        # A mail of 40 MB is copied once.
        view = memoryview(content)[start:]
        return b"".join([*(field.raw for field in fields), empty, view])

    def _shares(self, whole: Mail) -> tuple[Mail, ...]:
        """The mails of a submission, each for one call. Raises Refused."""
        if self._guard is None:
            return self._calls(whole)
        parts = guarded_parts(whole, self._guard)
        if not parts:
            raise Refused(GUARDED)
        return tuple(call for part in parts for call in self._calls(part))

    def _calls(self, whole: Mail) -> tuple[Mail, ...]:
        rest = whole.content, whole.options, whole.choice
        return tuple([Mail(one, *rest) for one in self._envelopes(whole.envelope)])

    def _envelopes(self, envelope: Envelope) -> list[Envelope]:
        """The recipients in their order, without duplicates, shared out among calls."""
        if len(envelope.recipients) == 1:
            return [envelope]
        unique: dict[str, str] = {}
        for recipient in envelope.recipients:
            local, at, domain = recipient.rpartition("@")
            key = f"{local}@{domain.lower()}" if at else recipient
            unique.setdefault(key, recipient)
        recipients = tuple(unique.values())
        shares = [
            recipients[start : start + self._split_at]
            for start in range(0, len(recipients), self._split_at)
        ]
        return [
            Envelope(envelope.sender, share, envelope.dsn.about(share))
            for share in shares
        ]


def _goes_as_it_is(
    content: bytes, header: bytes, lower: bytes, *, reencodes: bool
) -> bool:
    """Most mail: nothing to remove, to add, to encode, nor near a limit.

    What is looked for is in the bytes, because taking a header apart costs more
    than all of this.
    """
    return (
        len(header) <= MAX_HEADER_BYTES
        and header.count(b"\r\n") <= MAX_FIELDS
        and (lower.startswith(b"from:") or lower.find(b"\r\nfrom:") >= 0)
        and not (reencodes and _breaks(content))
        and not (lower.find(b"multipart/") >= 0 and may_exceed(content))
    )


def _names(variables: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name[:MAX_NAME] for name in islice(variables, MAX_NAMES)])


def _breaks(content: bytes) -> bool:
    return not content.isascii() or has_long_line(content, 0, len(content))


def _refuse_loop(header: bytes) -> None:
    if len(parse(header).all("received")) > MAX_RECEIVED:
        raise Refused(LOOP)
