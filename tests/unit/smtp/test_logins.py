"""Passwords compared, remembered, and guessed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from relay.smtp import logins as module
from relay.smtp.auth import Credentials
from relay.smtp.logins import Logins, User


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def cheap(secret: str) -> str:
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(secret)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def logins(clock: Clock) -> AsyncIterator[Logins]:
    stopping = asyncio.Event()
    stopping.set()  # nobody waits here; `tests/server` waits
    users = [User("app", cheap("s3cret")), User("other", cheap("0ther"))]
    made = Logins(users, stopping=stopping, clock=clock)
    yield made
    made.close()


async def test_name_and_password_together_make_a_user(logins: Logins) -> None:
    found = await logins.check(Credentials("app", b"s3cret"), "peer")
    assert found is not None
    assert found.name == "app"
    for name, secret in (
        ("app", b"0ther"),
        ("other", b"s3cret"),
        ("App", b"s3cret"),
        ("", b"s3cret"),
        ("app", b""),
        ("app", b"s3cret\0"),
        ("nobody", b"s3cret"),
    ):
        assert await logins.check(Credentials(name, secret), "peer") is None


async def test_one_of_a_remembered_password_is_no_other_users(logins: Logins) -> None:
    # Name and password run together must not be taken for another pair.
    assert await logins.check(Credentials("app", b"s3cret"), "peer")
    assert await logins.check(Credentials("ap", b"ps3cret"), "peer") is None
    assert await logins.check(Credentials("apps3cret", b""), "peer") is None


async def test_what_is_remembered_is_bounded_and_ends(
    logins: Logins, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await logins.check(Credentials("app", b"s3cret"), "peer")
    remembered = logins._remembered
    (key,) = remembered
    assert b"s3cret" not in key
    assert remembered[key] == clock.now + module.REMEMBERED_SECONDS
    clock.now += module.REMEMBERED_SECONDS + 1
    assert await logins.check(Credentials("app", b"s3cret"), "peer")
    assert remembered[key] == clock.now + module.REMEMBERED_SECONDS
    monkeypatch.setattr(module, "REMEMBERED", 1)
    assert await logins.check(Credentials("other", b"0ther"), "peer")
    assert len(remembered) == 1
    assert key not in remembered


async def test_connections_with_one_password_share_one_comparison(
    logins: Logins,
) -> None:
    given = Credentials("app", b"s3cret")
    checks = [asyncio.create_task(logins.check(given, "peer")) for _ in range(50)]
    await asyncio.sleep(0)
    assert len(logins._under_way) == 1
    checks[0].cancel()  # whoever began it may leave
    found = await asyncio.gather(*checks[1:])
    assert [user.name for user in found if user] == ["app"] * 49


async def test_a_wrong_guess_waits_longer_each_time_and_is_forgotten(
    logins: Logins, clock: Clock
) -> None:
    delays = [logins._delay("peer") for _ in range(6)]
    assert delays == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    assert logins._delay("other") == 0.25
    clock.now += module.FORGOTTEN_AFTER + 1
    assert logins._delay("peer") == 0.25


async def test_the_addresses_of_wrong_guesses_are_bounded(logins: Logins) -> None:
    for number in range(module.ADDRESSES + 500):
        logins._delay(f"address {number}")
    assert len(logins._failures) == module.ADDRESSES
    assert logins._delay("address 0") == 0.25


async def test_a_guess_that_is_not_ended_by_a_stop_takes_its_time() -> None:
    made = Logins([User("app", cheap("s3cret"))], stopping=asyncio.Event())
    loop = asyncio.get_running_loop()
    for name in ("app", "nobody"):
        began = loop.time()
        assert await made.check(Credentials(name, b"wrong"), f"peer of {name}") is None
        assert loop.time() - began >= module.FIRST_DELAY
    made.close()


@pytest.mark.parametrize(
    "guessers",
    [["192.0.2.1"] * 200, [f"2001:db8:0:1::{number:x}" for number in range(200)]],
    ids=["one address", "one network of IPv6"],
)
@pytest.mark.parametrize("failed_before", [True, False])
async def test_many_guesses_do_not_lock_the_right_password_out(
    logins: Logins, guessers: list[str], failed_before: bool
) -> None:
    if failed_before:
        assert await logins.check(Credentials("app", b"no"), guessers[0]) is None
    guesses = [
        asyncio.create_task(logins.check(Credentials("app", b"%d" % number), peer))
        for number, peer in enumerate(guessers)
    ]
    await asyncio.sleep(0)
    found = await logins.check(Credentials("app", b"s3cret"), "192.0.2.2")
    assert found is not None
    # It waited for those under way, and not for the rest of them.
    assert len(logins._under_way) > 150
    # Who shares an address with them waits for its turn, and has it.
    assert await logins.check(Credentials("other", b"0ther"), guessers[0]) is not None
    assert await asyncio.gather(*guesses) == [None] * 200
    assert logins._under_way == {}


async def test_a_close_ends_the_comparisons_that_wait(logins: Logins) -> None:
    guesses = [
        asyncio.create_task(logins.check(Credentials("app", b"%d" % number), "peer"))
        for number in range(50)
    ]
    await asyncio.sleep(0)
    logins.close()
    await asyncio.wait(guesses, timeout=20)
    assert all(guess.done() for guess in guesses)


async def test_the_addresses_of_a_network_of_ipv6_are_one_to_guess_from(
    logins: Logins,
) -> None:
    for peer in ("2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", "192.0.2.1"):
        assert await logins.check(Credentials("app", b"no"), peer) is None
    assert {origin: count for origin, (count, _) in logins._failures.items()} == {
        "2001:db8:0:1::/64": 2,
        "2001:db8:0:2::/64": 1,
        "192.0.2.1": 1,
    }


async def test_other_users_come_in_and_those_who_are_gone_do_not(
    logins: Logins,
) -> None:
    right = Credentials("app", b"s3cret")
    before = await logins.check(right, "peer")
    assert before is not None
    assert logins.same(before) is before
    other = User("app", cheap("another"), usage="SignIn")
    logins.take([other])
    assert logins.same(before) is None
    assert await logins.check(right, "peer") is None  # nor is it remembered
    assert await logins.check(Credentials("app", b"another"), "peer") is other
    changed = User("app", other.password_hash)
    logins.take([changed])
    assert logins.same(other) is changed
    assert await logins.check(Credentials("app", b"another"), "peer") is changed
    logins.take([])
    assert logins.same(changed) is None
    assert await logins.check(Credentials("app", b"another"), "peer") is None
