"""The numbers of `stats` as Prometheus reads them; a registry of our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from relay import __version__
from relay.observe.settings_read import SettingsRead
from relay.observe.stats import Histogram, Stats
from relay.web.webhook_metrics import webhook_metrics

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics(Collector):
    """Reads `stats` when Prometheus asks; nothing is counted twice."""

    def __init__(
        self, stats: Stats, *, transport: str, queue: str, read: SettingsRead
    ) -> None:
        self._stats = stats
        self._read = read
        self._info = {"version": __version__, "transport": transport, "queue": queue}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        stats = self._stats
        read = self._read
        settings = {"settings_hash": read.hash, "settings_at": f"{read.at:.3f}"}
        yield InfoMetricFamily(
            "relay",
            "What this relay is, and which settings are in force since when.",
            value={**self._info, **settings},
        )
        yield GaugeMetricFamily(
            "relay_reload_failed",
            "Whether the settings that were read last have a mistake.",
            value=float(bool(read.mistake)),
        )
        mails = CounterMetricFamily(
            "relay_mails",
            "Submissions by what their client heard: accepted (by SES), queued, "
            "deferred (4xx), rejected (5xx), refused (by the relay itself).",
            labels=("outcome", "usage", "locale", "rule"),
        )
        # Without a rule there is no such label, which to Prometheus is an empty one.
        for labels, count in stats.mails.items():
            mails.add_metric(labels, count)
        yield mails
        yield _counter(
            "relay_recipients",
            "Recipients of submissions, by outcome.",
            "outcome",
            stats.recipients,
        )
        yield CounterMetricFamily(
            "relay_received_bytes", "Bytes of mail received.", value=stats.bytes
        )
        yield _counter(
            "relay_slips",
            "What clients wrote in vain, such as headers that nobody reads, by kind.",
            "kind",
            stats.slips,
        )
        answer = HistogramMetricFamily(
            "relay_answer_seconds",
            "From the end of a mail to the reply to its client, by outcome.",
            labels=("outcome",),
        )
        for name, histogram in stats.seconds.items():
            answer.add_metric((name,), _buckets(histogram), histogram.total)
        yield answer
        yield _counter(
            "relay_ses_attempts",
            "Calls of SES by the class of its answer.",
            "answer",
            stats.attempts,
        )
        yield _histogram(
            "relay_ses_attempt_seconds", "Calls of SES.", stats.attempt_seconds
        )
        yield _counter(
            "relay_queue_ended",
            "Mail that left the queue, by the state it ended in.",
            "state",
            stats.ends,
        )
        yield CounterMetricFamily(
            "relay_reports", "Failure reports made.", value=stats.reports
        )
        yield _histogram(
            "relay_loop_lag_seconds", "How late the event loop came back.", stats.lag
        )
        yield from self._told()
        yield from self._of_accounts()
        yield from webhook_metrics(self._stats.webhooks())
        yield from self._gauges()

    def _told(self) -> Iterator[Metric]:
        """What SES told after it took mail; nothing where nobody listens."""
        stats = self._stats
        if not (stats.told or stats.strays):
            return
        told = CounterMetricFamily(
            "relay_feedback",
            "Recipients of whom SES told something later, by kind; type of a bounce.",
            labels=("kind", "type"),
        )
        for labels, count in stats.told.items():
            told.add_metric(labels, count)
        yield told
        yield _counter(
            "relay_feedback_strays",
            "Messages among SES' events that tell nothing of the relay's mail: test, "
            "unknown, malformed, foreign (of mail that nobody knows).",
            "why",
            stats.strays,
        )
        yield _histogram(
            "relay_delivery_seconds",
            "From SES' taking a mail to its delivery to a recipient.",
            stats.delivery_seconds,
        )

    def _of_accounts(self) -> Iterator[Metric]:
        """Where there are several; what the others count is that of all together."""
        stats, accounts = self._stats, self._stats.now().accounts
        if not accounts:
            return
        attempts = CounterMetricFamily(
            "relay_account_attempts",
            "Calls of SES by the account that was asked and the class of its answer.",
            labels=("account", "answer"),
        )
        for asked, count in stats.account_attempts.items():
            attempts.add_metric(asked, count)
        yield attempts
        fallbacks = CounterMetricFamily(
            "relay_account_fallbacks",
            "Calls of SES by a fallback instead of the mail's own account.",
            labels=("account", "by"),
        )
        for pair, count in stats.fallbacks.items():
            fallbacks.add_metric(pair, count)
        yield fallbacks
        for name, text, values in (
            (
                "relay_account_paused",
                "Whether an account's sending is paused.",
                [(one.account, float(bool(one.paused))) for one in accounts],
            ),
            (
                "relay_account_pace",
                "Recipients per second at present, by account.",
                [(one.account, one.rate) for one in accounts],
            ),
            (
                "relay_account_quota_max",
                "SES' quota of 24 hours, recipients, by account.",
                [(one.account, one.quota) for one in accounts],
            ),
            (
                "relay_account_quota_used",
                "Recipients of the last 24 hours, as SES counts, by account.",
                [(one.account, one.quota_used) for one in accounts],
            ),
        ):
            family = GaugeMetricFamily(name, text, labels=("account",))
            for account, value in values:
                if value is not None:
                    family.add_metric((account,), value)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        now = self._stats.now()
        if now.suppression_refused is not None:
            yield _counter(
                "relay_suppression_refused",
                "Recipients whose mail did not go, by why they are suppressed.",
                "reason",
                now.suppression_refused,
            )
        for name, text, value in (
            ("relay_queue_waiting", "Mail that waits.", now.waiting),
            ("relay_queue_sending", "Mail that is being sent.", now.sending),
            (
                "relay_queue_oldest_seconds",
                "Age of the oldest waiting mail; 0: none waits.",
                None if now.waiting is None else now.oldest or 0.0,
            ),
            ("relay_pace", "Recipients per second at present.", now.rate),
            (
                "relay_pace_full",
                "Recipients per second when SES does not throttle.",
                now.full_rate,
            ),
            ("relay_quota_max", "SES' quota of 24 hours, recipients.", now.quota),
            (
                "relay_quota_used",
                "Recipients sent to in the last 24 hours, as SES counts.",
                now.quota_used,
            ),
            ("relay_paused", "Whether sending is paused.", float(bool(now.paused))),
            (
                "relay_suppression_entries",
                "Addresses that get no mail.",
                now.suppressed,
            ),
            ("relay_connections", "SMTP clients connected.", now.connections),
            ("relay_memory_in_hand_bytes", "Content in hand.", now.memory),
            (
                "relay_memory_in_hand_limit_bytes",
                "What of it there may be.",
                now.memory_limit,
            ),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value=value)


def _counter(
    name: str, text: str, label: str, counts: Mapping[str, int]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(
        name, text, buckets=_buckets(histogram), sum_value=histogram.total
    )


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Cumulative, as Prometheus wants them."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    found, count = [], 0
    for bound, here in zip(bounds, histogram.counts, strict=True):
        count += here
        found.append((bound, float(count)))
    return found
