"""Traces, as a collector that speaks OTLP over HTTP gets them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.fake_ses import error
from tests.server.relay_process import until
from tests.server.test_life import through
from tests.web.site import (
    TEMPLATE,
    fake_ses,
    mail,
    running_site,
    sending_site,
    templated,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    spans: list[Span] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert b"918273" not in body
            assert b"ann@" not in body
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()
        thread.join()


def attributes(span: Span) -> dict[str, str]:
    return {
        one.key: one.value.string_value or str(one.value.int_value)
        for one in span.attributes
    }


def test_a_mail_is_one_trace_and_its_senders_where_it_names_one() -> None:
    with collector() as (url, spans):
        with running_site(settings={"OTEL_EXPORTER_OTLP_ENDPOINT": url}) as site:
            message = templated("918273")
            message["traceparent"] = f"00-{TRACE}-{PARENT}-01"
            assert site.submit(message).startswith("250")
            assert site.submit(mail("throttle@relay.test")).startswith("454")
            assert site.relay.stop() == 0  # what is not sent yet is sent now
        roots = [span for span in spans if span.name == "mail"]
        calls = [span for span in spans if span.name == "SendEmail"]
    taken, refused = roots
    assert taken.trace_id.hex() == TRACE
    assert taken.parent_span_id.hex() == PARENT
    assert attributes(taken)["relay.usage"] == "SignIn"
    assert attributes(taken)["relay.reply"] == "250"
    assert calls[0].parent_span_id == taken.span_id
    assert calls[0].trace_id == taken.trace_id
    assert taken.start_time_unix_nano <= calls[0].start_time_unix_nano
    assert calls[0].end_time_unix_nano <= taken.end_time_unix_nano
    assert attributes(calls[0])["relay.answer"] == "accepted"
    assert refused.trace_id != taken.trace_id
    assert refused.status.code == 2
    assert attributes(calls[1])["relay.answer"] == "throttled"


def test_later_attempts_of_the_queue_belong_to_the_same_trace() -> None:
    throttled = error("TooManyRequestsException", 429)
    with collector() as (url, spans), fake_ses(throttled) as ses:
        settings = through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_QUEUE__RETRY_DELAYS="[0.2]",
            RELAY_TEMPLATES=TEMPLATE,
            OTEL_EXPORTER_OTLP_ENDPOINT=url,
        )
        with sending_site(settings) as site:
            assert "queued as" in site.submit(templated("918273"))
            until(lambda: site.get("/api/v1/mails").json["mails"][0]["state"] == "sent")
            assert site.relay.stop() == 0
        [root] = [span for span in spans if span.name == "mail"]
        calls = [span for span in spans if span.name == "SendEmail"]
    assert [attributes(one)["relay.answer"] for one in calls] == [
        "throttled",
        "accepted",
    ]
    assert {one.parent_span_id for one in calls} == {root.span_id}


def test_a_collector_that_is_gone_costs_no_mail() -> None:
    gone = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    gone["OTEL_EXPORTER_OTLP_TIMEOUT"] = "1"
    with running_site(settings=gone) as site:
        assert site.submit(mail()).startswith("250")
        assert site.relay.stop() == 0
