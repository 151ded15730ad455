"""The moves of a job between bucket and queue, and what each finds of another's."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest

from relay.fleet import hint as hints
from relay.fleet import keys
from relay.fleet import record as records
from relay.fleet.audit import Audit
from relay.fleet.aws import FleetSettings
from relay.fleet.ledger import lent_ledger
from relay.fleet.record import Standing
from relay.model.job import Failed, Job, Queued, Replaced, Sending, Sent
from relay.model.mail import Choice
from relay.model.note import Key, Limit, Note
from relay.model.proof import Proof
from relay.model.reply import Reply
from relay.model.submission import MailId
from relay.queue import NotYet, Unwritable
from relay.queue.obstacle import Obstacle
from relay.queue.selection import Selection
from tests.fleet.emulators import Emulator
from tests.fleet.faults import faults
from tests.fleet.jobs import CONTENT, MUCH, job, until
from tests.fleet.patient import PatientQueue, in_bucket, objects, patient_queue

DOWN = Reply(451, "4.1", "SES cannot be reached")
NO = Reply(554, "6.0", "Message rejected")
OK = Reply(250, "0.0", "Ok 0100-1")
CODE = Choice("SignIn", "SignIn", supersedes=True)


@pytest.fixture
def place(emulator: Emulator) -> FleetSettings:
    return emulator.place()


@pytest.fixture
async def queue(place: FleetSettings) -> AsyncIterator[PatientQueue]:
    async with patient_queue(place) as found:
        yield found


async def claimed(queue: PatientQueue) -> list[str]:
    return [claim.job.id for claim in await queue.claim(9, size=MUCH)]


async def _put_by_hand(
    queue: PatientQueue, name: str, body: bytes, state: bytes | None = None
) -> None:
    await queue.bucket.put(keys.mail_key(name), body)
    if state is not None:
        await queue.bucket.put(keys.state_key(name), state)


async def test_an_attempt_whose_end_nobody_saw_is_taken_over_and_marked(
    queue: PatientQueue,
) -> None:
    waits = job(queue, "k1")
    body = records.record(waits, Standing(Queued(0, 0.0)), now=0.0)
    left = Standing(Sending(1), takeovers=1, lease=-1.0, by="another")
    await _put_by_hand(queue, "k1.0", body, left.to_bytes(0.0))
    hint = hints.hint_of(waits, Standing(Queued(0, 0.0)), 10)
    await queue.bell.send(hint.to_text(), delay=0, group="")
    (claim,) = await queue.claim(9, size=MUCH)
    assert claim.job.state == Sending(2, maybe_sent=True)
    found = await queue.bucket.get(keys.state_key("k1.0"))
    assert found is not None
    assert records.standing(found.body).takeovers == 2


async def test_an_attempt_whose_lease_runs_is_left_to_who_has_it(
    queue: PatientQueue, place: FleetSettings
) -> None:
    waits = job(queue, "k1")
    body = records.record(waits, Standing(Queued(0, 0.0)), now=0.0)
    left = Standing(Sending(1), lease=600.0, by="another")
    await _put_by_hand(queue, "k1.0", body, left.to_bytes(0.0))
    hint = hints.hint_of(waits, Standing(Queued(0, 0.0)), 10)
    await queue.bell.send(hint.to_text(), delay=0, group="")
    assert await claimed(queue) == []
    assert [one.state for one in in_bucket(place)] == [Sending(1)]
    counts = await queue.bell.counts()
    assert counts.waiting == 1  # with a delay until the lease ends


async def test_the_hint_of_a_mail_whose_lease_is_long_is_hidden_for_longer(
    queue: PatientQueue,
) -> None:
    await queue.put([job(queue, "k1")])
    (small,) = await queue.claim(9, size=MUCH)
    assert queue.watched.left == set()  # its lease ends before
    await queue.put([job(queue, "k2", content=b"x" * 1_000_000)])
    (large,) = await queue.claim(9, size=MUCH)
    assert queue.watched.left == {queue._held[large.token].receipt}
    assert small.job.id == "k1"


async def test_what_was_kept_during_an_attempt_and_never_ended_is_marked(
    queue: PatientQueue,
) -> None:
    begun = job(queue, "k1", state=Sending(1))
    body = records.record(begun, Standing(Sending(1), lease=60.0), now=0.0)
    await _put_by_hand(queue, "k1.0", body)
    hint = hints.hint_of(begun, Standing(Sending(1)), 10, begun=True)
    await queue.bell.send(hint.to_text(), delay=0, group="")
    (claim,) = await queue.claim(9, size=MUCH)
    assert claim.job.state == Sending(2, maybe_sent=True)


async def test_a_hint_of_mail_that_has_gone_leaves_nothing(
    queue: PatientQueue, place: FleetSettings
) -> None:
    gone = job(queue, "k1")
    for begun in (False, True):
        hint = hints.hint_of(gone, Standing(Queued(0, 0.0)), 10, begun=begun)
        await queue.bell.send(hint.to_text(), delay=0, group="")
    assert await claimed(queue) == []
    await queue.quiet()
    assert objects(place) == []
    assert await queue.bell.counts() == (0, 0)


async def test_what_a_later_release_wrote_is_left_alone(
    queue: PatientQueue, place: FleetSettings, caplog: pytest.LogCaptureFixture
) -> None:
    waits = job(queue, "k1")
    body = records.record(waits, Standing(Queued(0, 0.0)), now=0.0)
    await _put_by_hand(queue, "k1.0", body.replace(b'"v": 1', b'"v": 2', 1))
    hint = hints.hint_of(waits, Standing(Queued(0, 0.0)), 10)
    later = json.dumps({**json.loads(hint.to_text()), "v": 2, "new": [1]})
    await queue.bell.send(later, delay=0, group="")
    await queue.bell.send(hint.to_text(), delay=0, group="")
    assert await queue.claim(9, size=MUCH) == []
    await queue.bell.drained()
    assert objects(place) == [keys.mail_key("k1.0")]
    assert (await queue.bell.counts()).hidden == 2
    assert "left alone" in [record.message for record in caplog.records]


async def test_fields_that_are_not_known_are_ignored(queue: PatientQueue) -> None:
    waits = job(queue, "k1")
    body = records.record(waits, Standing(Queued(0, 0.0)), now=0.0)
    await _put_by_hand(queue, "k1.0", body.replace(b"{", b'{"new": {"a": 1}, ', 1))
    hint = hints.hint_of(waits, Standing(Queued(0, 0.0)), 10)
    more = json.dumps({**json.loads(hint.to_text()), "new": [1]})
    await queue.bell.send(more, delay=0, group="")
    (claim,) = await queue.claim(9, size=MUCH)
    assert claim.job == waits._replace(state=Sending(1))


async def test_a_message_that_is_no_hint_is_left_alone(
    queue: PatientQueue, caplog: pytest.LogCaptureFixture
) -> None:
    await queue.bell.send("hello", delay=0, group="")
    await queue.bell.send('{"v": 1, "job": "../x"}', delay=0, group="")
    await queue.put([job(queue, "k1")])
    assert await claimed(queue) == ["k1"]
    said = [one.message for one in caplog.records]
    assert said.count("no hint") == 2


async def test_older_mail_is_found_superseded_when_its_turn_comes(
    queue: PatientQueue, place: FleetSettings
) -> None:
    told: list[tuple[Replaced, MailId]] = []
    queue.on_overtaken(lambda older, by: told.append((older, by)))
    await queue.put([job(queue, "k1", choice=CODE, age=5)])
    await queue.put([job(queue, "k2", choice=CODE)])
    assert await claimed(queue) == ["k2"]
    ((older, by),) = told
    assert (older.id, older.usage, by) == ("k1", "SignIn", "k2")
    assert objects(place, "mail/") == [keys.mail_key("k2.0")]


async def test_what_ses_took_voids_what_waits_and_what_would_wait(
    queue: PatientQueue,
) -> None:
    (claim,), _ = await queue.put(
        [job(queue, "k1", choice=CODE, age=5, state=Sending(1))]
    )
    await queue.supersede([job(queue, "k2", choice=CODE, state=Sending(1))])

    async def voided() -> bool:
        return await queue._claims.newer(claim.job) == "k2"

    await until(voided)
    came_to = await queue.settle(claim, Queued(1, queue.now(), DOWN))
    assert type(came_to).__name__ == "Superseded"


async def test_mail_at_its_end_fails_once_with_one_report(
    queue: PatientQueue, place: FleetSettings
) -> None:
    await queue.put([job(queue, "k1", ends_in=-1)])
    assert await claimed(queue) == []
    (claim,) = await queue.expired(9)
    assert isinstance(claim.job.state, Queued)
    report = job(queue, "r1", content=b"report")
    hold = queue._held[claim.token]
    for _ in range(2):  # as after a fault between report and state
        await queue._end(hold, Failed(0, queue.now(), NO), [report])
    assert [one.id for one in in_bucket(place)] == ["k1", "k1.0.r0"]
    assert [type(one.state) for one in in_bucket(place)] == [Failed, Queued]
    queue._over.clear()
    assert await claimed(queue) == ["k1.0.r0"]


# What SES' events prove to be sent.

TOOK = "0100-took"


def proof(mail_id: str = "k1", *to: str) -> Proof:
    return Proof(MailId(mail_id), TOOK, frozenset(to or ("c@d.example",)))


async def test_what_ses_proves_to_have_taken_leaves_nothing_but_a_hint_of_nothing(
    queue: PatientQueue, place: FleetSettings
) -> None:
    soon = queue.now() + 2
    await queue.put([job(queue, "k1", state=Queued(1, soon, DOWN, maybe_sent=True))])
    ended = await queue.confirm(proof())
    assert ended is not None
    assert ended.mail.content == CONTENT
    assert objects(place) == []
    assert (await queue.bell.counts()).waiting == 1

    async def none_left() -> bool:
        assert await claimed(queue) == []
        return await queue.bell.counts() == (0, 0)

    await until(none_left)
    assert objects(place) == []


@pytest.mark.parametrize("kept", ["as it began", "by a claim"])
async def test_an_attempt_that_nobody_ends_is_ended_by_a_proof_after_its_lease(
    queue: PatientQueue, place: FleetSettings, kept: str
) -> None:
    begun = job(queue, "k1", state=Sending(1))
    report = job(queue, "k1.0.r0", content=b"report")
    await queue.put([report])  # of who was cut off while it failed

    async def put(lease: float) -> None:
        stands = Standing(Sending(1), lease=lease, by="another")
        body = records.record(begun, stands, now=0.0)
        state = stands.to_bytes(0.0) if kept == "by a claim" else None
        await _put_by_hand(queue, "k1.0", body, state)

    await put(600.0)
    before = objects(place)
    with pytest.raises(NotYet):
        await queue.confirm(proof())
    assert objects(place) == before
    await put(-1.0)
    ended = await queue.confirm(proof())
    assert ended is not None
    assert isinstance(ended.state, Sent)
    assert ended.state == Sent(1, ended.state.at, TOOK)
    assert objects(place) == []


async def test_a_report_is_ended_by_its_own_proof_and_no_mail_by_that_of_its_report(
    queue: PatientQueue, place: FleetSettings
) -> None:
    unseen = Queued(1, queue.now(), DOWN, maybe_sent=True)
    jobs = [job(queue, name, state=unseen) for name in ("k1", "k1.0.r0")]
    await queue.put(jobs)
    ended = await queue.confirm(proof("k1.0.r0"))
    assert ended is not None
    assert ended.id == "k1.0.r0"
    assert [one.id for one in in_bucket(place)] == ["k1"]
    assert await queue.confirm(proof("k1.0.r0")) is None
    assert await queue.confirm(proof("k1")) is not None


async def test_a_proof_and_a_claim_at_one_time_end_a_mail_once(
    queue: PatientQueue, place: FleetSettings
) -> None:
    for number in range(10):
        name = f"k{number}"
        unseen = Queued(1, queue.now(), DOWN, maybe_sent=True)
        await queue.put([job(queue, name, state=unseen)])
        claims, ended = await asyncio.gather(
            queue.claim(9, size=MUCH),
            queue.confirm(proof(name)),
            return_exceptions=True,
        )
        assert not isinstance(claims, BaseException)
        if claims:
            assert isinstance(ended, NotYet) or ended is None
            await queue.settle(claims[0], Sent(2, queue.now(), "0100-1"))
        else:
            assert isinstance(ended, Job)
        assert objects(place) == []


@pytest.mark.parametrize("fate", ["503", "cut after"])
@pytest.mark.parametrize("call", ["GET mail", "PUT state", "DELETE mail", "2nd"])
async def test_a_fault_leaves_what_ses_took_to_be_ended_later(
    emulator: Emulator, call: str, fate: str
) -> None:
    async with faults(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with patient_queue(place) as queue:
            late = queue.now() + 100
            unseen = Queued(1, late, DOWN, maybe_sent=True)
            await queue.put([job(queue, "k1", state=unseen)])
            claimed = False

            def fails(name: str) -> str:
                """A call, or what is read after the claim."""
                nonlocal claimed
                claimed |= "S3 PUT state" in name
                again = call == "2nd" and claimed and "S3 GET mail" in name
                return fate if again or f"S3 {call}" in name else "pass"

            proxy.fate = fails
            try:
                ended = await queue.confirm(proof())
            except Unwritable:
                ended = None
            proxy.fate = lambda name: "pass"
            if ended is None:
                with suppress(NotYet):  # a claim whose answer was lost keeps its lease
                    ended = await queue.confirm(proof())
            there = replace(place, endpoint_url=emulator.endpoint)
            if (call, fate) == ("PUT state", "cut after"):
                assert ended is None
                (left,) = in_bucket(there)
                assert left.state == Sending(1, maybe_sent=True, last=DOWN)
                return
            assert ended is not None
            await until(lambda: objects(there) == [])


async def test_what_a_later_release_wrote_is_ended_by_no_proof(
    queue: PatientQueue, place: FleetSettings
) -> None:
    unseen = Standing(Queued(1, 0.0, DOWN, maybe_sent=True))
    body = records.record(job(queue, "k1"), unseen, now=0.0)
    await _put_by_hand(queue, "k1.0", body.replace(b'"v": 1', b'"v": 2', 1))
    assert await queue.confirm(proof()) is None
    assert objects(place) == [keys.mail_key("k1.0")]


# Keys and limits, between relays.


async def test_a_key_that_one_relay_has_in_hand_another_waits_for(
    queue: PatientQueue, place: FleetSettings
) -> None:
    key = Key("user app", "order-7", b"\x01\x02")
    async with patient_queue(place) as other:
        assert await queue.notes.recall(key) is None
        asked = asyncio.create_task(other.notes.recall(key))
        await asyncio.sleep(0.5)
        assert not asked.done()
        await queue.notes.note(Note(MailId("k1"), OK, "0100-1", key=key))
        first = Note(MailId("k1"), OK, "0100-1", key=key)
        assert await asked == first
        assert await queue.notes.recall(key) == first


async def test_a_key_of_which_nothing_came_is_free_for_another(
    queue: PatientQueue, place: FleetSettings
) -> None:
    key = Key("user app", "order-7", b"\x01\x02")
    async with patient_queue(place) as other:
        assert await queue.notes.recall(key) is None
        await other.notes.free(key)  # not its own
        asked = asyncio.create_task(other.notes.recall(key))
        await asyncio.sleep(0.5)
        assert not asked.done()
        await queue.notes.free(key)
        assert await asked is None


async def test_mail_counts_towards_a_limit_whichever_relay_took_it(
    queue: PatientQueue, place: FleetSettings
) -> None:
    limit = Limit("SignIn", ("c@d.example",), 3, 600.0)
    async with patient_queue(place) as other:
        await asyncio.gather(
            *[
                one.notes.note(Note(MailId(f"k{n}"), OK, limit=limit))
                for n, one in enumerate((queue, other, queue, other))
            ]
        )
        (passed,) = await other.notes.passed(limit)
        assert len(passed) == 3  # at most as many as its number
        assert passed < {"k0", "k1", "k2", "k3"}


# People and the audit.


async def test_a_list_is_in_the_order_of_coming_and_goes_on_after_a_place(
    queue: PatientQueue, place: FleetSettings
) -> None:
    jobs = []
    for n in range(5):
        waits = Queued(0, queue.now() + 500)
        jobs.append(job(queue, to=(f"c{n}@d{n % 2}.example",), state=waits))
        await queue.put(jobs[-1:])
        await asyncio.sleep(0.002)  # ids of one millisecond are in no order
    loop = asyncio.get_running_loop()

    def read() -> list[list[str]]:
        with lent_ledger(queue.bucket, queue.bell, loop) as ledger:
            whole = list(ledger.entries(Selection(limit=3)))
            rest = ledger.entries(Selection(), after=whole[-1].place)
            of_one = ledger.entries(Selection(recipient="d1.example"))
            one = ledger.entries(Selection(ids=(jobs[2].id,)))
            return [
                [entry.job.id for entry in found]
                for found in (whole, rest, of_one, one)
            ]

    ids = [one.id for one in jobs]
    found = await asyncio.to_thread(read)
    assert found == [ids[:3], ids[3:], [ids[1], ids[3]], [ids[2]]]


async def test_mail_is_retried_and_dropped_by_hand_but_not_in_an_attempt(
    queue: PatientQueue, place: FleetSettings
) -> None:
    later = Queued(1, queue.now() + 500, DOWN)
    failed = Failed(2, queue.now(), NO)
    (claim,), _ = await queue.put(
        [
            job(queue, "k1", state=later),
            job(queue, "k2", state=failed, ends_in=-9),
            job(queue, "k3", state=Sending(1)),
            job(queue, "k4", state=later),
        ]
    )
    loop = asyncio.get_running_loop()

    def act() -> list[Obstacle | None]:
        with lent_ledger(queue.bucket, queue.bell, loop) as ledger:
            chosen = Selection(ids=("k1", "k2", "k3"))
            changes = list(ledger.retry(chosen, give_up_after=60))
            changes += ledger.drop(Selection(ids=("k3", "k4")))
            return [change.obstacle for change in changes]

    found = await asyncio.to_thread(act)
    in_hand = Obstacle.IN_HAND
    assert found == [None, None, in_hand, in_hand, None]
    claims = await queue.claim(9, size=MUCH)
    assert {one.job.id: one.job.state for one in claims} == {
        "k1": Sending(2, last=DOWN),
        "k2": Sending(3, last=NO),
    }
    assert all(one.job.expires_at > queue.now() for one in claims)
    for one in (*claims, claim):
        await queue.settle(one, Sent(3, queue.now(), "0100-1"))
    assert objects(place) == []


async def test_hints_that_were_lost_are_made_again_and_old_failures_go(
    queue: PatientQueue, place: FleetSettings
) -> None:
    old, now = time.time() - 7200, queue.now()
    lost = job(queue, "k1", state=Queued(1, old, DOWN), age=7200)
    await queue.put([job(queue, "k2", state=Failed(1, now - 900, NO))])
    await queue.put([job(queue, "k3", state=Queued(0, now + 500))])
    body = records.record(lost, Standing(Queued(1, old, DOWN)), now=old)
    await _put_by_hand(queue, "k1.0", body)
    assert await claimed(queue) == []
    audit = Audit(
        queue.bucket,
        queue.bell,
        unix=time.time,
        seen_until=time.time,
        keep_failed=lambda: 600.0,
    )
    found = await audit.look(before=time.time() + 5)
    assert (found.looked, found.hinted, found.forgotten, found.left) == (3, 1, 1, 0)
    assert await claimed(queue) == ["k1"]
    assert [one.id for one in in_bucket(place)] == ["k1", "k3"]


async def test_redrive_brings_back_what_a_purge_took(
    queue: PatientQueue, place: FleetSettings
) -> None:
    for name in ("k1", "k2"):
        waits = job(queue, name)
        body = records.record(waits, Standing(Queued(0, 0.0)), now=0.0)
        await _put_by_hand(queue, f"{name}.0", body)
    loop = asyncio.get_running_loop()

    def again() -> int:
        with lent_ledger(queue.bucket, queue.bell, loop) as ledger:
            return ledger.redrive(older_than=0).hinted

    assert await asyncio.to_thread(again) == 2
    assert sorted(await claimed(queue)) == ["k1", "k2"]


async def test_a_damaged_record_is_set_aside_and_one_without_content_fails(
    queue: PatientQueue, place: FleetSettings
) -> None:
    await queue.put([job(queue, "k1"), job(queue, "k2"), job(queue, "k3")])
    await queue.bucket.put(keys.mail_key("k1.0"), b"no json\n")
    found = await queue.bucket.get(keys.mail_key("k2.0"))
    assert found is not None
    await queue.bucket.put(keys.mail_key("k2.0"), found.body[:-5])
    assert await claimed(queue) == ["k3"]
    (over,) = await queue.expired(9)
    assert over.job.id == "k2"
    state = await queue.bucket.get(keys.state_key("k1.0"))
    assert state is not None
    assert isinstance(records.standing(state.body).state, Failed)


async def test_nothing_is_kept_before_the_bucket_was_tried(
    emulator: Emulator,
) -> None:
    async with patient_queue(emulator.place("http://127.0.0.1:9")) as queue:
        with pytest.raises(Unwritable, match=r"not reached yet|PutObject|GetObject"):
            await queue.put([job(queue)])
        with pytest.raises(Unwritable):
            await queue.check()
