"""What every list of suppressed addresses does: the spool's, and that of a bucket."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from relay.delivery.suppression import Suppression
from relay.fleet import suppression_book as shared
from relay.fleet.aws import FleetSettings
from relay.fleet.bucket import Bucket
from relay.fleet.connect import connected
from relay.fleet.open import open_queue
from relay.fleet.suppression import RENEWED_AFTER, BucketSuppressions
from relay.model.feedback import Feedback, Kind, Recipient
from relay.model.mail import Choice, Mail, Prepared
from relay.model.outcome import Rejected
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId
from relay.model.suppression import SOFT, Hashes, Known, Past, Suppressed
from relay.observe.events import FedBack
from relay.queue import suppression_book as of_spool
from relay.queue.sqlite import open_spool
from relay.queue.suppression import Suppressions
from relay.queue.suppression_book import SuppressionBook

T = TypeVar("T")

ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"
DAY = 86_400.0


@dataclass
class Side:
    """A list as a relay has it, and as people have it beside."""

    listed: Suppressions
    book: Callable[[], AbstractContextManager[SuppressionBook]]
    place: FleetSettings | None = None

    async def beside(self, use: Callable[[SuppressionBook], T]) -> T:
        """Use the people's side in a thread of its own."""

        def act() -> T:
            with self.book() as book:
                return use(book)

        return await asyncio.to_thread(act)

    def suppression(
        self,
        *excepted: str,
        soft_bounces: int = 3,
        keep_bounces: float = 90 * DAY,
        listed: Suppressions | None = None,
    ) -> Suppression:
        found = Suppression(listed or self.listed, unix=time.time)
        found.take(
            excepted=excepted, soft_bounces=soft_bounces, keep_bounces=keep_bounces
        )
        return found

    async def entries(self) -> list[Suppressed]:
        found = await self.beside(lambda book: list(book.entries()))
        return sorted(found, key=lambda one: one.address)


@pytest.fixture(params=["sqlite", "sqs"])
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Side]:
    if request.param == "sqs":
        place: FleetSettings = request.getfixturevalue("emulator").place()
        async with open_queue(place) as queue:
            yield Side(queue.suppressions, lambda: shared.open_book(place), place)
        return
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=0, keep_failed=0) as spool:
        yield Side(spool.suppressions, lambda: of_spool.open_book(path, write=True))


def said(
    kind: Kind, *addresses: str, at: float, type_: str = "", subtype: str = ""
) -> FedBack:
    to = tuple(map(Recipient, addresses))
    told = Feedback(kind, "0100", at, recipients=to, type=type_, subtype=subtype)
    return FedBack(MailId("k3v9"), told)


def hard(*addresses: str, at: float) -> FedBack:
    return said("bounce", *addresses, at=at, type_="Permanent", subtype="General")


def soft(address: str, at: float) -> FedBack:
    return said("bounce", address, at=at, type_="Transient", subtype="MailboxFull")


def mail(*recipients: str, usage: str = "") -> Mail:
    return Mail(Envelope("app@acme.example", recipients), b"", choice=Choice(usage))


async def looked(suppression: Suppression) -> Suppression:
    """The same once it has looked at the list."""
    stopping = asyncio.Event()
    task = asyncio.create_task(suppression.run(stopping))
    while not suppression.read:  # noqa: ASYNC110 - a state, which has no event
        await asyncio.sleep(0.01)
    stopping.set()
    await task
    return suppression


async def test_who_bounced_is_refused_from_then_on_by_all_relays(side: Side) -> None:
    now = time.time()
    suppression = side.suppression()
    assert not suppression.is_known("Ann@Acme.example")
    await suppression.keep(hard("Ann@Acme.example", BOB, at=now))
    assert suppression.is_known("ann@ACME.example")
    reply = await suppression.refusal("ann@ACME.example")
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    assert str(reply) == f"550 5.1.1 Recipient suppressed since {day}: hard bounce"
    assert not suppression.is_known(EVE)
    assert await side.entries() == [
        Suppressed(one, "bounce", now, "event", "Permanent/General")
        for one in (ANN, BOB)
    ]
    assert len(suppression) == 2
    another = await looked(side.suppression())
    assert (len(another), another.is_known(BOB)) == (2, True)


async def test_copies_and_late_facts_change_nothing(side: Side) -> None:
    now = time.time()
    suppression = side.suppression()
    complaint = said("complaint", ANN, at=now - 50)
    facts = [hard(ANN, at=now - 100), complaint, hard(ANN, at=now - 20), complaint]
    for one in (*facts, *reversed(facts)):
        await suppression.keep(one)
    assert await side.entries() == [Suppressed(ANN, "complaint", now - 50)]


async def test_an_address_removed_by_hand_stays_so_against_older_facts(
    side: Side,
) -> None:
    now = time.time()
    suppression = side.suppression()
    await suppression.keep(hard(ANN, at=now - 100))
    gone = await side.beside(lambda book: list(book.remove([ANN, EVE])))
    assert gone == [(ANN, True), (EVE, False)]
    # It may be in memory still, but the list says that it is not there.
    assert await suppression.refusal(ANN) is None
    assert not suppression.is_known(ANN)
    await suppression.keep(hard(ANN, EVE, at=now - 1))
    assert await side.entries() == []
    assert not suppression.is_known(ANN)
    await suppression.keep(hard(ANN, at=now + 5))
    assert [one.address for one in await side.entries()] == [ANN]


async def test_an_import_brings_back_nobody_who_was_removed_since(side: Side) -> None:
    now = time.time()
    entry = Suppressed(ANN, "bounce", now - 10, "ses")

    def use(book: SuppressionBook) -> list[str]:
        found = [book.add([entry]), book.add([entry])]
        became: list[str] = [what for some in found for _, what in some]
        assert list(book.remove([ANN])) == [(ANN, True)]
        became += [what for _, what in book.add([entry])]
        later = Suppressed(ANN, "manual", now + 10, "hand")
        became += [what for _, what in book.add([later])]
        assert book.number() == 1
        return became

    assert await side.beside(use) == ["added", "known", "removed", "added"]


async def test_soft_bounces_in_a_row_suppress_and_a_delivery_ends_it(
    side: Side,
) -> None:
    now = time.time()
    suppression = side.suppression()
    for at in (1.0, 2.0, 2.0):
        await suppression.keep(soft(ANN, at))
    assert await side.entries() == []
    await suppression.keep(said("delivery", ANN, BOB, at=2.5))
    for at in (3.0, 4.0):
        await suppression.keep(soft(ANN, at))
    assert not suppression.is_known(ANN)
    assert await side.listed.find(BOB) == Known()  # nobody remembers deliveries
    await suppression.keep(soft(ANN, now))
    assert await side.entries() == [Suppressed(ANN, "bounce", now, "event", SOFT)]
    await suppression.keep(said("delivery", ANN, at=now + 1))
    assert await side.entries() == []
    assert not suppression.is_known(ANN)


async def test_who_was_added_and_removed_beside_is_seen_by_a_look(side: Side) -> None:
    suppression = await looked(side.suppression())
    entries = [Suppressed(one, "manual", time.time(), "hand") for one in (ANN, BOB)]
    await side.beside(lambda book: list(book.add(entries)))
    await looked_again(suppression, side)
    assert (suppression.is_known(ANN), suppression.is_known(BOB)) == (True, True)
    await side.beside(lambda book: list(book.remove([BOB])))
    await looked_again(suppression, side)
    assert (suppression.is_known(ANN), suppression.is_known(BOB)) == (True, False)
    assert len(suppression) == 1


async def looked_again(suppression: Suppression, side: Side) -> None:
    suppression.read = False
    await looked(suppression)


async def test_a_bounce_lapses_and_is_known_again_by_the_next(side: Side) -> None:
    now = time.time()
    suppression = side.suppression(keep_bounces=DAY)
    await suppression.keep(hard(ANN, at=now - DAY - 60))
    await suppression.keep(said("complaint", BOB, at=now - 900 * DAY))
    assert await suppression.refusal(ANN) is None
    assert await suppression.refusal(BOB) is not None
    await suppression.keep(hard(ANN, at=now))
    assert await suppression.refusal(ANN) is not None


async def test_a_mail_is_parted_into_who_gets_it_and_who_does_not(side: Side) -> None:
    suppression = side.suppression("SignIn")
    await suppression.keep(hard(ANN, BOB, at=time.time()))
    # A header may name the usage that goes all the same.
    assert not suppression.is_known(ANN)
    assert await suppression.refusal(ANN) is None
    parts = await suppression.parted(Prepared((mail(EVE, ANN, BOB),)))
    assert [one.envelope.recipients for one in parts.mails] == [(EVE,), (ANN, BOB)]
    whole = Prepared((mail(ANN, usage="SignIn"),))
    assert await suppression.parted(whole) == whole
    with pytest.raises(Refused) as refused:
        await suppression.parted(Prepared((mail(ANN), mail(BOB))))
    assert str(refused.value).startswith("550 5.1.1 Recipient suppressed since ")
    assert suppression.refused == {"bounce": 2, "complaint": 0, "manual": 0}


async def test_a_mail_is_rejected_at_its_turn_where_nobody_may_get_it(
    side: Side,
) -> None:
    suppression = side.suppression()
    await suppression.keep(said("complaint", ANN, at=0.0))
    ends = [
        await suppression.rejected(one)
        for one in (mail(ANN), mail(ANN, EVE), mail(EVE))
    ]
    assert [isinstance(one, Rejected) for one in ends] == [True, False, False]


async def test_lists_are_searched_and_go_on_behind_an_address(side: Side) -> None:
    now = time.time()
    some = [
        Suppressed(f"{number:03}@acme.example", "bounce", now, "ses")
        for number in range(450)
    ]
    some.append(Suppressed("ann@other.example", "complaint", now, "ses"))

    def use(book: SuppressionBook) -> None:
        assert {what for _, what in book.add(some)} == {"added"}
        assert book.number() == 451
        every = list(book.entries())
        assert sorted(every, key=lambda one: one.address) == some
        assert list(book.entries(after=every[300].address)) == every[301:]
        assert [one.address for one in book.entries(words="other")] == [
            "ann@other.example"
        ]
        assert len(list(book.entries(reason="bounce"))) == 450
        assert list(book.entries(words="'; DROP TABLE")) == []

    await side.beside(use)


async def test_facts_of_one_address_at_once_are_all_counted(side: Side) -> None:
    suppression = side.suppression(soft_bounces=4)
    await asyncio.gather(
        *(suppression.keep(soft(ANN, float(at))) for at in range(1, 5))
    )
    assert [one.detail for one in await side.entries()] == [SOFT]


# A bucket alone.


@pytest.mark.parametrize("side", ["sqs"], indirect=True)
async def test_no_address_is_in_a_key_and_old_entries_are_written_anew(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side.place is not None
    suppression = side.suppression()
    now = time.time()
    await suppression.keep(hard(ANN, at=now))
    await suppression.keep(hard(BOB, at=now - 200 * DAY))
    await suppression.keep(soft(EVE, now))
    async with connected(side.place) as (bucket, _):
        before = await listed(bucket)
        assert {key.partition("/")[0] for key in before} == {"gone", "soft"}
        assert not [key for key in before if "@" in key or "ann" in key]
        later = BucketSuppressions(bucket, unix=time.time)
        ahead = time.time() + RENEWED_AFTER + 60
        monkeypatch.setattr("time.time", lambda: ahead)
        await later.look(Hashes(), keep_bounces=90 * DAY)
        monkeypatch.undo()
        after = await listed(bucket)
    renewed = {key for key in before if after[key] > before[key]}
    left = [one for one in before if one not in renewed]
    # Bob's bounce lapsed: the bucket's rule may delete it.
    assert [one.partition("/")[0] for one in left] == ["gone"]


async def listed(bucket: Bucket) -> dict[str, float]:
    found = {}
    async for page in bucket.pages(""):
        for one in page:
            if one.key.startswith(("gone/", "soft/")):
                found[one.key] = one.modified
    return found


# A spool alone.


async def test_a_spool_forgets_what_lapsed_and_what_nobody_needs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "spool.db"
    async with open_spool(path, keep_sent=0, keep_failed=0) as spool:
        listed = spool.suppressions
        suppression = Suppression(listed, unix=time.time)
        now = time.time()
        await suppression.keep(hard(ANN, at=now - 91 * DAY))
        await suppression.keep(hard(BOB, at=now - 80 * DAY))
        await suppression.keep(soft(EVE, now))
        with sqlite3.connect(path) as beside:
            beside.execute(
                "UPDATE suppression SET changed = ? WHERE address = ?",
                (now - 31 * DAY, EVE),
            )
        hashes = Hashes()
        await listed.look(hashes, keep_bounces=90 * DAY)
        known = [await listed.find(one) for one in (ANN, BOB, EVE)]
    assert len(hashes.gone) == 1
    assert known[0] == known[2] == Known()
    assert known[1].entry is not None
    assert known[1].past == Past()
