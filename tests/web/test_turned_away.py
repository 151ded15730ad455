"""What is refused before it is here has a story all the same, as far as it is known."""

from __future__ import annotations

import json
import smtplib
from typing import Any

import pytest

from relay.password import hashed
from tests.server.relay_process import WAIT
from tests.web.site import Site, running_site

GUARD = {
    "RELAY_GUARD__RECIPIENTS": '["*@acme.example"]',
    "RELAY_GUARD__OTHERS": "reject",
}

FROM = "MAIL FROM:<app@acme.example>"


def said(site: Site, *lines: str, login: tuple[str, str] | None = None) -> list[str]:
    """What a client hears to each line of one session."""
    with smtplib.SMTP("127.0.0.1", site.relay.port(), timeout=WAIT) as client:
        client.ehlo()
        if login:
            client.login(*login)
        heard = []
        for line in lines:
            client.send(f"{line}\r\n")
            code, text = client.getreply()
            heard.append(f"{code} {text.decode()}")
        return heard


def stories(site: Site) -> list[dict[str, Any]]:
    rows = site.get("/api/v1/mails").json["mails"]
    return [site.get(f"/api/v1/mails/{row['id']}").json for row in reversed(rows)]


def test_a_recipient_behind_the_guard_is_in_the_story() -> None:
    with running_site(settings=GUARD) as site:
        heard = said(
            site,
            "MAIL FROM:<app@acme.example>",
            "RCPT TO:<ann@acme.example>",
            "RCPT TO:<stranger@elsewhere.example>",
            "RCPT TO:<another@elsewhere.example>",
        )
        assert [one[:3] for one in heard] == ["250", "250", "550", "550"]
        [one] = stories(site)  # each refusal once in a session, as in the log
        assert (one["state"], one["sender"]) == ("refused", "app@acme.example")
        assert one["to"] == ["ann@acme.example", "stranger@elsewhere.example"]
        assert one["reply"].startswith("550 5.7.1 The guard")
        assert "no mail go to stranger@elsewhere.example" in one["why"]["what"]
        assert one["why"]["place"] == "recipient"
        assert (one["size"], one["headers"], one["calls"]) == (0, [], [])
        # Counted is what was a mail.
        assert "relay_mails_total{" not in site.get("/metrics").body.decode()


@pytest.mark.parametrize(
    ("settings", "lines", "reply", "named"),
    [
        (
            {"RELAY_LIMITS__MESSAGE_SIZE": "1000"},
            ["MAIL FROM:<app@acme.example> SIZE=2000"],
            "552 5.3.4",
            "limits.messageSize",
        ),
        (
            {"RELAY_LIMITS__RECIPIENTS": "1"},
            [FROM, "RCPT TO:<a@b.example>", "RCPT TO:<c@d.example>"],
            "452 4.5.3",
            "limits.recipients",
        ),
        (
            {"RELAY_LIMITS__MESSAGES_PER_MINUTE": "1"},
            [FROM, "RSET", FROM],
            "450 4.7.1",
            "limits.messagesPerMinute",
        ),
        (
            {"RELAY_LIMITS__LINE_LENGTH": "1000"},
            [FROM, "RCPT TO:<a@b.example>", "DATA", "y" * 2000 + "\r\n."],
            "554 5.6.0",
            "limits.lineLength",
        ),
    ],
)
def test_a_limit_is_named_with_its_setting(
    settings: dict[str, str], lines: list[str], reply: str, named: str
) -> None:
    with running_site(settings=settings) as site:
        heard = said(site, *lines)
        assert heard[-1].startswith(reply)
        [one] = stories(site)
        assert one["reply"].startswith(reply)
        assert one["sender"] == "app@acme.example"
        assert named in one["why"]["what"]
        assert named.partition(".")[2] in one["why"]["fixes"][0]["text"]


def test_a_sender_that_a_user_may_not_have_is_named() -> None:
    user = {"name": "app", "passwordHash": hashed("secret"), "senders": ["*@a.example"]}
    listener = {"address": "127.0.0.1:0", "auth": "required", "insecureAuth": True}
    settings = {
        "RELAY_USERS": json.dumps([user]),
        "RELAY_LISTENERS": json.dumps([listener]),
    }
    with running_site(settings=settings) as site:
        line = "MAIL FROM:<x@other.example>"
        [heard] = said(site, line, login=("app", "secret"))
        assert heard.startswith("553 5.7.1")
        [one] = stories(site)
        assert one["user"] == "app"
        assert one["why"]["what"] == "User app may not send as x@other.example."
        [fix] = one["why"]["fixes"]
        assert fix["text"].startswith('senders = ["x@other.example"]')
