"""What stands on top of the page goes when it is over, and says what to do."""

from __future__ import annotations

import time
from functools import partial

import pytest

from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Outcome
from relay.model.submission import Envelope, MailId
from relay.observe.events import Attempted
from relay.observe.stats import Now, Stats
from relay.observe.webhook import WebhookFigures
from relay.ses.error_table import PAUSED, QUOTA, SUSPENDED, outcome_for
from relay.web.troubles import of_sending, of_webhooks
from tests.unit.web.test_why import ABOUT

MAIL = Mail(Envelope("app@acme.example", ("ann@example.com",)), b"")
UNVERIFIED = outcome_for("MessageRejected", 400, "Email address is not verified.")


def attempted(stats: Stats, outcome: Outcome) -> None:
    stats(Attempted(MailId("k3v9"), 0, MAIL, 1, outcome, 0.1))


def test_a_sender_that_ses_refuses_is_a_trouble_for_an_hour_after_its_last_try() -> (
    None
):
    stats = Stats(usages=())
    attempted(stats, UNVERIFIED)
    for later in (0, 3500):
        at = time.monotonic() + later
        [one] = of_sending(stats, ABOUT, partial(float, at))
        assert one["text"].startswith("SES refuses mail from app@acme.example: ")
        assert "create-email-identity --email-identity acme.example" in one["cure"]
    assert of_sending(stats, ABOUT, partial(float, time.monotonic() + 3601)) == []


def test_what_the_account_lacks_is_one_until_mail_passes() -> None:
    stats = Stats(usages=(), now=lambda: Now(waiting=2))
    attempted(stats, outcome_for("AccessDeniedException", 403, "no"))
    [one] = of_sending(stats, ABOUT)
    assert one["text"] == "SES takes no mail: Access denied. 2 mails wait."
    assert '"Version": "2012-10-17"' in one["cure"]
    attempted(stats, Accepted("0100"))
    assert of_sending(stats, ABOUT) == []


@pytest.mark.parametrize(
    ("pause", "cure"),
    [
        (PAUSED, "put-account-sending-attributes"),
        (QUOTA, "SendQuota"),
        (SUSPENDED, "Support Center"),
    ],
)
def test_a_pause_says_what_to_do_and_is_said_once(pause: Deferred, cure: str) -> None:
    stats = Stats(usages=(), now=lambda: Now(waiting=1, paused=pause.reply.text))
    attempted(stats, pause)
    [one] = of_sending(stats, ABOUT)
    assert one["text"] == f"Sending is paused: {pause.reply.text}. 1 mail waits."
    assert cure in one["cure"]


def test_a_webhook_is_a_trouble_when_it_fails_again_and_again_or_is_off() -> None:
    fails = WebhookFigures("shop", failures=2, detail="answered 500")
    assert of_webhooks([fails]) == []
    fails.failures, fails.waiting = 3, 7
    [one] = of_webhooks([fails])
    assert one["text"] == "Webhook shop fails: answered 500. 7 events wait."
    fails.off = "30 failures in a row: answered 500"
    [one] = of_webhooks([fails])
    assert one["text"] == (
        "Webhook shop is switched off: 30 failures in a row: answered 500. "
        "7 events wait."
    )
    assert "SIGHUP" in one["cure"]
