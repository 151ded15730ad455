"""The guard of a staging relay: who may get mail, and what becomes of all other."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, until
from tests.server.test_accounts import run
from tests.server.test_life import MAIL, through
from tests.server.test_queue_replies import jobs, spooling, states
from tests.server.test_traps import submit

US, THEM, ALSO = "ann@acme.example", "bob@other.example", "eve@third.example"
GUARDED = "550 5.7.1 The guard of this relay lets no mail go to this recipient"
TOKEN = "0123456789abcdef"
PAGE = {"RELAY_WEB__LISTEN": "127.0.0.1:0"}


def guarded(ses: FakeSes, others: str = "reject", **more: str) -> dict[str, str]:
    chosen = {
        "RELAY_GUARD__RECIPIENTS": '["*@acme.example"]',
        "RELAY_GUARD__OTHERS": others,
    }
    if others == "redirect":
        chosen["RELAY_GUARD__REDIRECT_TO"] = "Desk <desk@staging.example>"
    if others == "capture":
        chosen |= PAGE
    return through(ses, **chosen, **more)


@pytest.fixture(params=["none", "sqlite"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    return {} if request.param == "none" else spooling(tmp_path)


def got(ses: FakeSes) -> list[tuple[list[str], list[str]]]:
    """Each call's recipients, and the X-Original-To of its mail."""
    return [
        (
            one.parameters["Destination"]["ToAddresses"],
            message_from_bytes(one.mail).get_all("X-Original-To", []),
        )
        for one in ses.sent
    ]


def page(relay: RelayProcess, path: str) -> Any:  # noqa: ANN401 - any JSON
    at = f"http://127.0.0.1:{relay.port('web')}{path}"
    with urllib.request.urlopen(at) as answer:
        return json.loads(answer.read())


async def test_who_may_not_get_mail_is_refused_at_rcpt(engine: dict[str, str]) -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> tuple[list[int], str]:
            found = submit(relay, MAIL, recipients=(US, THEM))
            line = relay.event("command refused")
            assert line["reply"] == GUARDED
            return found

        codes, reply = await run(guarded(ses) | engine, use)
    assert codes == [250, 550]
    assert reply.startswith("250 2.0.0 Ok")
    assert got(ses) == [([US], [])]


async def test_refused_recipients_end_no_session() -> None:
    async with FakeSes() as ses:
        many = tuple(f"{n}@other.example" for n in range(30))
        codes, _ = await run(
            guarded(ses), lambda relay: submit(relay, MAIL, recipients=(*many, US))
        )
    assert codes == [*[550] * 30, 250]


async def test_a_mail_to_both_kinds_is_split_and_the_others_are_redirected(
    engine: dict[str, str],
) -> None:
    async with FakeSes() as ses:
        codes, reply = await run(
            guarded(ses, "redirect") | engine,
            lambda relay: submit(relay, MAIL, recipients=(US, THEM, ALSO)),
        )
    assert codes == [250] * 3
    assert reply.startswith("250 2.0.0 Ok")
    calls = sorted(got(ses))
    assert calls == [([US], []), (["desk@staging.example"], [THEM, ALSO])]
    (ours,) = [one for one in ses.sent if US in str(one.parameters)]
    assert ours.mail == MAIL.replace(b"\n", b"\r\n").replace(b"\r\r", b"\r")


async def test_without_a_queue_a_part_that_fails_is_no_250_and_no_mail_twice() -> None:
    """The redirected part goes first: nobody but who looks at it gets it again."""
    refused = error("MessageRejected", 400, "Bad content.")
    async with FakeSes(refused) as ses:
        _, reply = await run(
            guarded(ses, "redirect"),
            lambda relay: submit(relay, MAIL, recipients=(US, THEM)),
        )
    assert reply == "554 5.6.0 Message rejected: Bad content."
    assert got(ses) == [(["desk@staging.example"], [THEM])]


async def test_with_a_queue_the_part_that_waits_is_kept(tmp_path: Path) -> None:
    denied = error("AccessDeniedException", 403, "no")
    async with FakeSes(denied) as ses:

        def use(relay: RelayProcess) -> str:
            _, reply = submit(relay, MAIL, recipients=(US, THEM))
            until(lambda: "sent" in states(tmp_path))
            return reply

        reply = await run(guarded(ses, "redirect") | spooling(tmp_path), use)
    assert reply.startswith("250 2.0.0 queued as")
    assert len(ses.sent) == 3


async def test_the_inbox_of_the_page_keeps_what_is_captured_and_nothing_is_sent(
    engine: dict[str, str],
) -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> tuple[str, str, Any, Any]:
            _, both = submit(relay, MAIL, recipients=(US, THEM))
            _, other = submit(relay, MAIL, recipients=(ALSO,))
            found = page(relay, "/api/v1/mails")["mails"]
            content = page(relay, f"/api/v1/mails/{found[0]['id']}/content")
            return both, other, found, content

        both, other, found, content = await run(guarded(ses, "capture") | engine, use)
    assert both.startswith("250 2.0.0 Ok 0100fake")
    assert other.startswith("250 2.0.0 captured as ")
    assert got(ses) == [([US], [])]
    assert found[0]["state"] == "captured"
    assert content["to"] == [ALSO]


async def test_the_page_says_that_a_guard_is_up_and_stays_read_only() -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> tuple[Any, int]:
            at = f"http://127.0.0.1:{relay.port('web')}/api/v1/mails"
            request = urllib.request.Request(at, method="DELETE")
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            refused.value.close()
            return page(relay, "/api/v1/status"), refused.value.code

        status, code = await run(guarded(ses, "capture"), use)
    assert status["guard"] == (
        "only *@acme.example get mail; mail to others stays in the page's inbox"
    )
    assert status["mayWrite"] is False
    assert code == 403


async def test_mail_by_http_has_its_own_answer() -> None:
    template = [{"usageType": "SignIn", "subject": "Hi", "content": "x {{code}}"}]
    async with FakeSes() as ses:
        settings = guarded(
            ses,
            RELAY_INTAKE__TOKEN=TOKEN,
            RELAY_TEMPLATES=json.dumps(template),
            RELAY_SES__EMAIL_ADDRESS="a@acme.example",
            **PAGE,
        )

        def use(relay: RelayProcess) -> list[tuple[int, Any]]:
            answers = []
            for to in (THEM, US):
                body = {"to": to, "type": "SignIn", "payload": {"code": "1"}}
                request = urllib.request.Request(
                    f"http://127.0.0.1:{relay.port('web')}/api/v1/send",
                    json.dumps(body).encode(),
                    {"Authorization": TOKEN, "Content-Type": "application/json"},
                )
                try:
                    with urllib.request.urlopen(request) as answer:
                        answers.append((answer.status, json.loads(answer.read())))
                except urllib.error.HTTPError as refused:
                    answers.append((refused.code, json.loads(refused.read())))
                    refused.close()
            return answers

        (code, theirs), (accepted, _) = await run(settings, use)
    assert (code, theirs["error"]) == (422, "The guard lets no mail go to this address")
    assert accepted == 200
    assert got(ses) == [([US], [])]


@pytest.mark.parametrize(
    ("others", "to"),
    [("reject", []), ("redirect", [["desk@staging.example"]]), ("capture", [])],
)
async def test_failure_reports_are_bound_by_the_guard(
    others: str, to: list[list[str]], tmp_path: Path
) -> None:
    """The sender is one of the others; its mail, to us, fails after its reply."""
    denied = error("AccessDeniedException", 403, "no")
    rejected = error("MessageRejected", 400, "Bad content.")
    async with FakeSes(denied, rejected) as ses:
        settings = guarded(
            ses, others, RELAY_QUEUE__REPORT_FROM="bounces@acme.example"
        ) | spooling(tmp_path)

        def use(relay: RelayProcess) -> None:
            submit(relay, MAIL, sender=THEM, recipients=(US,))
            relay.event("failed")
            if others != "reject":
                relay.event("captured" if others == "capture" else "sent")

        await run(settings, use)
    reports = [call for call, _ in got(ses)[2:]]
    assert reports == to


async def test_mail_from_before_the_guard_waits_until_it_is_let_out(
    tmp_path: Path,
) -> None:
    denied = error("AccessDeniedException", 403, "no")
    async with FakeSes(*[denied] * 50) as ses:
        settings = through(ses) | spooling(tmp_path)
        await run(settings, lambda relay: submit(relay, MAIL, recipients=(THEM,)))
        ses.answers.clear()
        asked = len(ses.sent)

        def use(relay: RelayProcess) -> dict[str, Any]:
            return relay.event("deferred")

        line = await run(guarded(ses) | spooling(tmp_path), use)
        assert len(ses.sent) == asked
        assert (line["level"], line["reply"]) == ("error", GUARDED)
        await run(settings, lambda relay: relay.event("sent"))
    assert [one["state"] for one in jobs(tmp_path)] == ["sent"]
