"""How webhooks stand, as Prometheus reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from relay.observe.webhook import WebhookFigures


def webhook_metrics(figures: Sequence[WebhookFigures]) -> Iterator[Metric]:
    """Nothing where there are none."""
    if not figures:
        return
    requests = CounterMetricFamily(
        "relay_webhook_requests",
        "Requests to webhooks by what came of them: told, failed.",
        labels=("webhook", "outcome"),
    )
    for one in figures:
        requests.add_metric((one.name, "told"), one.told)
        requests.add_metric((one.name, "failed"), one.failed)
    yield requests
    untold = CounterMetricFamily(
        "relay_webhook_untold",
        "Events that webhooks are told no more: given_up after all attempts, lost for "
        "want of room or of a queue.",
        labels=("webhook", "why"),
    )
    for one in figures:
        untold.add_metric((one.name, "given_up"), one.given_up)
        untold.add_metric((one.name, "lost"), one.lost)
    yield untold
    waiting = GaugeMetricFamily(
        "relay_webhook_waiting", "Events that wait, by webhook.", labels=("webhook",)
    )
    off = GaugeMetricFamily(
        "relay_webhook_off",
        "Whether a webhook is switched off until a reload or a restart.",
        labels=("webhook",),
    )
    for one in figures:
        waiting.add_metric((one.name,), one.waiting)
        off.add_metric((one.name,), float(bool(one.off)))
    yield waiting
    yield off
