"""Several accounts: each its own SES, keys, region, pace and pause; the fallback."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.fake_ses import Answer, FakeSes, Request, error
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_life import relay_command, through
from tests.server.test_queue_replies import jobs, spooling, states
from tests.server.test_traps import submit as submitted

PAUSED = error("SendingPausedException", 400, "Sending paused for this account.")
SUSPENDED = error("AccountSuspendedException", 400, "Sending suspended.")
QUOTA = error("LimitExceededException", 400, "Daily message quota exceeded.")
THROTTLED = error("TooManyRequestsException", 429, "Maximum sending rate exceeded.")
REJECTED = error("MessageRejected", 400, "Bad content.")
UNVERIFIED = error("MessageRejected", 400, "Email address is not verified: x")
LOST = Answer(then="reset")
BRAND = b"From: Brand <a@brand.example>\r\nSubject: x\r\n\r\nx\r\n"
OURS = b"From: a@acme.example\r\nSubject: x\r\n\r\nx\r\n"


def brand(ses: FakeSes | str, **more: object) -> dict[str, object]:
    """The account of brand.example, in a region of its own."""
    return {
        "name": "brand",
        "domains": ["brand.example"],
        "accessKeyId": "AKIABRAND",
        "accessKeySecret": "brand-secret",
        "region": "us-east-1",
        "endpointUrl": ses if isinstance(ses, str) else ses.url,
        **more,
    }


def submit(relay: RelayProcess, content: bytes) -> str:
    """What a client hears of its mail."""
    return submitted(relay, content)[1]


def with_accounts(ours: FakeSes, *accounts: dict[str, object]) -> dict[str, str]:
    return through(ours, RELAY_ACCOUNTS=json.dumps(accounts))


T = TypeVar("T")


async def run(settings: dict[str, str], use: Callable[[RelayProcess], T]) -> T:
    """Run `use` with a relay in a thread: what it gives."""

    def inside() -> T:
        with running_relay("-c", "/dev/null", settings=settings) as relay:
            return use(relay)

    return await asyncio.to_thread(inside)


def who(requests: list[Request]) -> list[tuple[str, str, str]]:
    return [(one.key_id, one.region, one.wrong) for one in requests]


@pytest.fixture(params=["none", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param == "none":
        return {"RELAY_QUEUE__ANSWER_WITHIN": "2"}
    return spooling(tmp_path)


async def test_each_account_sends_with_its_own_keys_to_its_own_region(
    engine: dict[str, str],
) -> None:
    async with FakeSes() as ours, FakeSes() as theirs:
        account = brand(
            theirs, configurationSetName="brand", tags={"app": "brand"}, usageTag=""
        )
        settings = with_accounts(ours, account) | engine

        def use(relay: RelayProcess) -> list[str]:
            found = [submit(relay, BRAND), submit(relay, OURS)]
            assert relay.event("sent", lambda one: one.get("account") == "brand")
            assert relay.event("sent", lambda one: "account" not in one)
            return found

        replies = await run(settings, use)
    assert [reply.rpartition(" ")[0] for reply in replies] == ["250 2.0.0 Ok"] * 2
    assert who(theirs.sent) == [("AKIABRAND", "us-east-1", "")]
    assert who(ours.sent) == [("AKIAFAKE", "eu-west-1", "")]
    assert theirs.sent[0].parameters["ConfigurationSetName"] == "brand"
    assert theirs.sent[0].parameters["EmailTags"] == [{"Name": "app", "Value": "brand"}]
    assert "ConfigurationSetName" not in ours.sent[0].parameters


@pytest.mark.parametrize("answer", [PAUSED, SUSPENDED, QUOTA], ids=lambda one: one.kind)
async def test_an_account_that_is_paused_holds_up_no_other(
    answer: Answer, tmp_path: Path
) -> None:
    async with FakeSes() as ours, FakeSes(*[answer] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs)) | spooling(
            tmp_path, RELAY_QUEUE__SLOW_DELAYS="[1000]"
        )

        def use(relay: RelayProcess) -> list[str]:
            first = [submit(relay, BRAND) for _ in range(3)]
            relay.event("account paused", lambda one: one["account"] == "brand")
            return [*first, *(submit(relay, OURS) for _ in range(3))]

        replies = await run(settings, use)
    assert [reply[:19] for reply in replies] == [
        *["250 2.0.0 queued as"] * 3,
        *["250 2.0.0 Ok 0100fa"] * 3,
    ]
    assert len(theirs.sent) == 1  # the rest does not even ask
    assert len(ours.sent) == 3


async def test_waiting_mail_of_a_paused_account_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    """Our mail has to wait, too, behind theirs; it leaves while theirs stays."""
    denied = error("AccessDeniedException", 403, "no")
    async with FakeSes(denied) as ours, FakeSes(*[PAUSED] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs)) | spooling(tmp_path)

        def use(relay: RelayProcess) -> None:
            for _ in range(5):
                submit(relay, BRAND)
            submit(relay, OURS)
            until(lambda: len(ours.sent) == 2)
            relay.event("sent")

        await run(settings, use)
    assert sorted(states(tmp_path)) == [*["queued"] * 5, "sent"]
    assert {one["account"] for one in jobs(tmp_path)} == {"brand", ""}


async def test_a_throttled_account_slows_no_other(tmp_path: Path) -> None:
    async with FakeSes() as ours, FakeSes(*[THROTTLED] * 100) as theirs:
        settings = with_accounts(ours, brand(theirs)) | spooling(tmp_path)

        def use(relay: RelayProcess) -> list[str]:
            for _ in range(3):
                submit(relay, BRAND)
            return [submit(relay, OURS) for _ in range(20)]

        replies = await run(settings, use)
    assert all(reply.startswith("250 2.0.0 Ok") for reply in replies)


async def test_an_account_that_cannot_be_reached_holds_up_no_other(
    engine: dict[str, str],
) -> None:
    async with FakeSes() as ours:
        settings = with_accounts(ours, brand("http://127.0.0.1:1")) | engine

        def use(relay: RelayProcess) -> list[str]:
            return [submit(relay, BRAND), submit(relay, OURS)]

        theirs, mine = await run(settings, use)
    assert "SES cannot be reached" in theirs
    assert mine.startswith("250 2.0.0 Ok")


@pytest.mark.parametrize("answer", [PAUSED, SUSPENDED, QUOTA], ids=lambda one: one.kind)
async def test_the_fallback_takes_the_mail_of_an_account_that_takes_none(
    answer: Answer, engine: dict[str, str]
) -> None:
    async with FakeSes() as ours, FakeSes(*[answer] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default")) | engine

        def use(relay: RelayProcess) -> list[str]:
            found = [submit(relay, BRAND) for _ in range(3)]
            line = relay.event("by fallback")
            assert (line["account"], line["by"]) == ("brand", "default")
            return found

        replies = await run(settings | {"RELAY_QUEUE__SLOW_DELAYS": "[1000]"}, use)
    assert [reply.rpartition(" ")[0] for reply in replies] == ["250 2.0.0 Ok"] * 3
    assert len(theirs.sent) == 1
    assert who(ours.sent) == [("AKIAFAKE", "eu-west-1", "")] * 3


async def test_the_fallback_takes_the_mail_of_an_account_out_of_reach(
    engine: dict[str, str],
) -> None:
    async with FakeSes() as ours:
        account = brand("http://127.0.0.1:1", fallback="default")
        settings = with_accounts(ours, account) | engine

        def use(relay: RelayProcess) -> list[str]:
            return [submit(relay, BRAND) for _ in range(3)]

        replies = await run(settings, use)
    assert all(reply.startswith("250 2.0.0 Ok") for reply in replies)
    assert len(ours.sent) == 3


async def test_mail_that_may_have_been_sent_never_takes_the_fallback(
    tmp_path: Path,
) -> None:
    async with FakeSes() as ours, FakeSes(LOST, *[PAUSED] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default"))

        def use(relay: RelayProcess) -> tuple[str, str]:
            marked = submit(relay, BRAND)
            # Its second attempt is what finds the account paused.
            relay.event("account paused")
            return marked, submit(relay, BRAND)

        marked, new = await run(settings | spooling(tmp_path), use)
    assert "may have been sent" in marked
    assert new.startswith("250 2.0.0 Ok")
    assert len(ours.sent) == 1  # the new one alone
    assert [(one["state"], one["maybe_sent"]) for one in jobs(tmp_path)] == [
        ("queued", 1)
    ]


async def test_without_a_queue_an_unseen_end_is_no_reason_for_the_fallback() -> None:
    async with FakeSes() as ours, FakeSes(LOST) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default"))
        reply = await run(settings, lambda relay: submit(relay, BRAND))
    assert reply.startswith("451 4.4.2")
    assert not ours.sent


@pytest.mark.parametrize("answer", [REJECTED, UNVERIFIED], ids=["content", "identity"])
async def test_what_the_fallback_refuses_waits_for_its_own_account(
    answer: Answer, tmp_path: Path
) -> None:
    async with FakeSes(*[answer] * 50) as ours, FakeSes(PAUSED) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default")) | spooling(
            tmp_path
        )

        def use(relay: RelayProcess) -> str:
            reply = submit(relay, BRAND)
            relay.event("sent")
            return reply

        reply = await run(settings, use)
    assert reply.startswith("250 2.0.0 queued as")
    assert len(theirs.sent) == 2  # it is back, and takes it
    assert ours.sent


async def test_without_a_queue_the_client_hears_its_own_account() -> None:
    async with FakeSes(REJECTED) as ours, FakeSes(PAUSED) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default"))
        reply = await run(settings, lambda relay: submit(relay, BRAND))
    assert reply == "454 4.3.2 Sending paused"


async def test_waiting_mail_goes_by_the_fallback_and_back_again(tmp_path: Path) -> None:
    """First nobody takes any; then the fallback does; then the account is back."""
    async with FakeSes(*[PAUSED] * 2) as ours, FakeSes(*[PAUSED] * 4) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default")) | spooling(
            tmp_path
        )

        def use(relay: RelayProcess) -> None:
            for _ in range(4):
                submit(relay, BRAND)
            until(lambda: states(tmp_path).count("sent") == 4)
            asked = len(ours.sent) + len(theirs.sent)
            refused = 2 - len(ours.answers) + 4 - len(theirs.answers)
            assert asked - refused == 4  # each once
            while not any(
                one["event"] == "account resumed" and one["account"] == "brand"
                for one in relay.log
            ):
                assert submit(relay, BRAND).startswith("250 2.0.0 Ok")
                time.sleep(0.05)

        await run(settings, use)


async def test_mail_whose_account_is_gone_waits_and_nobody_else_sends_it(
    tmp_path: Path,
) -> None:
    async with FakeSes() as ours, FakeSes(*[PAUSED] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs)) | spooling(tmp_path)
        await run(settings, lambda relay: submit(relay, BRAND))
        without = through(ours) | spooling(tmp_path)

        def use(relay: RelayProcess) -> dict[str, Any]:
            assert submit(relay, OURS).startswith("250 2.0.0 Ok")
            return relay.event("deferred")

        line = await run(without, use)
        assert len(ours.sent) == 1
        theirs.answers.clear()
        await run(settings, lambda relay: relay.event("sent"))
    assert (line["level"], line["account"]) == ("error", "brand")
    assert "there is no account brand" in line["reply"]
    assert states(tmp_path) == ["sent"]


async def test_metrics_and_the_page_tell_of_each_account() -> None:
    import urllib.request

    async with FakeSes() as ours, FakeSes(*[PAUSED] * 50) as theirs:
        settings = with_accounts(ours, brand(theirs, fallback="default")) | {
            "RELAY_WEB__LISTEN": "127.0.0.1:0"
        }

        def use(relay: RelayProcess) -> tuple[str, Any]:
            submit(relay, BRAND)
            at = f"http://127.0.0.1:{relay.port('web')}"

            def asked(path: str) -> str:
                with urllib.request.urlopen(f"{at}{path}") as answer:
                    return str(answer.read().decode())

            (mail,) = json.loads(asked("/api/v1/mails"))["mails"]
            return asked("/metrics"), json.loads(asked(f"/api/v1/mails/{mail['id']}"))

        metrics, story = await run(settings, use)
    for line in (
        'relay_account_attempts_total{account="brand",answer="paused"} 1.0',
        'relay_account_attempts_total{account="default",answer="accepted"} 1.0',
        'relay_account_fallbacks_total{account="brand",by="default"} 1.0',
    ):
        assert line in metrics
    assert (story["account"], story["state"]) == ("brand", "sent")
    assert [one["account"] for one in story["attempts"]] == ["brand", "default"]


async def test_check_tells_of_each_account_and_asks_each(tmp_path: Path) -> None:
    quota = {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 12}
    says = {
        "ProductionAccessEnabled": True,
        "SendingEnabled": True,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": quota,
    }
    async with FakeSes() as ours, FakeSes() as theirs:
        for ses, paused in ((ours, False), (theirs, True)):
            body = json.dumps(says | {"SendingEnabled": not paused}).encode()
            ses.resources["/v2/email/account"] = Answer(body=body)
        verified = Answer(body=b'{"VerifiedForSendingStatus": true}')
        theirs.resources["/v2/email/identities/brand.example"] = verified
        settings = with_accounts(
            ours,
            brand(theirs, configurationSetName="news", fallback="default"),
            brand(theirs, name="idle", domains=[], region="eu-west-3"),
        ) | {
            "RELAY_GUARD__RECIPIENTS": '["*@acme.example"]',
            "RELAY_QUEUE__ENGINE": "none",
            "RELAY_QUEUE__REPORT_TO": "ops@other.example",
        }

        def check() -> tuple[int, list[str]]:
            done = relay_command("check", "--online", settings=settings, cwd=tmp_path)
            return done.returncode, done.stdout.splitlines()

        code, lines = await asyncio.to_thread(check)
    assert code == 1
    told = "\n".join(lines)
    for part in (
        "ok: account brand: us-east-1; mail from brand.example; else by default\n",
        "warning: accounts[1] (idle): no domains, and no rule and no fallback names it",
        "ok: guard: only *@acme.example get mail; mail to others is refused\n",
        "warning: queue.reportTo = 'ops@other.example': gets no reports, for the guard",
        "ok: account: may send\n",
        "ok: account brand: region: us-east-1\n",
        "problem: account brand: account: sending is paused; enable it in SES' console",
        "ok: account brand: accounts[0].domains[0]: brand.example, verified by brand.",
        "problem: account brand: accounts[0].configurationSetName = news: not in this",
        "ok: account idle: region: eu-west-3\n",
    ):
        assert part in told
