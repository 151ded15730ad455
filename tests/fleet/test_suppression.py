"""Who gets no mail, by relays that share the list."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from tests.fake_ses import FakeSes
from tests.fleet.emulators import Emulator
from tests.fleet.hearing import hearing, left, tell
from tests.fleet.relays import NO_FILE, sharing
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_accounts import run
from tests.server.test_life import relay_command
from tests.server.test_suppression import REFUSED, listed, rcpt, suppressing
from tests.ses_events import bare, event
from tests.web.site import fake_ses

ANN, BOB = "ann@acme.example", "bob@acme.example"


def test_relays_share_a_list_that_people_change_beside_them(
    emulator: Emulator, tmp_path: Path
) -> None:
    with fake_ses() as ses:
        settings = sharing(ses, emulator.place(), RELAY_SUPPRESSION__ENABLED="true")

        def command(*words: str) -> str:
            done = relay_command("suppression", *words, settings=settings, cwd=tmp_path)
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout

        assert command("add", ANN, BOB) == "added 2 addresses\n"
        listed = json.loads(command("list", "--json"))
        assert sorted(one["address"] for one in listed) == [ANN, BOB]
        with (
            running_relay(*NO_FILE, settings=settings) as one,
            running_relay(*NO_FILE, settings=settings) as other,
        ):
            for relay in (one, other):
                read = relay.event("suppression read")
                assert read["entries"] == 2
                (refusal,) = rcpt(relay, ANN)
                assert REFUSED.fullmatch(refusal)
            assert command("remove", ANN) == "removed 1 address\n"
            for relay in (one, other):
                until(partial(taken, relay, ANN))
                assert not taken(relay, BOB)


def taken(relay: RelayProcess, address: str) -> bool:
    return rcpt(relay, address) == ["250 2.1.5 Recipient ok"]


async def test_who_bounced_by_ses_word_gets_no_more_mail(
    emulator: Emulator, tmp_path: Path
) -> None:
    place = emulator.place()

    def use(relay: RelayProcess) -> None:
        relay.event("suppression read", lambda one: one["entries"] == 0)
        assert taken(relay, ANN)
        bounced = event("Bounce")
        bounced["bounce"] |= {
            "bouncedRecipients": [{"emailAddress": "Ann@Acme.example"}],
            "timestamp": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
        }
        tell(place, bare(bounced), bare(bounced))
        line = relay.event("suppressed")
        assert (line["reason"], line["detail"]) == ("bounce", "Permanent/General")
        assert "acme" not in json.dumps(line)
        (refusal,) = rcpt(relay, ANN)
        assert refusal.endswith(": hard bounce")
        assert REFUSED.fullmatch(refusal)
        assert taken(relay, BOB)
        until(lambda: left(place) == 0)

    async with FakeSes() as ses:
        settings = hearing(ses, place, **suppressing(tmp_path))
        await run(settings, use)
    assert [one["address"] for one in listed(tmp_path)] == [ANN]
