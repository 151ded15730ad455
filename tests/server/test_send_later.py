"""Mail that is to be sent later: what its client hears, when it goes, who may hurry."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from relay.content.moment import shown
from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, environment, until
from tests.server.test_queue_replies import jobs, spooling, states
from tests.server.test_traps import submit, with_relay

DENIED = error("AccessDeniedException", 403, "not authorized")
QUOTA = error("LimitExceededException", 400, "Daily message quota exceeded.")
HOUR = 3600.0
TEMPLATE = [
    {
        "usageType": "Code",
        "subject": "s",
        "content": "{{n}}",
        "validFor": 600,
        "supersedes": True,
    }
]


def mail(send_at: float | str | None, *lines: str, text: str = "hi") -> bytes:
    head = ["From: a@a.example", *lines]
    if send_at is not None:
        head.append(f"X-Relay-Send-At: {send_at}")
    return "".join(f"{line}\r\n" for line in (*head, "", text)).encode()


def due(reply: str) -> tuple[str, str]:
    """The id and the time of a 250 that names one."""
    words, _, at = reply.partition("; due ")
    assert words.startswith("250 2.0.0 queued as "), reply
    return words.rpartition(" ")[2], at


def queue(directory: Path, *arguments: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "relay", "queue", *arguments, "--json"],
        env=environment(spooling(directory)),
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "null")


async def test_it_is_kept_until_then_and_holds_up_nobody(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> list[str]:
        later = time.time() + HOUR
        said = [submit(relay, mail(shown(later)))[1], submit(relay, mail(None))[1]]
        said.append(submit(relay, mail(shown(time.time() - HOUR)))[1])
        mail_id, at = due(said[0])
        assert at == shown(later)
        (row,) = jobs(tmp_path)
        assert (row["id"], row["state"], row["attempts"]) == (mail_id, "queued", 0)
        assert row["due"] == row["send_at"] == pytest.approx(later, abs=2)
        assert row["expires_at"] == pytest.approx(row["due"] + 345_600)
        _, (shown_row,) = queue(tmp_path, "list")
        assert shown_row["due"][:19] == at[:19]
        return said

    async with FakeSes() as ses:
        said = await with_relay(ses, use, **spooling(tmp_path))
        assert [one.mail for one in ses.sent] == [mail(None), mail(None)]
    assert [reply[:12] for reply in said[1:]] == ["250 2.0.0 Ok"] * 2


async def test_it_goes_when_its_time_comes_after_a_crash_as_well(
    tmp_path: Path,
) -> None:
    settings = spooling(tmp_path)

    def crash(relay: RelayProcess) -> None:
        due(submit(relay, mail(time.time() + 4))[1])
        relay.stop(signal.SIGKILL)

    def wait(relay: RelayProcess) -> None:
        until(lambda: states(tmp_path) == ["sent"])

    async with FakeSes() as ses:
        await with_relay(ses, crash, **settings)
        (before,) = jobs(tmp_path)
        assert (before["state"], before["maybe_sent"]) == ("queued", 0)
        await with_relay(ses, wait, **settings)
        assert len(ses.sent) == 1
    (after,) = jobs(tmp_path)
    assert after["attempts"] == 1
    assert after["ended_at"] >= before["due"]


async def test_its_time_counts_from_then(tmp_path: Path) -> None:
    templates = json.dumps(TEMPLATE)

    def use(relay: RelayProcess) -> None:
        code = ("X-Relay-Usage: Code", "X-Relay-Variable-n: 1")
        due(submit(relay, mail(time.time() + HOUR, *code))[1])
        (row,) = jobs(tmp_path)
        assert row["expires_at"] == pytest.approx(row["due"] + 600)
        # What came later counts, not what is due later.
        due(submit(relay, mail(time.time() + 60, *code))[1])
        assert states(tmp_path) == ["superseded", "queued"]

    async with FakeSes() as ses:
        await with_relay(ses, use, **spooling(tmp_path), RELAY_TEMPLATES=templates)
        assert ses.sent == []


async def test_it_is_tried_again_for_its_whole_life_however_long_it_waited(
    tmp_path: Path,
) -> None:
    """A mail that came long before its time is not at its end when that comes."""
    template = [{**TEMPLATE[0], "validFor": 6, "supersedes": False}]

    def use(relay: RelayProcess) -> None:
        code = ("X-Relay-Usage: Code", "X-Relay-Variable-n: 1")
        due(submit(relay, mail(time.time() + 2, *code))[1])
        until(lambda: states(tmp_path) == ["sent"])

    async with FakeSes(DENIED, DENIED) as ses:
        templates = json.dumps(template)
        await with_relay(ses, use, **spooling(tmp_path), RELAY_TEMPLATES=templates)
        assert len(ses.sent) == 3


async def test_the_end_of_a_pause_and_retry_all_do_not_hasten_it(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> None:
        due(submit(relay, mail(time.time() + HOUR, text="later"))[1])
        _, reply = submit(relay, mail(None, text="now"))
        assert reply.endswith("; throttling failure: Daily message quota exceeded")
        until(lambda: states(tmp_path) == ["queued", "sent"])
        assert queue(tmp_path, "retry", "--all")[1] == []
        assert queue(tmp_path, "retry", "--usage", "")[1] == []
        time.sleep(1)  # the relay looks at what the command changed twice a second
        assert states(tmp_path) == ["queued", "sent"]

    async with FakeSes(QUOTA) as ses:
        await with_relay(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 2


async def test_an_operator_who_names_it_sends_it_now(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> None:
        mail_id, _ = due(submit(relay, mail(time.time() + HOUR))[1])
        code, found = queue(tmp_path, "retry", mail_id)
        assert (code, found["state"]) == (0, "queued")
        (row,) = jobs(tmp_path)
        assert row["expires_at"] == pytest.approx(row["send_at"] + 345_600)
        until(lambda: states(tmp_path) == ["sent"])

    async with FakeSes() as ses:
        await with_relay(ses, use, **spooling(tmp_path))
        assert len(ses.sent) == 1


async def test_without_a_queue_it_is_refused_and_the_past_is_now() -> None:
    def use(relay: RelayProcess) -> list[str]:
        return [submit(relay, mail(time.time() + seconds))[1] for seconds in (60, -60)]

    async with FakeSes() as ses:
        later, past = await with_relay(ses, use)
        assert len(ses.sent) == 1
    assert later == ("550 5.7.0 X-Relay-Send-At: this relay has no queue to keep it in")
    assert past.startswith("250 2.0.0 Ok ")
