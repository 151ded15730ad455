"""From a submission to the mails that SES gets, or a refusal; pure.

The order: line ends, control headers, rules, usage, template or pass-through, options,
at most 50 recipients a mail.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
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
)
from relay.content.ses_safe import (
    check_structure,
    has_long_line,
    may_exceed,
    reencode,
)
from relay.intake import control_headers
from relay.intake.control_field import bounded
from relay.intake.effort import Effort
from relay.intake.idempotency import key_of
from relay.intake.ruling import ruled
from relay.intake.send_at import later
from relay.intake.shares import shares
from relay.model.mail import RECIPIENTS_PER_CALL, Choice, Mail, Prepared, SendOptions
from relay.model.replies import (
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
from relay.rules.rules import Rules
from relay.templates.catalog import Templates
from relay.templates.template import Template

# Of the variables' names this much is remembered, for people who look at the mail.
MAX_NAMES, MAX_NAME = 50, 64

NO_CONTROLS = control_headers.Controls()
NO_ORIGINAL = parse(b"")
NO_CHOICE = Choice()
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9_-]")


class Preparation:
    """Makes mails of submissions, as the settings and the templates want them."""

    def __init__(
        self,
        *,
        templates: Templates,
        usage_header: str = "X-Relay-Usage",
        without_usage: str = "pass",
        client_headers: Collection[str] = (),
        tags: Mapping[str, str] | None = None,
        usage_tag: str = "usage",
        reencode: bool = True,
        split_at: int = RECIPIENTS_PER_CALL,
        rules: Rules | None = None,
    ) -> None:
        self._templates = templates
        self._rules = rules
        self._usage_header = usage_header
        self._without_usage = without_usage
        self._client_headers = tuple(client_headers)
        self._tags = dict(tags or {})
        self._usage_tag = usage_tag
        self._reencode = reencode
        self._split_at = split_at
        self._effort = Effort(
            (name for template in templates.all for name in template.variables),
            usage_header=usage_header,
            default_usage=without_usage not in ("pass", "reject"),
            rules_read_bodies=rules is not None and rules.read_bodies,
            rules_name_usages=rules is not None and rules.name_usages,
        )
        # Of mail without X-SES-* headers: made once for each usage that is known.
        self._usual = {
            (usage, untracked): SendOptions(
                tags=self._merged_tags({}, usage), untracked=untracked
            )
            for usage in ("", *templates.usages)
            for untracked in (False, True)
        }

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
        if control_headers.mentions(lower, self._usage_header):
            kept, out = control_headers.taken_out(
                limited_fields(header), self._usage_header
            )
            controls = control_headers.read(
                Message(out, b""),
                usage_header=self._usage_header,
                client_headers=self._client_headers,
            )
        key = None
        if controls.key:
            key = key_of(
                controls.key,
                submission,
                Message(limited_fields(header), content[len(header) :]),
                usage=controls.usage,
                locale=controls.locale,
                variables=controls.variables,
            )
        rule = None
        if self._rules is not None:
            facts = Facts(submission, content, header)
            rule = self._rules.rule_for(facts)
            if rule is not None:
                controls = ruled(controls, rule, facts)
        usage = controls.usage or submission.usage or self._default_usage()
        choice = NO_CHOICE if rule is None else Choice(rule=rule.name)
        limit = None
        untracked = rule is not None and not rule.source.tracking
        envelope = submission.envelope
        if usage and plainly:
            raise Refused(NOT_PREPARED)
        if usage:
            fields = limited_fields(header) if kept is None else kept
            message = Message(fields, content[len(header) :])
            if lower.find(b"multipart/") >= 0:
                check_structure(message)
            content, choice, template = self._templated(
                message, envelope, controls, usage
            )
            untracked = untracked or not template.tracking
            limit = template.limit(envelope.recipients)
            if rule is not None:
                choice = replace(choice, rule=rule.name)
        elif kept is not None or not self._goes_as_it_is(content, header, lower):
            fields = limited_fields(header) if kept is None else kept
            breaks = not plainly and self._reencode and _breaks(content)
            content = self._passed(fields, content, len(header), envelope, breaks)
        options = self._options(controls, usage, untracked=untracked)
        mails = [
            Mail(share, content, options, choice)
            for share in shares(envelope, self._split_at)
        ]
        due = later(controls.send_at, submission.received_at)
        return Prepared(tuple(mails), controls.warnings, due, limit, key)

    def _ordered(self, order: Order, submission: Submission) -> Prepared:
        """The mail of an order: the template alone, around no original."""
        envelope = submission.envelope
        bounded(order.usage, "usage", control_headers.MAX_USAGE)
        controls = control_headers.Controls(
            usage=order.usage,
            variables={**order.defaults, **order.variables},
            locale=order.locale,
        )
        content, choice, template = self._templated(
            NO_ORIGINAL, envelope, controls, order.usage
        )
        choice = replace(choice, variables=_names(order.variables))
        options = self._options(controls, order.usage, untracked=not template.tracking)
        due = later(order.send_at, submission.received_at)
        limit = template.limit(envelope.recipients)
        mail = Mail(envelope, content, options, choice)
        key = None
        if order.key:
            key = key_of(
                order.key,
                submission,
                NO_ORIGINAL,
                usage=order.usage,
                locale=order.locale,
                variables=order.variables,
            )
        return Prepared((mail,), send_at=due, limit=limit, key=key)

    def _goes_as_it_is(self, content: bytes, header: bytes, lower: bytes) -> bool:
        """Most mail: nothing to remove, to add, to encode, nor near a limit.

        What is looked for is in the bytes, because taking a header apart costs more
        than all of this.
        """
        return (
            len(header) <= MAX_HEADER_BYTES
            and header.count(b"\r\n") <= MAX_FIELDS
            and (lower.startswith(b"from:") or lower.find(b"\r\nfrom:") >= 0)
            and not (self._reencode and _breaks(content))
            and not (lower.find(b"multipart/") >= 0 and may_exceed(content))
        )

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
    ) -> tuple[bytes, Choice, Template]:
        variables = dict(controls.variables)
        locale = controls.locale
        if locale:
            variables.setdefault("locale", locale)
        elif isinstance(variables.get("locale"), str):
            locale = variables["locale"]
        template = self._templates.choose(usage, locale)
        content = template.apply(message, envelope, variables)
        choice = Choice(
            usage,
            template.usage,
            template.locale,
            template.valid_for,
            template.supersedes,
            _names(controls.variables),
            template.priority,
        )
        return content, choice, template

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
            fields = _with_from(fields, envelope.sender)
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

    def _options(
        self, controls: control_headers.Controls, usage: str, *, untracked: bool
    ) -> SendOptions:
        usual = self._usual.get((usage, untracked))
        if usual is not None and not controls.about_ses:
            return usual
        return SendOptions(
            configuration_set=controls.configuration_set,
            from_arn=controls.from_arn,
            feedback_arn=controls.feedback_arn,
            tenant=controls.tenant,
            list_management=controls.list_management,
            tags=self._merged_tags(controls.tags, usage),
            untracked=untracked,
        )

    def _merged_tags(
        self, clients: Mapping[str, str], usage: str
    ) -> tuple[tuple[str, str], ...]:
        tags = dict(self._tags)
        tags |= {name: tag for name, tag in clients.items() if name != self._usage_tag}
        if self._usage_tag and usage:
            tags[self._usage_tag] = _NOT_IN_A_TAG.sub("_", usage)[:256]
        return tuple(tags.items())


def _names(variables: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple([name[:MAX_NAME] for name in islice(variables, MAX_NAMES)])


def _breaks(content: bytes) -> bool:
    return not content.isascii() or has_long_line(content, 0, len(content))


def _refuse_loop(header: bytes) -> None:
    if len(parse(header).all("received")) > MAX_RECEIVED:
        raise Refused(LOOP)


def _with_from(fields: tuple[Field, ...], sender: str) -> tuple[Field, ...]:
    """From: before all fields, but after what must come first or would join it."""
    place = 0
    while place < len(fields) and (
        not fields[place].name or fields[place].raw[:1] in (b" ", b"\t")
    ):
        place += 1  # an mbox "From " line, or a line that white space begins
    before = list(fields[:place])
    if before and not before[-1].raw.endswith(b"\r\n"):
        before[-1] = Field(before[-1].name, before[-1].raw + b"\r\n")
    made = Field("From", b"From: " + sender.encode("utf-8", "replace") + b"\r\n")
    return (*before, made, *fields[place:])
