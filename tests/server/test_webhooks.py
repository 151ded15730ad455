"""Webhooks of a real relay: who is told what, and what an endpoint cannot do to it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import certificates
from tests.fake_ses import error
from tests.server.receiver import SECRET, Answer, Receiver, receiving, webhooks
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_life import relay_command
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    mail,
    refused_start,
    running_site,
    submit,
    templated,
)

KEYS = {
    "RELAY_SES__REGION": "eu-west-1",
    "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
    "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
}
REJECTED = error(
    "MessageRejected", 400, "Address is blacklisted: eve@example.com (code 424242)"
)
DOWN = error("TooManyRequestsException", 429, "Rate exceeded")


def sending(url: str, spool: Path | None = None) -> dict[str, str]:
    """A relay that sends to an SES here, with a spool where there is a place for it."""
    found = {**KEYS, "RELAY_SES__ENDPOINT_URL": url, "RELAY_TEMPLATES": TEMPLATE}
    if spool is not None:
        found |= {
            "RELAY_QUEUE__ENGINE": "sqlite",
            "RELAY_QUEUE__PATH": os.fspath(spool),
            "RELAY_QUEUE__RETRY_DELAYS": "[0.1]",
        }
    return found


def said(relay: RelayProcess) -> str:
    return "".join(relay.stderr)


def secret_nowhere(relay: RelayProcess) -> None:
    """Neither the secret nor the path of the url, which may be one."""
    assert SECRET not in said(relay)
    assert SECRET.removeprefix("whsec_") not in said(relay)
    assert "T0KEN" not in said(relay)


def facts(event: dict[str, Any]) -> dict[str, Any]:
    """What is told, without what differs from run to run."""
    data = {k: v for k, v in event["data"].items() if k not in ("id", "retryIn")}
    return {"type": event["type"], **data}


def test_what_becomes_of_a_mail_is_told_without_people_codes_and_content(
    tmp_path: Path,
) -> None:
    with receiving() as receiver, fake_ses() as ses:
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks({"name": "app", "url": receiver.url}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            reply = submit(relay.port(), templated("424242"))
            [sent] = receiver.wait(1)
            message_id = reply.split()[-1]
            assert facts(sent.event) == {
                "type": "mail.sent",
                "call": 1,
                "messageId": message_id,
                "attempts": 1,
                "usage": "SignIn",
                "template": "SignIn",
                "account": "default",
                "recipientCount": 1,
            }
            assert sent.event["data"]["id"] == relay.event("sent")["id"]
            assert re.fullmatch(r"msg_[0-9a-z]{14}", sent.id)
            assert sent.headers["content-type"] == "application/json"
            ses.answers.append(REJECTED)
            submit(relay.port(), templated("424242", "eve@example.com"))
            [refused] = receiver.wait(1, lambda one: one.type == "mail.refused")
            assert refused.event["data"]["reply"] == "554 5.6.0"
            assert refused.event["data"]["cause"] == "content"
            for one in receiver.came:
                assert not re.search(rb"424242|example\.com|acme|Your code", one.body)
            secret_nowhere(relay)


def test_addresses_are_told_to_who_is_to_have_them_and_to_nobody_else(
    tmp_path: Path,
) -> None:
    with receiving() as crm, receiving() as other, fake_ses() as ses:
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks(
                {"name": "crm", "url": crm.url, "addresses": "full"},
                {"name": "other", "url": other.url},
            ),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail("ann@example.com, bob@example.com"))
            [full], [bare] = crm.wait(1), other.wait(1)
            people = {"sender", "recipients"}
            assert full.event["data"]["sender"] == "app@acme.example"
            assert full.event["data"]["recipients"] == [
                "ann@example.com",
                "bob@example.com",
            ]
            assert full.id == bare.id
            assert {
                k: v for k, v in full.event["data"].items() if k not in people
            } == bare.event["data"]


def test_the_way_of_a_mail_through_the_queue_is_told_step_by_step(
    tmp_path: Path,
) -> None:
    with receiving() as receiver, fake_ses(DOWN, DOWN) as ses:
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks({"url": receiver.url}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            assert submit(relay.port(), mail()).startswith("250 2.0.0 queued")
            # A call that takes longer than answerWithin is told as deferred, too.
            until(
                lambda: (
                    {one.type for one in receiver.came}
                    == {"mail.queued", "mail.deferred", "mail.sent"}
                )
            )
            events = {one.type: one.event["data"] for one in receiver.came}
            assert len({data["id"] for data in events.values()}) == 1
            assert events["mail.deferred"]["cause"] == "throttled"
            assert events["mail.sent"]["attempts"] == 3


def test_only_the_events_that_were_asked_for_are_told() -> None:
    with receiving() as receiver, fake_ses(REJECTED) as ses:
        settings = {
            **sending(ses.url),
            **webhooks({"url": receiver.url, "events": ["refused"]}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            submit(relay.port(), mail())
            assert [one.type for one in receiver.wait(1)] == ["mail.refused"]
            assert relay.stop() == 0
        assert [one.type for one in receiver.came] == ["mail.refused"]


def test_what_was_not_told_is_told_after_a_kill_with_the_same_id(
    tmp_path: Path,
) -> None:
    with receiving() as receiver, fake_ses() as ses:
        receiver.usual = Answer(503)
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks({"name": "app", "url": receiver.url}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            failed = relay.event("webhook failed")
            assert (failed["webhook"], failed["detail"]) == ("app", "answered 503")
            submit(relay.port(), mail())  # while the endpoint rests
            relay.events("sent", 2)
            # What is written a tenth of a second later, and what came of the first.
            until(lambda: kept(tmp_path / "spool.db") == [(0,), (1,)])
            relay.stop(signal.SIGKILL)
        first = {one.id for one in receiver.came}
        receiver.usual = Answer()
        with running_relay("-c", os.devnull, settings=settings):
            until(lambda: len({one.id for one in receiver.came}) == 2)
            until(lambda: kept(tmp_path / "spool.db") == [])
        told = [one.id for one in receiver.came]
        assert first <= set(told[1:])
        assert len(told) == 3


def kept(spool: Path) -> list[tuple[int]]:
    """The attempts on what is kept, read beside the relay."""
    with closing(sqlite3.connect(f"{spool.as_uri()}?mode=ro", uri=True)) as beside:
        return sorted(beside.execute("SELECT attempts FROM hook").fetchall())


def test_an_endpoint_that_hangs_holds_up_no_other_no_mail_and_no_stop(
    tmp_path: Path,
) -> None:
    with receiving() as hangs, receiving() as works, fake_ses() as ses:
        hangs.usual = Answer(hangs=True)
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks(
                {"name": "hangs", "url": hangs.url}, {"name": "works", "url": works.url}
            ),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            for _ in range(40):
                assert submit(relay.port(), mail()).startswith("250 2.0.0 Ok")
            works.wait(40)
            hangs.wait(1)
            assert relay.stop() == 0
        # Nothing is lost by the stop: it is told again by the next relay.
        hangs.usual = Answer()
        before = len(hangs.came)
        with running_relay("-c", os.devnull, settings=settings):
            hangs.wait(before + 40)
        assert len({one.id for one in hangs.came}) == 40


def test_a_redirect_is_a_failure_and_never_followed(tmp_path: Path) -> None:
    with receiving() as inside, fake_ses() as ses:
        with receiving(Answer(307, {"Location": inside.url})) as receiver:
            settings = {
                **sending(ses.url, tmp_path / "spool.db"),
                **webhooks({"name": "app", "url": receiver.url}),
            }
            with running_relay("-c", os.devnull, settings=settings) as relay:
                submit(relay.port(), mail())
                detail = relay.event("webhook failed")["detail"]
                assert detail == (
                    "answered 307, a redirect, which is not followed; change the url"
                )
                receiver.wait(2)  # again there
        assert inside.came == []


def test_an_answer_without_end_is_given_up() -> None:
    with receiving(Answer(200, body=b"x" * 3_000_000)) as receiver, fake_ses() as ses:
        settings = {**sending(ses.url), **webhooks({"url": receiver.url})}
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            detail = relay.event("webhook failed")["detail"]
            assert detail == "an answer of more than 1000000 bytes"


def test_a_name_that_leads_into_ones_own_network_is_not_connected_to() -> None:
    with receiving() as receiver, fake_ses() as ses:
        url = receiver.url.replace("http://", "https://")
        settings = {
            **sending(ses.url),
            **webhooks({"url": url, "allowPrivate": False}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            detail = relay.event("webhook failed")["detail"]
            assert detail == (
                "Barred: localhost has private addresses alone; set allowPrivate = "
                "true where that is meant"
            )
            secret_nowhere(relay)
    assert receiver.came == []


def test_in_capture_mode_this_machine_is_told_and_nobody_else() -> None:
    with receiving() as receiver:
        far = {"name": "far", "url": "http://192.0.2.1/"}
        settings = webhooks({"name": "near", "url": receiver.url}, far)
        with running_relay(settings=settings) as relay:
            submit(relay.port(), mail())
            [came] = receiver.wait(1)
            assert came.type == "mail.captured"
            failed = relay.event("webhook failed")
            assert failed["webhook"] == "far"
            assert "192.0.2.1 is not this machine" in failed["detail"]


def test_tls_is_checked_and_one_that_is_trusted_is_told(tmp_path: Path) -> None:
    certificate, key = certificates.make(tmp_path, "localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with receiving(tls=context) as receiver, fake_ses() as ses:
        settings = {**sending(ses.url), **webhooks({"url": receiver.url})}
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            detail = relay.event("webhook failed")["detail"]
            assert "certificate verify failed" in detail
        assert receiver.came == []
        trusting = {**settings, "SSL_CERT_FILE": os.fspath(certificate)}
        with running_relay("-c", os.devnull, settings=trusting) as relay:
            submit(relay.port(), mail())
            assert [one.type for one in receiver.wait(1)] == ["mail.sent"]


def test_410_switches_off_at_once_and_a_reload_on_again(tmp_path: Path) -> None:
    with receiving(Answer(410)) as receiver, fake_ses() as ses:
        settings = {
            **sending(ses.url, tmp_path / "spool.db"),
            **webhooks({"name": "app", "url": receiver.url}),
        }
        with running_site("-c", os.devnull, settings=settings) as site:
            relay = site.relay
            submit(relay.port(), mail())
            off = relay.event("webhook switched off")
            assert (off["webhook"], off["level"]) == ("app", "error")
            submit(relay.port(), mail())
            until(lambda: 'relay_webhook_waiting{webhook="app"} 2.0' in metrics(site))
            assert 'relay_webhook_off{webhook="app"} 1.0' in metrics(site)
            [trouble] = site.get("/api/v1/status").json["troubles"]
            assert trouble["text"] == (
                "Webhook app is switched off: answered 410 Gone: it wants no more of "
                "this relay. 2 events wait."
            )
            assert len(receiver.came) == 1
            relay.process.send_signal(signal.SIGHUP)
            receiver.wait(3)
            until(lambda: 'relay_webhook_waiting{webhook="app"} 0.0' in metrics(site))
            assert 'relay_webhook_off{webhook="app"} 0.0' in metrics(site)
            told = 'relay_webhook_requests_total{outcome="told",webhook="app"} 2.0'
            assert told in metrics(site)
            assert site.get("/api/v1/status").json["troubles"] == []


def metrics(site: Site) -> str:
    return site.get("/metrics").body.decode()


def test_webhooks_come_and_go_with_a_reload(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    bare = 'reload = "signal"\n'
    with receiving() as receiver, fake_ses() as ses:

        def with_hook(url: str) -> str:
            return (
                f'{bare}[[webhooks]]\nname = "app"\nurl = "{url}"\n'
                f'secret = "{SECRET}"\nallowPrivate = true\n'
            )

        file.write_text(bare)
        file.chmod(0o600)
        settings = sending(ses.url, tmp_path / "spool.db")
        with running_relay("-c", str(file), settings=settings) as relay:
            submit(relay.port(), mail())
            file.write_text(with_hook("http://localhost:9/"))
            relay.process.send_signal(signal.SIGHUP)
            assert relay.event("reloaded")["changed"] == ["webhooks"]
            submit(relay.port(), mail())
            relay.event("webhook failed")
            # What waits goes where the name leads from now on.
            file.write_text(with_hook(receiver.url))
            relay.process.send_signal(signal.SIGHUP)
            relay.events("reloaded", 2)
            receiver.wait(1)
            file.write_text(bare)
            relay.process.send_signal(signal.SIGHUP)
            relay.events("reloaded", 3)
            submit(relay.port(), mail())
            assert relay.stop() == 0
        assert len(receiver.came) == 1


def test_without_a_spool_what_waits_is_lost_at_the_stop_and_said() -> None:
    with fake_ses() as ses:
        settings = {
            **sending(ses.url),
            **webhooks({"name": "app", "url": "http://localhost:9/"}),
        }
        with running_relay("-c", os.devnull, settings=settings) as relay:
            submit(relay.port(), mail())
            relay.event("webhook failed")
            assert relay.stop() == 0
            lost = relay.event("webhook events lost")
            assert (lost["webhook"], lost["events"]) == ("app", 1)


def test_without_a_spool_what_can_be_told_at_the_stop_is_told() -> None:
    with receiving() as receiver, fake_ses() as ses:
        settings = {**sending(ses.url), **webhooks({"url": receiver.url})}
        with running_relay("-c", os.devnull, settings=settings) as relay:
            for _ in range(20):
                submit(relay.port(), mail())
            assert relay.stop() == 0
        assert len({one.id for one in receiver.came}) == 20


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"url": ""}, "[0].url: must be given"),
        (
            {"url": "http://app.example/T0KEN", "allowPrivate": False},
            "[0].url = http://app.example/…: must be https://",
        ),
        (
            {"url": "https://169.254.169.254/T0KEN", "allowPrivate": False},
            "[0].url = https://169.254.169.254/…: is a private address",
        ),
        ({"url": "https://u:p@app.example/"}, "must not hold a user or a password"),
        ({"url": "https://app.example/#a"}, "must not have a part behind #"),
        ({"url": "https://app.example:99999/"}, "[0].url: Port out of range"),
        ({"url": "ftp://app.example/"}, "[0].url: must be a URL, https://"),
        ({"url": "https://é.example/"}, "[0].url: must be ASCII"),
        ({"url": "https://a.example/", "secret": ""}, "[0]: needs secret"),
        ({"url": "https://a.example/", "secret": "T0KEN"}, "must begin with whsec_"),
        ({"url": "https://a.example/", "events": ["snet"]}, 'must be "queued", "sent"'),
        ({"url": "https://a.example/", "adresses": "full"}, "[0].addresses"),
    ],
)
def test_a_mistake_stops_the_start_and_shows_no_secret(
    entry: dict[str, Any], wrong: str
) -> None:
    text = refused_start(webhooks(entry))
    assert wrong in text
    assert "T0KEN" not in text
    assert SECRET not in text
    assert "Traceback" not in text


def test_two_of_one_host_need_names(tmp_path: Path) -> None:
    url = "https://a.example/"
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    by_file = {"url": url, "secret": "", "secretFile": str(secret)}
    text = refused_start(webhooks({"url": url}, by_file))
    assert '[1].name = "a.example": webhooks[0] has it, too' in text


@pytest.mark.parametrize(
    ("queue", "kept"),
    [
        ("", "in the spool"),
        ('engine = "none"', "in memory"),
        (
            'engine = "sqs"\nbucket = "acme"\nurl = "https://sqs.eu-west-1.amazonaws.com/1/r"',
            "in the bucket",
        ),
    ],
)
def test_the_check_names_who_is_told_and_shows_no_secret(
    tmp_path: Path, queue: str, kept: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        f'[ses]\nregion = "eu-west-1"\n[queue]\n{queue}\n[[webhooks]]\n'
        f'url = "https://shop.example/T0KEN"\nsecret = "{SECRET}"\n'
        'events = ["sent", "failed"]\n'
    )
    found = relay_command("check", "-c", str(file), cwd=tmp_path)
    assert (
        f"ok: webhook shop.example: shop.example is told of sent, failed; kept {kept}\n"
    ) in found.stdout
    assert "T0KEN" not in found.stdout + found.stderr


def test_a_relay_without_webhooks_imports_none_of_it() -> None:
    code = (
        "import sys, relay.app.mail_side, relay.app.queue_side;"
        "print(sorted(n for n in sys.modules if n.startswith('relay.hooks')"
        " or 'memory_hooks' in n))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(found.stdout) == []


def test_the_receiver_of_these_tests_believes_nobody_else() -> None:
    with receiving() as receiver:
        request = urllib.request.Request(receiver.url, b"{}", {"webhook-id": "x"})
        urllib.request.urlopen(request).close()
        assert isinstance(receiver, Receiver)
        with pytest.raises(Exception, match="Missing required headers"):
            _ = receiver.came[0].event
