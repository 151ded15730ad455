"""People at a shared queue: what they list, retry and drop, and what the page lists."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from tests.fake_ses import FakeSes, error
from tests.fleet.emulators import Emulator
from tests.fleet.patient import in_bucket, objects
from tests.fleet.relays import NO_FILE, sharing
from tests.fleet.test_commands import relay
from tests.server.relay_process import running_relay, until
from tests.server.test_queue_disk import submit

TROUBLE = error("InternalFailure", 500)
LATER = "[600]"


def listed(settings: Mapping[str, str], *words: str) -> Any:  # noqa: ANN401 - any JSON
    done = relay(settings, "queue", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_people_list_retry_and_drop_what_waits(emulator: Emulator) -> None:
    place = emulator.place()
    # Not throttled, which would have the next mails wait for their first attempt.
    async with FakeSes(TROUBLE, TROUBLE, TROUBLE) as ses:
        settings = sharing(ses, place, RELAY_QUEUE__RETRY_DELAYS=LATER)
        settings["RELAY_QUEUE__UNSEEN_DELAYS"] = LATER
        settings["RELAY_WEB__LISTEN"] = "127.0.0.1:0"

        def work() -> None:
            with running_relay(*NO_FILE, settings=settings) as one:
                for name in ("k1", "k2", "k3"):
                    submit(one.port(), name)
                found = listed(settings, "list")
                ids = [entry["id"] for entry in found]
                assert [entry["state"] for entry in found] == ["queued"] * 3
                assert found[0]["lastReply"].startswith("451 4.3.0 ")
                assert found[0]["attempts"] == 1
                port = one.port("web")
                page = f"http://127.0.0.1:{port}/api/v1/queue?limit=2"
                with urllib.request.urlopen(page) as answer:
                    first = json.load(answer)
                assert [entry["id"] for entry in first["mails"]] == ids[:2]
                after = f"{page}&after={first['next']}"
                with urllib.request.urlopen(after) as answer:
                    rest = json.load(answer)
                assert [entry["id"] for entry in rest["mails"]] == ids[2:]
                assert rest["next"] is None
                listed(settings, "drop", ids[0])
                listed(settings, "retry", ids[1])
                until(lambda: len(ses.sent) == 4)
                until(lambda: len(objects(place, "mail/")) == 1)
                assert [one.id for one in in_bucket(place)] == [ids[2]]
                missing = relay(settings, "queue", "show", ids[0])
                assert missing.returncode == 1
                assert one.stop() == 0

        await asyncio.to_thread(work)
