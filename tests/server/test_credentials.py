"""Keys that end soon, or were changed: from a real metadata service, STS and files."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from aiohttp import web

from relay.delivery.transport import Transport
from relay.model.outcome import Accepted, Deferred, Outcome, When
from relay.ses import error_table
from tests.fake_ses import KEYS, Answer, FakeSes, error
from tests.server import test_ses
from tests.server.test_ses import ID, MAIL, Opener

pytestmark = pytest.mark.usefixtures("no_aws_settings")
ses_at = test_ses.ses_at

ROLE = "arn:aws:iam::111122223333:role/relay"
MINUTE = 60.0
NO_KEYS: dict[str, object] = {"access_key_id": "", "access_key_secret": ""}


class Metadata:
    """A container's metadata service: gives `keys`, then does `after`."""

    def __init__(self, *keys: tuple[str, float], after: str = "hang") -> None:
        self.keys = deque(keys)
        self.asked = 0  # for keys
        self.after = after
        self.url = ""
        self._over = asyncio.Event()
        self._runner = web.ServerRunner(web.Server(self._serve))

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        self.asked += 1
        if not self.keys:
            if self.after == "hang":
                await self._over.wait()
            return web.Response(status=500, text="no")
        key_id, lasts = self.keys.popleft()
        ends = datetime.now(UTC) + timedelta(seconds=lasts)
        return web.json_response(
            {
                "AccessKeyId": key_id,
                "SecretAccessKey": KEYS[key_id],
                "Token": "token",
                "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
            }
        )


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Callable[[Metadata], None]:
    def use(service: Metadata) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.url)

    return use


async def sent(transport: Transport, count: int) -> list[Outcome]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(transport.send(MAIL, ID)) for _ in range(count)]
    return [task.result() for task in tasks]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("after", ["hang", "500"])
@pytest.mark.parametrize("ends_in", [14 * MINUTE, MINUTE])
async def test_nobody_waits_for_keys_while_valid_ones_are_at_hand(
    ses_at: Opener,
    metadata: Callable[[Metadata], None],
    after: str,
    ends_in: float,
) -> None:
    async with FakeSes() as fake, Metadata(("ASIAROLE1", ends_in)) as service:
        # The SDK asks twice for keys that end soon.
        service.keys.append(("ASIAROLE1", ends_in))
        service.after = after
        metadata(service)
        async with ses_at(fake.url, attempt_timeout=8, **NO_KEYS) as transport:
            assert isinstance(await transport.send(MAIL, ID), Accepted)
            given = service.asked
            outcomes = [*(await sent(transport, 10)), *(await sent(transport, 10))]
            # The service hangs still, or has failed: one asks it for all, three times.
            await until(lambda: service.asked > given)
            assert service.asked <= given + 3
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 20
    assert {request.key_id for request in fake.sent} == {"ASIAROLE1"}


async def test_new_keys_are_used_as_soon_as_they_are_there(
    ses_at: Opener, metadata: Callable[[Metadata], None]
) -> None:
    soon = ("ASIAROLE1", 5 * MINUTE)
    async with FakeSes() as fake, Metadata(soon, soon) as service:
        service.keys.append(("ASIAROLE2", 300 * MINUTE))
        metadata(service)
        async with ses_at(fake.url, **NO_KEYS) as transport:

            async def renewed() -> None:
                while not fake.sent or fake.sent[-1].key_id != "ASIAROLE2":
                    assert isinstance(await transport.send(MAIL, ID), Accepted)

            await asyncio.wait_for(renewed(), 15)
            asked = service.asked
            await sent(transport, 20)
            assert service.asked == asked


async def test_who_has_no_valid_keys_waits_for_one_search_and_no_longer(
    ses_at: Opener, metadata: Callable[[Metadata], None]
) -> None:
    async with FakeSes() as fake, Metadata() as service:
        metadata(service)
        async with ses_at(
            fake.url, attempt_timeout=1, connect_timeout=0.5, **NO_KEYS
        ) as transport:
            outcomes = await sent(transport, 20)
    assert {str(one.reply) for one in outcomes if isinstance(one, Deferred)} == {
        "454 4.7.0 Temporary authentication failure"
    }
    assert service.asked == 1
    assert fake.opened == 0


@pytest.mark.parametrize("status", [500, 307])
async def test_a_role_is_renewed_beside_the_mails(
    ses_at: Opener, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeSes() as fake:
        fake.roles.clear()
        fake.roles.append(("ASIAROLE1", 5 * MINUTE))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        async with ses_at(fake.url, role_arn=ROLE) as transport:
            assert isinstance(await transport.send(MAIL, ID), Accepted)
            fake.sts = error("InternalFailure", status, "no")
            outcomes = [*(await sent(transport, 10)), *(await sent(transport, 10))]
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 20
    assert {request.key_id for request in fake.sent} == {"ASIAROLE1"}


def keys_file(path: Path, key_id: str, secret: str = "") -> None:
    path.write_text(
        f"[default]\naws_access_key_id = {key_id}\n"
        f"aws_secret_access_key = {secret or KEYS[key_id]}\n"
    )


@pytest.mark.parametrize(
    "old",
    [("AKIAGONE", "gone"), ("AKIAFAKE", "old-secret")],
    ids=["unknown key", "wrong signature"],
)
@pytest.mark.parametrize("profile", ["", "source"])
async def test_after_keys_were_changed_in_their_file_it_is_read_again(
    ses_at: Opener,
    old: tuple[str, str],
    profile: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "credentials"
    keys_file(file, *old)
    async with FakeSes() as fake:
        if profile:  # a role of AWS' own settings, with the file's keys
            (tmp_path / "config").write_text(
                f"[profile relay]\nrole_arn = {ROLE}\nsource_profile = default\n"
            )
            monkeypatch.setenv("AWS_PROFILE", "relay")
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
            fake.sts = error("InvalidClientTokenId", 403, "unknown key")
        async with ses_at(fake.url, **NO_KEYS) as transport:
            first = await transport.send(MAIL, ID)
            assert isinstance(first, Deferred)
            # From STS nothing comes; where SES refused keys, the same would be again.
            assert first.at_once is bool(profile)
            keys_file(file, "AKIAFAKE")
            fake.sts = Answer()
            second = await transport.send(MAIL, ID)
            if not profile:
                # Just looked, or there are new ones, which this mail may try now.
                assert isinstance(second, Deferred)
                assert (second.reply, second.when) == (
                    error_table.KEYS.reply,
                    When.SLOWLY,
                )

            async def accepted() -> None:
                while not isinstance(  # noqa: ASYNC110 - nobody tells
                    await transport.send(MAIL, ID), Accepted
                ):
                    await asyncio.sleep(0.1)

            await asyncio.wait_for(accepted(), 15)


async def test_keys_that_were_changed_in_time_are_worth_another_try_at_once(
    ses_at: Opener, tmp_path: Path
) -> None:
    file = tmp_path / "credentials"
    keys_file(file, "AKIAFAKE")
    async with FakeSes() as fake, ses_at(fake.url, **NO_KEYS) as transport:
        assert isinstance(await transport.send(MAIL, ID), Accepted)
        keys_file(file, "ASIAROLE1")
        fake.answers.extend([error("UnrecognizedClientException", 403, "x")] * 3)
        outcomes = await sent(transport, 3)
        assert [one.at_once for one in outcomes if isinstance(one, Deferred)] == (
            [True] * 3
        )
        assert isinstance(await transport.send(MAIL, ID), Accepted)
    used = [request.key_id for request in fake.sent]
    assert used == ["AKIAFAKE"] * 4 + ["ASIAROLE1"]


async def test_keys_that_stay_refused_are_not_looked_for_with_each_mail(
    ses_at: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[Answer] = [error("UnrecognizedClientException", 403, "x")] * 12
    async with FakeSes(*refused) as fake:
        fake.roles.clear()
        fake.roles.append(("ASIAROLE1", 60 * MINUTE))
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", fake.url)
        async with ses_at(fake.url, role_arn=ROLE) as transport:
            for _ in range(12):
                outcome: Any = await transport.send(MAIL, ID)
                assert (outcome.reply, outcome.at_once) == (
                    error_table.KEYS.reply,
                    False,
                )
    assert len(fake.requests) - len(fake.sent) <= 3  # AssumeRole


async def test_a_metadata_service_that_gives_nonsense_gives_no_keys(
    ses_at: Opener, metadata: Callable[[Metadata], None]
) -> None:
    class Nonsense(Metadata):
        async def _serve(self, request: web.BaseRequest) -> web.Response:
            return web.Response(text=json.dumps(7))

    async with FakeSes() as fake, Nonsense() as service:
        metadata(service)
        async with ses_at(fake.url, **NO_KEYS) as transport:
            outcome = await transport.send(MAIL, ID)
    assert isinstance(outcome, Deferred)
    assert outcome.reply == error_table.NO_CREDENTIALS.reply
