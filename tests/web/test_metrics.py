"""/metrics, read by the parser of Prometheus' own client."""

from __future__ import annotations

import json

from prometheus_client.parser import text_string_to_metric_families as families

from tests.fake_ses import Answer, error
from tests.server.relay_process import until
from tests.server.test_life import through
from tests.web.site import Site, fake_ses, mail, running_site, sending_site, templated


def numbers(site: Site) -> dict[tuple[str, ...], float]:
    """Each sample by its name and labels."""
    text = site.get("/metrics").body.decode()
    return {
        (
            one.name,
            *(f"{key}={value}" for key, value in sorted(one.labels.items())),
        ): one.value
        for family in families(text)
        for one in family.samples
    }


def test_mail_is_counted_by_what_its_client_heard() -> None:
    with running_site() as site:
        site.submit(mail())
        site.submit(templated("123456", "ann@example.com, bob@example.com"))
        site.submit(mail("throttle@relay.test"))
        site.submit(mail("reject@relay.test"))
        invented = mail()
        invented["X-Relay-Usage"] = "Invented"  # Generic's template takes it
        invented["X-Relay-Variables"] = '{"code": "1"}'
        site.submit(invented)
        broken = mail()
        broken["X-Relay-Usage"] = "SignIn"
        site.submit(broken)
        until(lambda: numbers(site)["relay_loop_lag_seconds_count",] > 0)
        found = numbers(site)
    count = "relay_mails_total"
    assert found[count, "locale=", "outcome=accepted", "usage="] == 1
    assert found[count, "locale=", "outcome=accepted", "usage=SignIn"] == 1
    assert found[count, "locale=", "outcome=accepted", "usage=other"] == 1
    assert found[count, "locale=", "outcome=deferred", "usage="] == 1
    assert found[count, "locale=", "outcome=rejected", "usage="] == 1
    assert found[count, "locale=", "outcome=refused", "usage="] == 1
    assert found["relay_recipients_total", "outcome=accepted"] == 4
    assert found["relay_answer_seconds_count", "outcome=accepted"] == 3
    assert found["relay_ses_attempts_total", "answer=content"] == 1
    assert found["relay_ses_attempts_total", "answer=throttled"] >= 1
    assert found["relay_connections",] == 0
    assert found["relay_memory_in_hand_bytes",] == 0
    assert not any("Invented" in label for labels in found for label in labels)
    assert ("relay_queue_waiting",) not in found  # there is no queue


def test_the_queue_and_the_pace_are_measured() -> None:
    refused = error("AccessDeniedException", 403)
    with fake_ses(refused) as ses:
        settings = through(
            ses, RELAY_QUEUE__ENGINE="sqlite", RELAY_PACE__RATE="7", RELAY_GRACE="30"
        )
        with sending_site(settings) as site:
            assert site.submit(mail()).startswith("250 2.0.0 queued as")
            until(lambda: numbers(site).get(("relay_queue_waiting",)) == 1)
            found = numbers(site)
            assert found["relay_pace",] == found["relay_pace_full",] == 7
            assert found["relay_ses_attempts_total", "answer=access_denied"] == 1
            [trouble] = site.get("/api/v1/status").json["troubles"]
            assert trouble["text"] == "SES takes no mail: Access denied. 1 mail waits."
            assert "ses:SendRawEmail" in trouble["cure"]


def test_the_account_s_quota_is_measured() -> None:
    quota = {"MaxSendRate": 14, "Max24HourSend": 50000, "SentLast24Hours": 1234}
    with fake_ses() as ses:
        ses.resources["/v2/email/account"] = Answer(
            body=json.dumps({"SendQuota": quota}).encode()
        )
        settings = through(ses, RELAY_PACE__SHARE="0.5")
        with sending_site(settings) as site:
            until(lambda: ("relay_pace",) in numbers(site))
            found = numbers(site)
            assert found["relay_pace",] == 7
            assert found["relay_quota_max",] == 50000
            assert found["relay_quota_used",] == 1234
            assert site.get("/api/v1/figures").json["now"]["quotaUsed"] == 1234
