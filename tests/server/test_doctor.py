"""`relay doctor` beside real relays and a real HTTP server."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from relay.cli.way_out import clock
from tests import certificates
from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay
from tests.server.reloading import Settings, ses, spool
from tests.server.test_life import relay_command
from tests.server.test_online import ACCOUNT, says

ENVIRONMENT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "NO_PROXY": "*",
    "no_proxy": "*",
}
FROM_FILE: dict[str, str | None] = {
    "RELAY_LISTENERS": None,
    "RELAY_QUEUE__ENGINE": None,
    "RELAY_WEB__LISTEN": None,
}
MAIL = "From: app@acme.example\nTo: ann@example.net\n\nhello\n"


def doctor(
    settings: Settings, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    given = {**ENVIRONMENT, **environment}
    file = str(settings.file)
    done = relay_command("doctor", "-c", file, *words, settings=given)
    assert done.stderr == ""
    assert "fake-secret" not in done.stdout
    return done


def part(page: str, name: str) -> list[str]:
    """The lines below a heading."""
    found = re.search(rf"(?m)^{name}\n((?:  .*\n)*)", page)
    assert found, page
    return [line.strip() for line in found[1].splitlines()]


def listeners(path: Path) -> list[dict[str, Any]]:
    return [
        {"name": "file", "address": f"unix:{path}"},
        {"name": "office", "address": "127.0.0.1:0", "tls": "starttls"},
        {"name": "whole", "address": "127.0.0.1:0", "tls": "implicit"},
        {"name": "behind", "address": "127.0.0.1:0", "proxies": ["127.0.0.0/8"]},
        {"name": "closed", "address": "127.0.0.1:0", "allow": ["10.0.0.0/8"]},
    ]


def with_ports(
    relay: RelayProcess, given: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The same at the ports that the relay drew."""
    return [
        {**one, "address": f"127.0.0.1:{relay.port(one['name'])}"}
        if one["address"].endswith(":0")
        else one
        for one in given
    ]


async def test_what_is_well_is_said_to_be_so(tmp_path: Path) -> None:
    cert, key = certificates.make(tmp_path, "localhost", days=90)
    path = tmp_path / "smtp.sock"
    denied = error("AccessDeniedException", 403)

    def inside(fake: FakeSes) -> None:
        given: dict[str, Any] = {
            "tls": {"certFile": str(cert), "keyFile": str(key)},
            "ses": ses(fake),
            "queue": spool(tmp_path, slowDelays=[3600]),
            "health": {"listen": "127.0.0.1:0"},
            "web": {"listen": ""},
        }
        ways = listeners(path)
        settings = Settings(tmp_path, listeners=ways, **given)
        words = ("-c", str(settings.file))
        with running_relay(*words, settings={**FROM_FILE, **ENVIRONMENT}) as relay:
            (tmp_path / "doctor").mkdir()
            drawn = with_ports(relay, ways)
            health = f"127.0.0.1:{relay.port('health')}"
            given["health"] = {"listen": health}
            seen = Settings(tmp_path / "doctor", listeners=drawn, **given)
            with smtplib.SMTP("127.0.0.1", relay.port("office"), timeout=60) as smtp:
                smtp.sendmail("app@acme.example", ["ann@example.net"], MAIL)

            done = doctor(seen, SSL_CERT_FILE=str(cert))

            assert done.returncode == 0, done.stdout
            found = part(done.stdout, "way in")
            at = {one["name"]: one["address"] for one in drawn}
            starttls = ", offers STARTTLS"
            proxied = "listens; it greets proxies alone"
            elsewhere = "listens, but not for this machine"
            refusal = "554 5.7.1 Access denied: client address not allowed"
            assert [re.sub(r"20\d\d-\d\d-\d\d", "DATE", line) for line in found] == [
                f"OK    listener file: unix:{path}: listens and greets",
                f"OK    listener office: {at['office']}: listens and greets{starttls}",
                *certificate("office"),
                f"OK    listener whole: {at['whole']}: listens and greets",
                *certificate("whole"),
                f"OK    listener behind: {at['behind']}: {proxied}",
                f"WARN  listener closed: {at['closed']}: {elsewhere}: {refusal}",
                f"OK    health: http://{health}/readyz: ready",
            ]
            assert part(done.stdout, "way out")[:4] == [
                "OK    name: 127.0.0.1 is 127.0.0.1",
                f"OK    connection: {fake.url[7:]} answers, without TLS",
                "OK    clock: agrees with SES'",
                "OK    region: eu-west-1",
            ]
            assert "OK    account: may send" in done.stdout
            verified = "n***@acme.example, verified by acme.example"
            assert f"OK    ses.emailAddress: {verified}" in done.stdout
            assert part(done.stdout, "queue") == [
                "OK    mails: 1 queued, 0 sending, 0 sent, 0 failed"
            ]
            assert "ann@" not in done.stdout

            # By these the relay is not as they say: it has to be started again.
            drawn[0] = {**drawn[0], "tls": "starttls"}
            other = Settings(tmp_path / "doctor", listeners=drawn, **given)
            done = doctor(other, SSL_CERT_FILE=str(cert))
            assert done.returncode == 1
            text = f"FAIL  listener file: unix:{path}: offers no STARTTLS; "
            assert part(done.stdout, "way in")[0].startswith(text)

    async with FakeSes(*[denied] * 9) as fake:
        fake.resources = {
            "/v2/email/account": says(ACCOUNT),
            "/v2/email/identities/acme.example": says(
                {"VerifiedForSendingStatus": True}
            ),
        }
        await asyncio.to_thread(inside, fake)


def certificate(name: str) -> list[str]:
    here = f"OK    listener {name}: certificate:"
    return [
        f"{here} good until DATE, for 89 days",
        f"{here} for localhost",
        f"{here} trusted by what this machine trusts",
    ]


def test_where_nobody_listens_it_says_what_to_start(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        settings = Settings(
            tmp_path,
            transport="capture",
            listeners=[
                {"name": "local", "address": f"127.0.0.1:{port}"},
                {"name": "file", "address": f"unix:{tmp_path}/none"},
            ],
            web={"listen": f"127.0.0.1:{port}"},
            queue=spool(tmp_path),
        )
        done = doctor(settings)
        page = json.loads(doctor(settings, "--json").stdout)
    cure = "nobody listens there; start the relay (relay serve, systemctl start"
    assert done.returncode == 1
    ways = part(done.stdout, "way in")
    assert len(ways) == 3
    for line, place in zip(
        ways,
        (
            f"listener local: 127.0.0.1:{port}: Connection refused: {cure}",
            f"listener file: unix:{tmp_path}/none: No such file or directory: {cure}",
            f"page: http://127.0.0.1:{port}/readyz: Connection refused; start the",
        ),
        strict=True,
    ):
        assert line.startswith(f"FAIL  {place}")
    assert part(done.stdout, "queue") == [
        "OK    there is no spool yet; a relay makes it"
    ]
    assert [one["text"] for one in page["findings"] if one["part"] == "way in"] == [
        line.removeprefix("FAIL  ") for line in ways
    ]
    assert {one["level"] for one in page["findings"]} >= {"ok", "problem"}


def test_a_certificate_that_ended_and_is_trusted_by_nobody(tmp_path: Path) -> None:
    cert, key = certificates.make(tmp_path, "relay.acme.example", days=-1)
    given: dict[str, Any] = {
        "transport": "capture",
        "tls": {"certFile": str(cert), "keyFile": str(key)},
        "queue": {"engine": "none"},
        "web": {"listen": ""},
        "listeners": [
            {
                "name": "file",
                "address": f"unix:{tmp_path}/smtp.sock",
                "tls": "implicit",
            }
        ],
    }
    settings = Settings(tmp_path, **given)
    with running_relay("-c", str(settings.file), settings=FROM_FILE):
        done = doctor(settings)
    assert done.returncode == 1
    here = "listener file: certificate:"
    _, ended, names, trust = part(done.stdout, "way in")
    assert ended.startswith(f"FAIL  {here} ended on 20")
    assert names == f"OK    {here} for relay.acme.example"
    assert trust.startswith(f"WARN  {here} not trusted by this machine: self-signed")


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (450, r"FAIL  clock: 4[0-5]\d s behind SES'; set it by NTP"),
        (-120, r"WARN  clock: 1[012]\d s ahead of SES'; set it by NTP"),
    ],
)
async def test_a_clock_that_is_wrong(tmp_path: Path, ahead: float, said: str) -> None:
    async with FakeSes(ahead=ahead) as fake:
        settings = Settings(tmp_path, ses=ses(fake), queue={"engine": "none"})
        done = await asyncio.to_thread(doctor, settings)
    line = part(done.stdout, "way out")[2]
    assert re.match(said, line), done.stdout


@pytest.mark.parametrize(
    ("level", "apart"),
    [
        ("ok", (0.0, 30.4, -29.0)),
        ("warning", (32.0, -31.0, 299.0, -299.0)),
        ("problem", (302.0, -301.0)),
    ],
)
def test_how_far_clocks_are_apart(level: str, apart: tuple[float, ...]) -> None:
    at = 784_111_777.0
    for seconds in apart:
        found = clock("Sun, 06 Nov 1994 08:49:37 GMT", at + seconds, at + seconds)
        assert found.level == level


def test_a_slow_answer_is_no_wrong_clock() -> None:
    at = 784_111_777.0
    found = clock("Sun, 06 Nov 1994 08:49:37 GMT", at - 500, at + 500)
    assert found.level == "ok"
    assert clock("soon", at, at).level == "warning"


def test_an_endpoint_that_has_no_address(tmp_path: Path) -> None:
    fake = {
        "region": "eu-west-1",
        "accessKeyId": "AKIAFAKE",
        "accessKeySecret": "fake-secret",
        "endpointUrl": "https://ses.invalid",
    }
    settings = Settings(tmp_path, ses=fake, queue={"engine": "none"})
    done = doctor(settings)
    assert done.returncode == 1
    first = part(done.stdout, "way out")[0]
    assert first.startswith("FAIL  name: ses.invalid: ")
    assert first.endswith("and at region and endpointUrl")


def test_what_an_address_of_the_settings_hides_stays_hidden(tmp_path: Path) -> None:
    given = {
        "region": "eu-west-1",
        "accessKeyId": "AKIAFAKE",
        "accessKeySecret": "fake-secret",
        "endpointUrl": "http://user:pa55w0rd@127.0.0.1:9",
        "emailAddress": "Desk <helpdesk@acme.example>",
    }
    settings = Settings(tmp_path, ses=given, queue={"engine": "none"})
    done = doctor(settings)
    assert done.returncode == 1
    assert "pa55w0rd" not in done.stdout
    assert "helpdesk" not in done.stdout


def test_settings_that_cannot_be_used_are_on_the_page(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ses]\nregoin = "eu-west-1"\ngrace = 0\n')
    done = relay_command("doctor", "-c", str(file))
    assert (done.returncode, done.stderr) == (1, "")
    lines = part(done.stdout, "settings")
    assert lines[0].startswith(f"FAIL  {file}: ses.regoin: unknown setting; did you")
    assert "\nmachine\n  OK    relay " in done.stdout

    done = relay_command("doctor", cwd=tmp_path / "..")
    assert done.returncode == 1
    assert part(done.stdout, "settings")[0].startswith(
        "FAIL  no settings: give -c FILE"
    )
