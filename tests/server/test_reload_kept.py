"""What a change of settings leaves as it was: counts, keys, pauses; and the page."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from relay.password import hashed
from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, environment, until
from tests.server.reloading import (
    PLAIN,
    Reloading,
    Settings,
    no_queue,
    reloading,
    ses,
    spool,
    template,
)

PAUSED = error("SendingPausedException", 400, "Sending paused for this account.")


@pytest.mark.parametrize("engine", ["none", "sqlite"])
async def test_keys_and_counts_of_recipients_are_known_after_a_change(
    tmp_path: Path, engine: str
) -> None:
    limited = template("one", perRecipient="1/h")
    with_key = PLAIN.replace(b"\r\n\r\n", b"\r\nX-Relay-Idempotency-Key: k1\r\n\r\n", 1)
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue() if engine == "none" else spool(tmp_path),
            templates=[limited],
        )

        def use(relay: Reloading) -> tuple[str, str]:
            first = relay.submit(with_key)
            assert relay.submit().startswith("250 2.0.0 Ok")
            relay.change(grace=26, templates=[{**limited, "subject": "two"}])
            assert relay.submit() == (
                "450 4.7.1 Too many SignIn mails to this recipient"
            )
            return first, relay.submit(with_key)

        first, again = await reloading(settings, use)
        assert first == again
        assert len(fake.sent) == 2


async def test_a_pause_outlives_a_change_of_what_is_not_the_account(
    tmp_path: Path,
) -> None:
    async with FakeSes(PAUSED) as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=spool(tmp_path, slowDelays=[600]),
            templates=[template("one")],
        )

        def use(relay: Reloading) -> list[str]:
            replies = [relay.submit()]
            relay.change(templates=[template("two")], ses=ses(fake, tenantName="t"))
            replies.append(relay.submit())
            # Other keys are another account of SES, of which no pause is known.
            keys = {"accessKeyId": "AKIABRAND", "accessKeySecret": "brand-secret"}
            relay.change(ses=ses(fake, **keys))
            # Both go at once: one was to be tried again in ten minutes.
            until(lambda: len(fake.sent) == 3)
            return replies

        replies = await reloading(settings, use)
        assert fake.sent[0].key_id == "AKIAFAKE"
        assert {one.key_id for one in fake.sent[1:]} == {"AKIABRAND"}
    assert all(reply.endswith("; sending paused") for reply in replies)


async def test_a_guard_that_is_put_up_keeps_mail_in_the_page_that_runs(
    tmp_path: Path,
) -> None:
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), web={"listen": "127.0.0.1:0"}
        )

        def use(relay: Reloading) -> dict[str, Any]:
            relay.change(guard={"recipients": ["*@acme.example"], "others": "capture"})
            reply = relay.submit(PLAIN)
            assert reply.startswith("250 2.0.0 captured as ")
            port = relay.relay.port("web")
            path = f"/api/v1/mails/{reply.split()[-1]}/content"
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as found:
                content: dict[str, Any] = json.load(found)
            relay.change(guard=None)
            assert relay.submit(PLAIN).startswith("250 2.0.0 Ok")
            return content

        kept = await reloading(settings, use, environment={"RELAY_WEB__LISTEN": None})
        assert len(fake.sent) == 1
    assert kept["subject"] == "plain"


async def test_the_page_asks_for_the_password_that_is_in_force(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path, transport="capture", queue=no_queue(), web={"listen": "127.0.0.1:0"}
    )

    def use(relay: Reloading) -> list[int]:
        port = relay.relay.port("web")

        def answer() -> int:
            url = f"http://127.0.0.1:{port}/api/v1/status"
            try:
                with urllib.request.urlopen(url) as found:
                    return int(found.status)
            except urllib.error.HTTPError as refused:
                refused.close()
                return refused.code

        found = [answer()]
        word = {"user": "ann", "passwordHash": hashed("s3cret")}
        relay.change(web={"listen": "127.0.0.1:0", **word})
        found.append(answer())
        relay.change(web={"listen": "127.0.0.1:0"})
        return [*found, answer()]

    environ = {"RELAY_WEB__LISTEN": None}
    assert await reloading(settings, use, environment=environ) == [200, 401, 200]


def test_settings_from_a_pipe_stay_and_the_log_says_why(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path, transport="capture", queue=no_queue(), web={"listen": ""}
    )
    out, into = os.pipe()
    os.write(into, settings.text.encode())
    os.close(into)
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve", "--show", "-c", f"/dev/fd/{out}"],
        cwd=tmp_path,
        env=environment({"RELAY_LOG__FORMAT": "json"}),
        pass_fds=[out],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    os.close(out)
    relay = RelayProcess(process)
    try:
        relay.event("ready")
        process.send_signal(signal.SIGHUP)
        assert "is a pipe" in relay.event("not reloaded")["reason"]
        with smtplib.SMTP("127.0.0.1", relay.port()) as smtp:
            smtp.sendmail("a@b.example", ["c@d.example"], PLAIN)
        assert relay.stop() == 0
    finally:
        process.kill()
        relay.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
