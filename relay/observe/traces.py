"""One trace per mail, by OpenTelemetry: the wait of its client, each call of SES.

An observer, there only with the extra `ses-relay[otel]` and OTLP's own environment
variables. A `traceparent` in the mail's header makes the trace its sender's. Spans say
no address, no variable and no text of a mail.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from relay import __version__
from relay.content.header import header_of, normalise, parse
from relay.model.job import Queued
from relay.model.mail import Mail
from relay.model.outcome import Accepted
from relay.model.submission import MailId, Submission
from relay.observe.events import (
    Answered,
    Attempted,
    Event,
    NotTaken,
    Overtaken,
    Settled,
)
from relay.observe.stats import answer_class

# Mails whose story goes on; the trace of an older one begins anew.
MOST_OPEN = 10_000
LOOKED_AT = 65_536  # bytes of a header
_FIELDS = ("traceparent", "tracestate")


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the environment asks for traces, in OpenTelemetry's own words."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return bool(
        environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of SES that ended at Unix time `ended`."""

    event: Attempted
    ended: float


class Traces:
    """Makes spans of events, and hands them to an exporter in a thread of its own."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go before ours.
        named = {"service.name": os.environ.get("OTEL_SERVICE_NAME", "ses-relay")}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter or OTLPSpanExporter())
        )
        self._tracer = self._provider.get_tracer("relay", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._early: dict[MailId, list[_Call]] = {}  # nobody was answered yet
        self._open: dict[MailId, Context] = {}  # the queue goes on with them

    def close(self) -> None:
        """Send what is still here; takes some seconds where nobody listens."""
        self._provider.shutdown()

    def __call__(self, event: Event) -> None:
        match event:
            case Attempted():
                call = _Call(event, time.time())
                if (context := self._open.get(event.id)) is not None:
                    self._call(call, context)
                else:
                    self._early.setdefault(event.id, []).append(call)
                    _keep_newest(self._early)
            case Answered():
                self._answered(event)
            case NotTaken(submission=submission, reply=reply, seconds=seconds, why=why):
                span = self._mail(submission, seconds, before=time.time())
                span.set_attribute("relay.rule", event.rule)
                span.set_attribute("relay.reply", f"{reply.code}")
                if why != "repeated":
                    span.set_status(Status(StatusCode.ERROR, why))
                span.end()
            case Settled():
                self._settled(event)
            case Overtaken(replaced=replaced):
                self._open.pop(replaced.id, None)

    def _answered(self, event: Answered) -> None:
        calls = self._early.pop(event.id, ())
        # Two clocks were read: no call may begin before its mail by a microsecond.
        began = min(
            (call.ended - call.event.seconds for call in calls), default=time.time()
        )
        span = self._mail(event.submission, event.seconds, before=began)
        choice = event.mails[0].choice
        span.set_attributes(
            {
                "relay.usage": choice.usage,
                "relay.template": choice.template,
                "relay.locale": choice.locale,
                "relay.rule": choice.rule,
                "relay.calls": len(event.mails),
                "relay.reply": str(event.reply.code),
            }
        )
        if event.reply.code != 250:
            span.set_status(Status(StatusCode.ERROR, "not accepted"))
        context = set_span_in_context(span)
        for call in calls:
            self._call(call, context)
        span.end()
        if event.reply.code == 250 and not isinstance(event.outcome, Accepted):
            self._open[event.id] = context
            _keep_newest(self._open)

    def _settled(self, event: Settled) -> None:
        """Mail whose client waits no more, or which an earlier start accepted."""
        early = self._early.pop(event.id, ())
        context = self._open.get(event.id)
        if context is None:
            context = self._parent(event.job.mail)
            self._open[event.id] = context
            _keep_newest(self._open)
        for call in early:
            self._call(call, context)
        if not isinstance(event.state, Queued):
            self._open.pop(event.id, None)

    def _mail(self, submission: Submission, seconds: float, *, before: float) -> Span:
        return self._tracer.start_span(
            "mail",
            context=self._parent(submission),
            kind=SpanKind.SERVER,
            start_time=_ns(min(time.time() - seconds, before)),
            attributes={
                "relay.id": submission.id,
                "relay.listener": submission.listener,
                "relay.size": len(submission.content),
                "relay.recipients": len(submission.envelope.recipients),
            },
        )

    def _call(self, call: _Call, context: Context) -> None:
        event = call.event
        answer = answer_class(event.outcome)
        span = self._tracer.start_span(
            "SendEmail",
            context=context,
            kind=SpanKind.CLIENT,
            start_time=_ns(call.ended - event.seconds),
            attributes={
                "rpc.system": "aws-api",
                "rpc.service": "SESv2",
                "rpc.method": "SendEmail",
                "relay.id": event.id,
                "relay.call": event.number + 1,
                "relay.attempt": event.attempt,
                "relay.answer": answer,
            },
        )
        if isinstance(event.outcome, Accepted):
            span.set_attribute("relay.message_id", event.outcome.message_id)
        else:
            span.set_status(Status(StatusCode.ERROR, answer))
        span.end(_ns(call.ended))

    def _parent(self, of: Submission | Mail) -> Context:
        """The context that the mail's own header names, or an empty one."""
        start = of.content[:LOOKED_AT]
        if b"traceparent" not in start.lower():
            return Context()
        # A submission has its client's own line ends.
        fields = parse(header_of(normalise(start)))
        carrier = {
            name: found.value.strip()
            for name in _FIELDS
            if (found := fields.first(name)) is not None
        }
        return self._propagator.extract(carrier, Context())


def _keep_newest(known: dict[MailId, list[_Call]] | dict[MailId, Context]) -> None:
    while len(known) > MOST_OPEN:
        del known[next(iter(known))]


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
