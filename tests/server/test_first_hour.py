"""Each wrong turn of a first hour, and what docs/first-hour.md says that one sees then.

The page has the lines of each turn in a block below its heading; here the turn is
taken, and what the program says has to have these lines. `…` is any text of one line.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import smtplib
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import pytest

from relay.cli.check_aws import checks
from relay.queue.lock import owned
from relay.ses.client_settings import ClientSettings
from tests.fake_ses import Answer, FakeSes, error
from tests.server.disks import fill, tmpfs
from tests.server.relay_process import (
    ROOT,
    RelayProcess,
    environment,
    running_relay,
    until,
)
from tests.server.test_life import relay_command, through, without_rights
from tests.server.tools import need

SHOWN = {
    heading: block.splitlines()
    for heading, block in re.findall(
        r"(?ms)^### ([^\n]+)\n\n```text\n(.*?)^```",
        (ROOT / "docs" / "first-hour.md").read_text("utf-8"),
    )
}
# Words of AWS that no machine's own settings may add to.
NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
SES = {"RELAY_SES__REGION": "eu-west-1", **NOWHERE}


def shows(heading: str, said: str) -> None:
    """What was said has each line of the page's block."""
    for line in SHOWN[heading]:
        pattern = ".*".join(re.escape(part) for part in line.split("…"))
        assert re.search(pattern, said), f"no {line!r} in:\n{said}"
    assert "Traceback" not in said


class Turn(NamedTuple):
    """A wrong turn: how it is taken, with which exit code the command ends."""

    code: int
    said: str


def said(
    command: str,
    tmp_path: Path,
    *,
    settings: Mapping[str, str] | None = None,
    text: str | bytes = "",
    rights: bool = True,
) -> Turn:
    """What a command says that ends by itself, in a directory with this config.toml."""
    if text:
        data = text.encode() if isinstance(text, str) else text
        (tmp_path / "config.toml").write_bytes(data)
    found = relay_command(
        *command.split(),
        settings=NOWHERE if settings is None else {**NOWHERE, **settings},
        cwd=tmp_path,
        through=() if rights else without_rights(),
    )
    return Turn(found.returncode, found.stdout + found.stderr)


def spool(path: Path) -> dict[str, str]:
    listener = '[{"address": "127.0.0.1:0"}]'
    web = {"RELAY_LISTENERS": listener, "RELAY_WEB__LISTEN": ""}
    return {**SES, **web, "RELAY_QUEUE__PATH": str(path)}


def _outside_a_table(tmp_path: Path) -> Turn:
    return said("check", tmp_path, text='region = "eu-west-1"\n')


def _newer(tmp_path: Path) -> Turn:
    return said("check", tmp_path, text="[ses]\nwarpFactor = 9\n")


def _variables(tmp_path: Path) -> Turn:
    unknown = {"RELAY_SES__REGOIN": "x", "RELAY_SES__WARP": "9"}
    return said("check", tmp_path, settings=unknown)


def _no_toml(tmp_path: Path) -> Turn:
    return said("check", tmp_path, text="[ses]\nregion = eu-west-1\n")


def _encoding(tmp_path: Path) -> Turn:
    text = '[ses]\nregion = "eu-west-1" # é\n'
    bom = said("check", tmp_path, text=text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert bom.code == 0, bom.said
    found = [
        said("check", tmp_path, text=text.encode(name)) for name in ("utf-16", "cp1252")
    ]
    assert {one.code for one in found} == {2}
    return Turn(2, "".join(one.said for one in found))


def _port_taken(tmp_path: Path) -> Turn:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        listeners = json.dumps([{"address": address}])
        return said(
            "serve --capture", tmp_path, settings={"RELAY_LISTENERS": listeners}
        )


def _port_below_1024(tmp_path: Path) -> Turn:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 25:
        pytest.skip("ports below 1024 need no privilege here")
    listeners = {"RELAY_LISTENERS": '[{"address": "127.0.0.1:25"}]'}
    return said("serve --capture", tmp_path, settings=listeners, rights=False)


def _no_directory(tmp_path: Path) -> Turn:
    return said("check", tmp_path, settings=spool(tmp_path / "no" / "spool.db"))


def _closed_directory(tmp_path: Path) -> Turn:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    settings = spool(closed / "spool.db")
    found = [
        said(command, tmp_path, settings=settings, rights=False)
        for command in ("check", "serve")
    ]
    assert [one.code for one in found] == [1, 2]
    return Turn(2, "".join(one.said for one in found))


def _of_another_user(tmp_path: Path) -> Turn:
    if os.geteuid() != 0:
        pytest.skip("giving a file to another user needs root")
    path = tmp_path / "spool.db"
    path.touch()
    os.chown(path, 65534, 65534)
    return said("check", tmp_path, settings=spool(path))


def _newer_spool(tmp_path: Path) -> Turn:
    path = tmp_path / "spool.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    path.chmod(0o600)
    return said("check", tmp_path, settings=spool(path))


def _full_disk(tmp_path: Path) -> Turn:
    with tmpfs(tmp_path / "disk", size="1m") as disk:
        fill(disk)
        settings = spool(disk / "spool.db")
        found = [
            said(command, tmp_path, settings=settings) for command in ("check", "serve")
        ]
    assert [one.code for one in found] == [0, 4]
    return Turn(4, "".join(one.said for one in found))


def _taken_spool(tmp_path: Path) -> Turn:
    path = tmp_path / "spool.db"
    with owned(path):
        return said("serve", tmp_path, settings=spool(path))


def _temporary_key(tmp_path: Path) -> Turn:
    keys = {"RELAY_SES__ACCESS_KEY_ID": "ASIAX", "RELAY_SES__ACCESS_KEY_SECRET": "hush"}
    found = said("check", tmp_path, settings={**SES, **keys})
    assert "hush" not in found.said
    return found


# What is said before anybody listens or is asked, and the exit code.
BY_COMMAND: Mapping[str, tuple[Callable[[Path], Turn], int]] = {
    "Nothing is set": (lambda path: said("serve", path, settings={}), 2),
    "No region": (lambda path: said("check", path, text='transport = "ses"\n'), 2),
    "A setting of a newer release, or of no release": (_newer, 2),
    "A setting outside its table": (_outside_a_table, 2),
    "An unknown variable": (_variables, 2),
    "A file that is not TOML": (_no_toml, 2),
    "A file in another encoding": (_encoding, 2),
    "The port is taken": (_port_taken, 4),
    "A port below 1024": (_port_below_1024, 2),
    "The spool's directory is missing": (_no_directory, 1),
    "The spool cannot be written": (_closed_directory, 2),
    "The spool of another user": (_of_another_user, 1),
    "The spool of a newer release": (_newer_spool, 1),
    "The disk is full": (_full_disk, 4),
    "Two relays on one spool": (_taken_spool, 2),
    "A temporary key in the settings": (_temporary_key, 0),
}


@pytest.mark.parametrize("heading", BY_COMMAND)
def test_a_command_that_ends_says_what_the_page_has(
    heading: str, tmp_path: Path
) -> None:
    take, code = BY_COMMAND[heading]
    turn = take(tmp_path)
    assert turn.code == code, turn.said
    shows(heading, turn.said)


def account(**change: object) -> Answer:
    says = {
        "ProductionAccessEnabled": True,
        "SendingEnabled": True,
        "EnforcementStatus": "HEALTHY",
        "SendQuota": {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 12},
    }
    return Answer(body=json.dumps({**says, **change}).encode())


UNKNOWN = error(
    "UnrecognizedClientException",
    403,
    "The security token included in the request is invalid.",
)
MISMATCH = error(
    "SignatureDoesNotMatch",
    403,
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method.",
)
OVER = error(
    "ExpiredTokenException",
    403,
    "The security token included in the request is expired",
)
CLOCK = error(
    "InvalidSignatureException",
    403,
    "Signature expired: 20261129T190000Z is now earlier than 20261129T192000Z "
    "(20261129T192500Z - 5 min.)",
)
DENIED = error(
    "AccessDeniedException",
    403,
    "User `arn:aws:iam::111122223333:user/relay' is not authorized to perform "
    "`ses:SendRawEmail' on resource "
    "`arn:aws:ses:eu-west-1:111122223333:identity/acme.example'",
)
NO_SET = error("NotFoundException", 404, "Configuration set <news> does not exist.")
PAUSED = error(
    "SendingPausedException",
    400,
    "Sending paused for this account. For more information, please check the inbox of "
    "the email address associated with your AWS account.",
)


def unverified(address: str) -> Answer:
    return error(
        "MessageRejected",
        400,
        "Email address is not verified. The following identities failed the check in "
        f"region EU-WEST-1: {address}",
    )


class Refusal(NamedTuple):
    """What SES answers: to the mail, and to who asks for the account."""

    mail: Answer
    account: Answer
    asked: Mapping[str, Any] = {}  # what `relay check --online` asks beside it
    times: int = 1  # so many mails until the page says it


# In this order, of which the last one stops all mail.
BY_SES: Mapping[str, Refusal] = {
    "An unknown key": Refusal(UNKNOWN, UNKNOWN),
    "A wrong secret": Refusal(MISMATCH, MISMATCH),
    "A session that is over": Refusal(OVER, OVER, times=2),
    "The clock is wrong": Refusal(CLOCK, CLOCK),
    "No permission to send": Refusal(DENIED, account()),
    "The sandbox": Refusal(
        unverified("ann@example.com"), account(ProductionAccessEnabled=False)
    ),
    "The sender is not verified": Refusal(
        unverified("app@acme.example"),
        account(),
        {"identities": [("ses.emailAddress", "app@acme.example")]},
    ),
    "The configuration set is missing": Refusal(
        NO_SET, account(), {"configuration_set": "news"}
    ),
    "Sending is paused": Refusal(PAUSED, account(SendingEnabled=False)),
}


@pytest.fixture
def _own_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in NOWHERE.items():
        monkeypatch.setenv(name, value)


async def online(**settings: Any) -> str:  # noqa: ANN401 - of both
    """What `relay check --online` prints of an account's own settings."""
    asked = {
        name: settings.pop(name)
        for name in ("identities", "configuration_set")
        if name in settings
    }
    found = await checks(ClientSettings(region="eu-west-1", **settings), **asked)
    return "".join(f"{one.level}: {one.text}\n" for one in found)


def answer(relay: RelayProcess) -> str:
    """What a client hears of a mail."""
    with smtplib.SMTP("127.0.0.1", relay.port(), timeout=60) as client:
        client.ehlo("app")
        client.mail("app@acme.example")
        client.rcpt("ann@example.com")
        code, text = client.data(b"From: app@acme.example\r\nSubject: x\r\n\r\nhi\r\n")
    return f"{code} {text.decode()}\n"


def api(relay: RelayProcess, path: str) -> Any:  # noqa: ANN401 - JSON
    with urlopen(f"http://127.0.0.1:{relay.port('web')}/api/v1/{path}") as page:
        return json.load(page)


def troubles(relay: RelayProcess) -> str:
    """What stands on top of the page."""
    found = api(relay, "status")["troubles"]
    return "".join(f"{one['text']}\n{one['cure']}\n" for one in found)


PAGE = {"RELAY_WEB__LISTEN": "127.0.0.1:0", **NOWHERE}


@pytest.mark.usefixtures("_own_aws")
async def test_client_log_page_and_check_say_what_ses_refuses() -> None:
    async with FakeSes() as ses:
        ses.resources = {"/v2/email/account": account()}

        def taken(number: int, refusal: Refusal) -> str:
            heard = ""
            for _ in range(refusal.times):
                heard = answer(relay)
            log = relay.events("not sent", number)[-1]
            found = troubles(relay)
            assert found
            return f"{heard}{log['detail']}\n{found}"

        with running_relay("-c", os.devnull, settings=through(ses, **PAGE)) as relay:
            number = 0
            for heading, refusal in BY_SES.items():
                number += refusal.times
                ses.answers.extend([refusal.mail] * refusal.times)
                seen = await asyncio.to_thread(taken, number, refusal)
                ses.resources["/v2/email/account"] = refusal.account
                asked = await online(
                    access_key_id="AKIAFAKE",
                    access_key_secret="fake-secret",
                    endpoint_url=ses.url,
                    **refusal.asked,
                )
                shows(heading, seen + asked)
                assert "fake-secret" not in seen + asked
                if heading != "Sending is paused":
                    # What went through ends the trouble, which the next one is not.
                    sent = await asyncio.to_thread(answer, relay)
                    assert sent.startswith("250 ")
                    assert await asyncio.to_thread(troubles, relay) == ""


@pytest.mark.usefixtures("_own_aws")
async def test_no_credentials_and_no_way_to_ses() -> None:
    def seen(**settings: str) -> str:
        settings = {**SES, **PAGE, **settings}
        with running_relay("-c", os.devnull, settings=settings) as relay:
            heard = answer(relay)
            until(lambda: api(relay, "figures")["verdict"][0]["level"] == "bad")
            stands = json.dumps(api(relay, "figures")["verdict"])
            log = "".join(relay.stderr)
            return f"{heard}{troubles(relay)}{stands}\n{log}"

    nobody = await asyncio.to_thread(seen)
    shows("No credentials", nobody + await online())
    keys = {
        "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
        "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
        "RELAY_SES__ENDPOINT_URL": "http://ses.invalid",
    }
    shows("SES cannot be reached", await asyncio.to_thread(seen, **keys))


@pytest.mark.usefixtures("_own_aws")
async def test_a_proxy_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    said = await online(access_key_id="AKIAFAKE", access_key_secret="fake-secret")
    shows("A proxy in the environment", said)


def _alone(script: str, cwd: Path, settings: Mapping[str, str]) -> str:
    """What a script says in a network and with mounts of its own."""
    unshare = need("unshare", "util-linux")
    found = subprocess.run(
        [unshare, "--net", "--mount", "--map-root-user", "sh", "-c", script],
        cwd=cwd,
        env=environment({"PYTHON": sys.executable, **NOWHERE, **settings}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if found.returncode == 77 or "unshare" in found.stderr:
        pytest.skip(f"no network of its own here: {found.stderr.strip()}")
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


def test_a_misspelt_region_is_guessed(tmp_path: Path) -> None:
    settings = {
        "RELAY_SES__REGION": "eu-wset-1",
        "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
        "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
    }
    script = "$PYTHON -m relay check --online; [ $? = 1 ]"
    shows("A misspelt region, or no DNS", _alone(script, tmp_path, settings))


IPV6_ALONE = """
[ -e /proc/net/if_inet6 ] || exit 77
ip link set lo up && ip address del 127.0.0.1/8 dev lo || exit 77
printf '::1 localhost\\n192.0.2.1 email.eu-west-1.amazonaws.com\\n' > hosts
mount --bind hosts /etc/hosts || exit 77
$PYTHON -m relay serve --capture 2>said &
relay=$!
until grep -q '"event": "ready"' said; do
    kill -0 $relay || exit 1
    sleep 0.1
done
"""


def test_ipv6_alone(tmp_path: Path) -> None:
    need("ip", "iproute2")
    script = f"""{IPV6_ALONE}
    $PYTHON -m relay send --server localhost:1025 --to ann@example.com
    sent=$?
    kill $relay
    wait $relay
    cat said
    $PYTHON -m relay check --online
    exit $sent
    """
    settings = {
        "RELAY_SES__REGION": "eu-west-1",
        "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
        "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
        "RELAY_LOG__FORMAT": "json",
    }
    seen = _alone(script, tmp_path, settings)
    assert "250 2.0.0 captured as " in seen
    shows("IPv6 alone", seen)


ELSEWHERE: Sequence[str] = (
    *("No credentials", "SES cannot be reached", "A proxy in the environment"),
    *("A misspelt region, or no DNS", "IPv6 alone"),
)


def test_the_page_has_no_turn_that_is_not_taken_here() -> None:
    assert SHOWN.keys() == {*BY_COMMAND, *BY_SES, *ELSEWHERE}
