"""Mail that a request began belongs to no request: its client may leave."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from relay.password import hashed
from tests.fake_ses import Answer as SesAnswer
from tests.fake_ses import FakeSes
from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.site import Site, fake_ses, sending_site
from tests.web.test_intake import SETTINGS, TOKEN
from tests.web.test_safety import basic

HASH = hashed("pass")
ANN = basic("ann", "pass")
WAYS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "page": (
        "/api/v1/templates/send",
        ANN,
        {"usage": "SignIn", "to": "ann@example.com", "variables": {"code": "1"}},
    ),
    "intake": (
        "/api/v1/send",
        {"Authorization": TOKEN},
        {"type": "SignIn", "to": "ann@example.com", "payload": {"code": "1"}},
    ),
}


def settings(ses: FakeSes, **more: str) -> Mapping[str, str]:
    return through(
        ses,
        **SETTINGS,
        RELAY_WEB__USER="ann",
        RELAY_WEB__PASSWORD_HASH=HASH,
        **more,
    )


def asked(site: Site, way: str) -> socket.socket:
    """A client that has sent its whole request, and waits for the answer."""
    path, headers, variables = WAYS[way]
    body = {**variables}
    if way == "page":  # what this template needs, Logto leaves out
        names = {"application": {"name": "x"}, "user": {"name": "y"}}
        body["variables"] = {**variables["variables"], **names}
    text = json.dumps(body)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    client = socket.create_connection(("127.0.0.1", site.port), timeout=WAIT)
    client.sendall(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{head}"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}".encode()
    )
    return client


def states(site: Site) -> list[str]:
    """What the page says of each mail."""
    mails = site.get("/api/v1/mails?limit=500", ANN).json["mails"]
    return [one["state"] for one in mails]


@pytest.mark.parametrize("engine", ["sqlite", "none"])
@pytest.mark.parametrize("way", WAYS)
def test_who_leaves_takes_no_mail_with_him(way: str, engine: str) -> None:
    with fake_ses(seconds=1) as ses:
        chosen = settings(ses, RELAY_QUEUE__ENGINE=engine)
        with sending_site(chosen) as site:
            site.get("/api/v1/status", ANN)  # so that its password is known
            clients = [asked(site, way) for _ in range(10)]
            until(lambda: len(ses.sent) == 10)
            for client in clients:
                client.close()
            until(lambda: states(site) == ["sent"] * 10)
            until(lambda: site.get("/api/v1/queue", ANN).json["mails"] == [])
            assert len(ses.sent) == 10


@pytest.mark.parametrize("way", WAYS)
def test_of_many_that_leave_at_any_moment_none_stays_half_way(way: str) -> None:
    def leave(number: int) -> None:
        client = asked(site, way)
        client.settimeout(number % 40 / 1000 + 0.001)
        try:
            client.recv(1)
        except TimeoutError:
            pass
        client.close()

    with (
        fake_ses() as ses,
        sending_site(settings(ses, RELAY_QUEUE__ENGINE="sqlite")) as site,
    ):
        site.get("/api/v1/status", ANN)
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(leave, range(200)))
        until(lambda: site.get("/api/v1/queue", ANN).json["mails"] == [])
        until(lambda: set(states(site)) == {"sent"})
        assert len(states(site)) == len(ses.sent)


@pytest.mark.parametrize("engine", ["sqlite", "none"])
@pytest.mark.parametrize("way", WAYS)
def test_a_stop_waits_for_it_and_its_client_hears_the_end(
    way: str, engine: str
) -> None:
    with fake_ses(seconds=2) as ses:
        chosen = settings(
            ses, RELAY_QUEUE__ENGINE=engine, RELAY_QUEUE__ANSWER_WITHIN="4"
        )
        with sending_site(chosen) as site:
            site.get("/api/v1/status", ANN)
            waits, left = asked(site, way), asked(site, way)
            until(lambda: len(ses.sent) == 2)
            left.close()
            site.relay.process.send_signal(signal.SIGTERM)
            said = b""
            while piece := waits.recv(65536):
                said += piece
                if b"0100fake" in said:
                    break
            waits.close()
            assert said.startswith(b"HTTP/1.1 200"), said
            assert site.relay.wait() == 0
        sent = [entry for entry in site.relay.log if "0100fake" in str(entry)]
        assert len({entry["id"] for entry in sent}) == 2


def test_a_stop_waits_within_its_grace_alone() -> None:
    with fake_ses(SesAnswer(then="hang")) as ses:
        chosen = settings(
            ses,
            RELAY_QUEUE__ENGINE="none",
            RELAY_QUEUE__ANSWER_WITHIN="0.5",
            RELAY_GRACE="3",
            RELAY_SES__ATTEMPT_TIMEOUT="2.4",
            RELAY_SES__CONNECT_TIMEOUT="1",
        )
        with sending_site(chosen) as site:
            client = asked(site, "intake")
            until(lambda: len(ses.sent) == 1)
            assert site.relay.stop() == 0  # the attempt's own end comes before
            client.close()
            assert site.relay.event("not sent")["reply"].startswith("451 4.4.2")
