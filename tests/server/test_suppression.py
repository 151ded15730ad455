"""Who bounced or complained gets no more mail; end to end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import smtplib
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from relay.queue import file
from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import WAIT, RelayProcess, environment, until
from tests.server.test_life import MAIL, Client, relay_command, through
from tests.server.test_queue_replies import jobs, queued_as, spooling, states
from tests.server.test_traps import submit, with_relay

ANN, BOB, EVE = "ann@acme.example", "bob@acme.example", "eve@acme.example"
REFUSED = re.compile(
    r"550 5\.1\.1 Recipient suppressed since \d{4}-\d\d-\d\d: (by the operator|"
    r"hard bounce|complaint)"
)
TOKEN = "0123456789abcdef"


def suppressing(directory: Path, **more: str) -> dict[str, str]:
    return spooling(directory, RELAY_SUPPRESSION__ENABLED="true", **more)


def command(directory: Path, *words: str, **settings: str) -> tuple[int, str, str]:
    """Run `relay suppression` on the spool: exit code, what it printed and said."""
    given = suppressing(directory, **settings)
    done = relay_command("suppression", *words, settings=given, cwd=directory)
    return done.returncode, done.stdout, done.stderr


def make_spool(directory: Path) -> None:
    """Have a relay make the spool, which the command only opens."""
    file.connect(directory / "spool.db").close()


def listed(directory: Path, *words: str) -> list[dict[str, Any]]:
    code, out, err = command(directory, "list", "--json", *words)
    assert (code, err) == (0, "")
    found: list[dict[str, Any]] = json.loads(out)
    return found


def rcpt(relay: RelayProcess, *recipients: str) -> list[str]:
    """The replies to RCPT."""
    with smtplib.SMTP("127.0.0.1", relay.port(), timeout=WAIT) as smtp:
        smtp.ehlo()
        smtp.mail("a@b.example")
        return [f"{code} {text.decode()}" for code, text in map(smtp.rcpt, recipients)]


def went_to(ses: FakeSes) -> list[list[str]]:
    return [one.parameters["Destination"]["ToAddresses"] for one in ses.sent]


async def test_a_suppressed_recipient_is_refused_at_rcpt_and_the_others_get_their_mail(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    assert command(tmp_path, "add", "Ann@Acme.example")[:2] == (0, "added 1 address\n")

    def use(relay: RelayProcess) -> tuple[list[int], str]:
        relay.event("suppression read", lambda one: one["entries"] == 1)
        (refusal,) = rcpt(relay, ANN)
        assert REFUSED.fullmatch(refusal)
        found = submit(relay, MAIL, recipients=("ANN@acme.example", BOB))
        line = relay.event("command refused")
        assert line["reply"] == refusal
        assert "ann@" not in json.dumps(line).lower()
        metrics = read(relay, "/metrics", port="health")
        assert 'relay_suppression_refused_total{reason="manual"} 2.0' in metrics
        assert "relay_suppression_entries 1.0" in metrics
        return found

    async with FakeSes() as ses:
        settings = suppressing(tmp_path, RELAY_HEALTH__LISTEN="127.0.0.1:0")
        codes, reply = await with_relay(ses, use, **settings)
        assert went_to(ses) == [[BOB]]
    assert codes == [550, 250]
    assert reply.startswith("250 2.0.0 Ok ")


def read(relay: RelayProcess, path: str, *, port: str = "web") -> str:
    at = f"http://127.0.0.1:{relay.port(port)}{path}"
    with urllib.request.urlopen(at) as answer:
        return str(answer.read().decode())


async def test_suppressed_recipients_end_no_session(tmp_path: Path) -> None:
    make_spool(tmp_path)
    many = [f"{number}@acme.example" for number in range(30)]
    command(tmp_path, "add", *many)

    def use(relay: RelayProcess) -> list[str]:
        relay.event("suppression read")
        return rcpt(relay, *many, BOB)

    async with FakeSes() as ses:
        replies = await with_relay(ses, use, **suppressing(tmp_path))
    assert [one[:3] for one in replies] == ["550"] * 30 + ["250"]


async def test_pipelined_commands_behind_a_suppressed_recipient_keep_their_order(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    command(tmp_path, "add", ANN)

    def use(relay: RelayProcess) -> list[str]:
        relay.event("suppression read")
        client = Client(relay.port())
        client.reply()
        client.say(
            "EHLO x",
            "MAIL FROM:<a@b.example>",
            f"RCPT TO:<{BOB}>",
            f"RCPT TO:<{ANN}>",
            f"RCPT TO:<{EVE}>",
            "DATA",
        )
        found = [client.reply()[:3] for _ in range(6)]
        client.say("Subject: s", "", "hello", ".", "QUIT")
        found += [client.reply()[:3] for _ in range(2)]
        client.close()
        return found

    async with FakeSes() as ses:
        replies = await with_relay(ses, use, **suppressing(tmp_path))
        assert went_to(ses) == [[BOB, EVE]]
    assert replies == ["250", "250", "250", "550", "250", "354", "250", "221"]


async def test_a_running_relay_hears_of_what_is_added_and_removed(
    tmp_path: Path,
) -> None:
    def use(relay: RelayProcess) -> None:
        relay.event("suppression read")
        assert rcpt(relay, ANN) == ["250 2.1.5 Recipient ok"]
        assert command(tmp_path, "add", ANN)[0] == 0
        until(lambda: rcpt(relay, ANN)[0].startswith("550 5.1.1 "))
        assert command(tmp_path, "remove", ANN)[:2] == (0, "removed 1 address\n")
        # At once: who is refused is looked up.
        assert rcpt(relay, ANN) == ["250 2.1.5 Recipient ok"]

    async with FakeSes() as ses:
        await with_relay(ses, use, **suppressing(tmp_path))


def usage_mail(usage: str) -> bytes:
    return f"X-Relay-Usage: {usage}\r\n".encode() + MAIL


TEMPLATES = json.dumps(
    [
        {"usageType": name, "subject": "s", "content": "c", "contentType": "text/plain"}
        for name in ("SignIn", "News")
    ]
)


async def test_an_excepted_usage_goes_and_other_mail_is_refused_after_its_data(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    command(tmp_path, "add", ANN)

    def use(relay: RelayProcess) -> list[tuple[list[int], str]]:
        relay.event("suppression read")
        found = [
            submit(relay, usage_mail(usage), recipients=(ANN,))
            for usage in ("SignIn", "News")
        ]
        line = relay.event("refused")
        assert (line["recipients"], line["reply"]) == ([ANN], found[1][1])
        return found

    async with FakeSes() as ses:
        settings = suppressing(
            tmp_path,
            RELAY_SUPPRESSION__EXCEPT='["SignIn"]',
            RELAY_TEMPLATES=TEMPLATES,
        )
        sign_in, news = await with_relay(ses, use, **settings)
        assert went_to(ses) == [[ANN]]
    assert sign_in[1].startswith("250 2.0.0 Ok ")
    assert news[0] == [250]
    assert REFUSED.fullmatch(news[1])


async def test_of_several_recipients_the_suppressed_are_reported_and_the_others_get_it(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    command(tmp_path, "add", ANN)

    def use(relay: RelayProcess) -> str:
        relay.event("suppression read")
        _, reply = submit(relay, MAIL, recipients=(BOB, ANN, EVE))
        line = relay.event("failed")
        assert line["recipients"] == [ANN]
        assert REFUSED.fullmatch(line["reply"])
        assert line["reports"] == ["a@b.example"]
        until(lambda: sorted(states(tmp_path)) == ["failed", "sent"])
        return reply

    async with FakeSes() as ses:
        settings = suppressing(
            tmp_path,
            RELAY_SUPPRESSION__EXCEPT='["SignIn"]',
            RELAY_QUEUE__REPORT_FROM="bounces@acme.example",
        )
        reply = await with_relay(ses, use, **settings)
        assert went_to(ses) == [[BOB, EVE], ["a@b.example"]]
        report = ses.sent[1].mail
    queued_as(reply)
    assert b"Final-Recipient: rfc822; ann@acme.example" in report
    assert b"Status: 5.1.1" in report
    assert b"bob@" not in report


async def test_queued_mail_is_looked_at_again_when_its_turn_comes(
    tmp_path: Path,
) -> None:
    trouble = error("InternalFailure", 500)

    def use(relay: RelayProcess) -> None:
        relay.event("suppression read")
        queued_as(submit(relay, MAIL, recipients=(ANN,))[1])
        command(tmp_path, "add", ANN)
        until(lambda: rcpt(relay, ANN)[0].startswith("550"))
        until(lambda: retry(tmp_path) == ["failed"])
        (job,) = jobs(tmp_path)
        assert REFUSED.fullmatch(job["reply"])

    async with FakeSes(trouble) as ses:
        settings = suppressing(
            tmp_path,
            RELAY_QUEUE__RETRY_DELAYS="[600]",
            RELAY_QUEUE__UNSEEN_DELAYS="[600]",
        )
        await with_relay(ses, use, **settings)
        assert len(ses.sent) == 1


def retry(directory: Path) -> list[str]:
    """Have what waits tried now: the states of all jobs."""
    found = states(directory)
    if found == ["queued"]:
        given = suppressing(directory)
        relay_command("queue", "retry", "--all", settings=given, cwd=directory)
    return found


async def test_mail_by_http_hears_that_its_address_is_suppressed(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    command(tmp_path, "add", ANN)

    def use(relay: RelayProcess) -> tuple[int | None, Any]:
        relay.event("suppression read")
        body = json.dumps({"to": ANN, "type": "News", "payload": {}}).encode()
        headers = {"Authorization": TOKEN, "Content-Type": "application/json"}
        at = f"http://127.0.0.1:{relay.port('web')}/api/v1/send"
        request = urllib.request.Request(at, body, headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)
        with refused.value as answer:
            found = answer.status, json.loads(answer.read())
        story = json.loads(read(relay, f"/api/v1/mails/{found[1]['id']}"))
        assert story["why"]["by"] == "relay"
        assert "relay suppression remove ADDRESS" in json.dumps(story["why"])
        return found

    async with FakeSes() as ses:
        settings = suppressing(
            tmp_path,
            RELAY_WEB__LISTEN="127.0.0.1:0",
            RELAY_INTAKE__TOKEN=TOKEN,
            RELAY_TEMPLATES=TEMPLATES,
            RELAY_SES__EMAIL_ADDRESS="app@acme.example",
        )
        status, told = await with_relay(ses, use, **settings)
        assert ses.sent == []
    assert status == 422
    assert told["error"].startswith("No mail goes to this address")


def test_a_list_needs_a_queue(tmp_path: Path) -> None:
    settings = {"RELAY_SUPPRESSION__ENABLED": "true", "RELAY_QUEUE__ENGINE": "none"}
    done = relay_command("check", settings=settings, cwd=tmp_path)
    assert done.returncode == 2
    assert "RELAY_SUPPRESSION__ENABLED = true: needs a queue" in done.stderr
    done = relay_command("suppression", "list", settings=settings, cwd=tmp_path)
    assert done.returncode == 2


# The command.


def test_a_list_is_exported_and_imported_and_searched(tmp_path: Path) -> None:
    make_spool(tmp_path)
    (tmp_path / "list.csv").write_text(
        "EmailAddress,Reason,LastUpdateTime\n"
        "Ann@Acme.example,BOUNCE,2026-01-31T09:00:00Z\n"
        "# a remark\n\n"
        '"bob@acme.example",complaint,\n'
        "no address,BOUNCE\n"
        "eve@acme.example,WHIM\n"
        "eve@acme.example,BOUNCE,yesterday\n",
        "utf-8-sig",
    )
    code, out, err = command(tmp_path, "import", "list.csv")
    assert (code, out) == (1, "added 2 addresses\n")
    first, *others = err.splitlines()
    assert first.startswith("list.csv:6: 'no address': no address: ")
    assert others == [
        "list.csv:7: reason 'whim': must be one of bounce, complaint, manual",
        "list.csv:8: time 'yesterday': must be one such as 2026-01-31T09:00:00Z",
        "3 lines are no addresses",
    ]
    ann, bob = listed(tmp_path)
    assert ann == {
        "address": ANN,
        "reason": "bounce",
        "since": "2026-01-31T09:00:00Z",
        "source": "import",
        "detail": "",
    }
    assert (bob["address"], bob["reason"]) == (BOB, "complaint")
    assert listed(tmp_path, "BOB") == [bob]
    assert listed(tmp_path, "--reason", "bounce") == [ann]
    code, exported, _ = command(tmp_path, "export")
    assert exported.splitlines()[:2] == [
        "address,reason,since,source,detail",
        f"{ANN},bounce,2026-01-31T09:00:00Z,import,",
    ]
    (tmp_path / "again.csv").write_text(exported)
    _, out, _ = command(tmp_path, "import", "again.csv", "--json")
    assert json.loads(out) == {"added": 0, "known": 2, "removed": 0, "wrong": 0}
    assert command(tmp_path, "remove", ANN, EVE) == (
        1,
        "removed 1 address\n",
        f"relay suppression remove: {EVE}: is not on the list\n",
    )
    _, out, err = command(tmp_path, "import", "again.csv")
    assert out == "added 0 addresses, 1 were on it\n"
    assert err.startswith("1 address left out: removed by hand since; ")
    assert listed(tmp_path) == [bob]
    _, out, _ = command(tmp_path, "list")
    assert out.splitlines()[1].split() == [
        bob["since"][:10],
        "complaint",
        "import",
        BOB,
    ]


def test_plain_addresses_come_from_stdin(tmp_path: Path) -> None:
    make_spool(tmp_path)
    lines = "".join(f"{number}@acme.example\n" for number in range(1000))
    (tmp_path / "plain.txt").write_text(lines)
    given = ("import", "plain.txt", "--reason", "bounce")
    assert command(tmp_path, *given)[:2] == (0, "added 1000 addresses\n")
    assert len(listed(tmp_path)) == 1000
    assert {one["reason"] for one in listed(tmp_path, "77@")} == {"bounce"}


def page(*addresses: str, token: str = "") -> Answer:
    found: dict[str, Any] = {
        "SuppressedDestinationSummaries": [
            {"EmailAddress": one, "Reason": "BOUNCE", "LastUpdateTime": 1.7e9}
            for one in addresses
        ]
    }
    if token:
        found["NextToken"] = token
    return Answer(body=json.dumps(found).encode())


FIRST = "/v2/email/suppression/addresses?PageSize=1000"


async def test_ses_own_list_is_read_page_by_page(tmp_path: Path) -> None:
    make_spool(tmp_path)
    async with FakeSes() as ses:
        ses.resources[FIRST] = page("Ann@acme.example", BOB, token="t2")
        ses.resources[f"{FIRST}&NextToken=t2"] = page(EVE)
        code, out, err = await asyncio.to_thread(from_ses, tmp_path, ses)
    assert (code, out, err) == (0, "added 3 addresses\n", "")
    assert [one["source"] for one in listed(tmp_path)] == ["ses"] * 3
    assert listed(tmp_path)[0]["since"] == "2023-11-14T22:13:20Z"


async def test_what_of_ses_list_came_stays_when_the_rest_cannot_be_read(
    tmp_path: Path,
) -> None:
    make_spool(tmp_path)
    async with FakeSes() as ses:
        ses.resources[FIRST] = page(ANN, token="t2")
        denied = error("AccessDeniedException", 403, "not authorized")
        ses.resources[f"{FIRST}&NextToken=t2"] = denied
        code, out, err = await asyncio.to_thread(from_ses, tmp_path, ses)
    assert (code, out) == (1, "added 1 address\n")
    assert "allow ses:ListSuppressedDestinations" in err


def from_ses(directory: Path, ses: FakeSes) -> tuple[int, str, str]:
    return command(directory, "import", "--from-ses", **through(ses))


@pytest.mark.parametrize("before", ["exec", "trap '' INT; exec"])
async def test_a_stop_ends_the_reading_of_ses_list_and_what_came_is_in(
    tmp_path: Path, before: str
) -> None:
    make_spool(tmp_path)
    async with FakeSes() as ses:
        ses.resources[FIRST] = page(ANN, token="t2")
        ses.resources[f"{FIRST}&NextToken=t2"] = page(ANN, token="t2")  # for ever
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", f'{before} "$0" -m relay suppression import --from-ses'),
            sys.executable,
            env=environment(suppressing(tmp_path, **through(ses))),
            cwd=tmp_path,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        while len(ses.requests) < 2:
            ses.arrived.clear()
            await ses.arrived.wait()
        process.send_signal(signal.SIGTERM)
        out, err = await process.communicate()
    assert err.decode().startswith("stopped; ")
    assert process.returncode == 130
    assert out.decode().startswith("added 1 address")
    assert [one["address"] for one in listed(tmp_path)] == [ANN]
