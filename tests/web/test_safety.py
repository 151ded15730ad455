"""Who may ask the page what: hosts, other sites, passwords, and what it never says."""

from __future__ import annotations

import base64
import smtplib
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from relay.password import hashed
from tests.server.relay_process import running_relay
from tests.server.test_life import through
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    refused_start,
    running_site,
    sending_site,
    templated,
)


def basic(name: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:8025", 200),
        ("localhost:1", 200),
        ("[::1]:8025", 200),
        ("LOCALHOST", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("203.0.113.9", 403),
        ("user@127.0.0.1:80@evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_trap_20_a_name_that_is_not_ours_is_refused(
    site: Site, host: str, status: int
) -> None:
    assert site.get("/", {"Host": host}).status == status
    assert site.get("/api/v1/status", {"Host": host}).status == status
    assert site.get("/metrics", {"Host": host}).status == status


def test_probes_take_any_name_because_they_say_nothing(site: Site) -> None:
    assert site.get("/livez", {"Host": "10.1.2.3"}).status == 200
    assert site.get("/readyz", {"Host": "pod.example"}).status == 200


def test_names_in_the_settings_may_ask() -> None:
    settings = {"RELAY_WEB__HOSTS": '["relay.acme.example"]'}
    with running_site(settings=settings) as site:
        assert site.get("/", {"Host": "relay.acme.example:8025"}).status == 200
        assert site.get("/", {"Host": "acme.example"}).status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_trap_20_other_sites_change_nothing(
    site: Site, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.format(port=site.port) for name, value in headers.items()}
    assert site.ask("DELETE", "/api/v1/mails", headers=sent).status == status
    body = {"usage": "SignIn", "variables": {"code": "1"}}
    assert site.post("/api/v1/templates/render", body, sent).status == status


def test_other_sites_read_nothing_but_may_link_here(site: Site) -> None:
    away = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert site.get("/api/v1/mails", away).status == 403
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert site.get("/mails/k3v9", link).status == 200
    assert site.get("/api/v1/mails", link).status == 403


def test_a_form_of_another_site_is_no_json(site: Site) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = site.post(
            "/api/v1/templates/render", b'{"usage": "SignIn"}', {"Content-Type": kind}
        )
        assert answer.status == 415


def test_every_answer_has_a_strict_policy(site: Site) -> None:
    for path in ("/", "/assets/app.js", "/api/v1/status", "/no/such", "/livez"):
        headers = site.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        kept = "no-cache" if path == "/assets/app.js" else "no-store"
        assert headers["cache-control"] == kept
        assert headers["referrer-policy"] == "no-referrer"
        assert "aiohttp" not in headers["server"]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Site]:
    settings = {
        "RELAY_WEB__USER": "ann",
        "RELAY_WEB__PASSWORD_HASH": hashed("corréct:horse"),
        "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
    }
    with running_site(settings=settings) as site:
        yield site


def test_with_a_password_nothing_is_seen_without_it(guarded: Site) -> None:
    for path in ("/", "/api/v1/mails", "/metrics", "/assets/app.js", "/view/x"):
        answer = guarded.get(path)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith('Basic realm="relay"')
    for wrong in (
        basic("ann", "wrong"),
        basic("bob", "corréct:horse"),
        basic("", ""),
        {"Authorization": "Basic %%%"},
        {"Authorization": "Bearer corréct:horse".encode().decode("latin-1")},
    ):
        assert guarded.get("/api/v1/mails", wrong).status == 401
    for _ in range(2):  # the second time it is known already
        right = basic("ann", "corréct:horse")
        assert guarded.get("/api/v1/mails", right).status == 200
    assert guarded.get("/api/v1/mails", basic("ann", "wrong")).status == 401


def test_probes_ask_for_no_password_and_health_tells_metrics(guarded: Site) -> None:
    assert guarded.get("/readyz").status == 200
    health = Site(guarded.relay, "health")
    assert health.get("/readyz").body == b"ready\n"
    assert b"relay_mails_total" in health.get("/metrics").body
    assert health.get("/api/v1/mails").status == 404


@pytest.fixture(scope="module")
def sending() -> Iterator[Site]:
    """A relay in `ses` mode without a password, with a mail that had a code."""
    with fake_ses() as ses:
        settings = through(ses, RELAY_TEMPLATES=TEMPLATE)
        with sending_site(settings) as site:
            reply = site.submit(templated("918273"))
            assert reply.startswith("250 2.0.0 Ok"), reply
            yield site


def test_without_a_password_a_sending_relay_is_read_only(sending: Site) -> None:
    to = {"usage": "SignIn", "to": "ann@example.com", "variables": {"code": "1"}}
    for path, body in (
        ("/api/v1/templates/send", to),
        ("/api/v1/queue/retry", {"ids": ["x"]}),
        ("/api/v1/queue/drop", {"ids": ["x"]}),
    ):
        answer = sending.post(path, body)
        assert answer.status == 403
        assert "web.passwordHash" in answer.json["error"]
    assert sending.ask("DELETE", "/api/v1/mails").status == 403
    assert sending.get("/api/v1/status").json["mayWrite"] is False


def test_no_code_value_or_content_is_in_any_answer_of_a_sending_relay(
    sending: Site,
) -> None:
    [one] = sending.get("/api/v1/mails").json["mails"]
    assert one["state"] == "sent"
    assert one["subject"] == "Your code is {{code}}"
    paths = [
        path.replace("{id}", one["id"])
        for path, does in sending.get("/api/v1/openapi.json").json["paths"].items()
        if "get" in does and path != "/api/v1/events"
    ]
    assert len(paths) > 8
    for path in (*paths, "/metrics", f"/view/{one['id']}", f"/mails/{one['id']}"):
        answer = sending.get(path)
        assert b"918273" not in answer.body, path
    story = sending.get(f"/api/v1/mails/{one['id']}").json
    assert story["variables"] == ["code"]
    assert story["attempts"][0]["answer"] == "accepted"
    for part in ("content", "raw", "code"):
        answer = sending.get(f"/api/v1/mails/{one['id']}/{part}")
        assert answer.status == 403
        assert answer.json == {"error": "Contents are kept in capture mode only"}
    assert sending.get("/api/v1/wait?timeout=0").status == 403


def test_secrets_of_the_settings_are_in_no_answer(sending: Site) -> None:
    for path in ("/api/v1/status", "/api/v1/figures", "/metrics", "/api/v1/templates"):
        body = sending.get(path).body
        assert b"AKIAFAKE" not in body
        assert b"fake-secret" not in body


def test_a_taken_port_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        said = refused_start(
            {
                "RELAY_WEB__LISTEN": listen,
                "RELAY_LISTENERS": '[{"address": "[::1]:0"}]',
            },
            code=4,
        )
    assert f"listener web: {listen}: Address already in use" in said


def test_the_page_needs_a_password_off_loopback() -> None:
    said = refused_start({"RELAY_WEB__LISTEN": "0.0.0.0:0"})
    assert "reachable from outside" in said


def test_a_taken_default_port_leaves_the_relay_without_a_page() -> None:
    with ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("127.0.0.1", 8025)))
        except OSError:
            pass  # another program has it, which will do
        relay = stack.enter_context(running_relay(settings={"RELAY_WEB__LISTEN": None}))
        assert "127.0.0.1:8025" in relay.event("no page")["detail"]
        with smtplib.SMTP("127.0.0.1", relay.port(), timeout=60) as client:
            client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\nx\r\n")
        assert relay.next_captured().recipients == ["c@d.example"]


def test_a_taken_default_port_stops_a_relay_that_takes_mail_there() -> None:
    with ExitStack() as stack:
        try:
            stack.enter_context(socket.create_server(("127.0.0.1", 8025)))
        except OSError:
            pass  # another program has it, which will do
        said = refused_start(
            {
                "RELAY_INTAKE__TOKEN": "hush-hush-hush-hush",
                "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
                "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
            },
            code=4,
        )
    assert "listener web: 127.0.0.1:8025: Address already in use" in said
