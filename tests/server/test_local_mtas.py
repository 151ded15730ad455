"""Real mail servers as the smarthost's client: what they break is whole again.

Each runs in a directory of its own, with the lines that docs/local-mtas.md shows.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.relay_process import RelayProcess, running_relay
from tests.server.tools import need

TOKEN = "".join(f"{number:04}" for number in range(700))
LINK = f"https://acme.example/reset?token={TOKEN}"
VARIABLES = {"link": LINK, "name": "Zoë 日本 " * 40}
TEMPLATES = [
    {"usageType": "Reset", "subject": "{{name}}", "content": "{{link}} {{short}}"}
]
MAIL = (
    "From: app@acme.example\nTo: ann@example.net\nSubject: x\n"
    f"X-Relay-Usage: Reset\nX-Relay-Variables: {json.dumps(VARIABLES)}\n"
    f"X-Relay-Variable-Short: {LINK}\n\nbody\n"
)
CRON = "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@web1> backup\n\ndone\n"

POSTFIX = """\
compatibility_level = 3.6
inet_interfaces = loopback-only
mydestination =
myhostname = web1.acme.example
myorigin = acme.example
relayhost = [127.0.0.1]:{port}
virtual_alias_maps = inline:{{ {{root@acme.example=ops@acme.example}} }}
alias_maps =
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file_prefixes = {directory}
maillog_file = {directory}/log
"""
# Without the part that listens: nothing of it is open to anybody.
MASTER = """\
pickup    unix       n - n 1 1 pickup
cleanup   unix       n - n - 0 cleanup
qmgr      unix       n - n 300 1 qmgr
rewrite   unix       - - n - - trivial-rewrite
bounce    unix       - - n - 0 bounce
defer     unix       - - n - 0 bounce
trace     unix       - - n - 0 bounce
smtp      unix       - - n - - smtp
error     unix       - - n - - error
retry     unix       - - n - - error
postlog   unix-dgram n - n - 1 postlogd
"""
EXIM = """\
keep_environment =
exim_user = mail
exim_group = mail
spool_directory = {directory}/spool
log_file_path = {directory}/spool/%slog
primary_hostname = web1.acme.example
qualify_domain = acme.example
begin routers
root:
  driver = redirect
  domains = acme.example
  local_parts = root
  data = ops@acme.example
relay:
  driver = manualroute
  transport = relay
  route_list = * 127.0.0.1
  self = send
begin transports
relay:
  driver = smtp
  port = {port}
  allow_localhost
  message_linelength_limit = 1000000
"""


@contextmanager
def postfix(directory: Path, port: int) -> Iterator[list[str]]:
    """A Postfix that relays to this port, and its sendmail command."""
    for name in ("etc", "queue", "data"):
        (directory / name).mkdir()
    etc = directory / "etc"
    (etc / "main.cf").write_text(POSTFIX.format(directory=directory, port=port))
    (etc / "master.cf").write_text(MASTER)
    shutil.chown(directory / "data", "postfix")
    command = [need("postfix"), "-c", str(etc)]
    subprocess.run([*command, "start"], check=True, capture_output=True, timeout=60)
    try:
        yield [need("sendmail", "postfix"), "-C", str(etc)]
    finally:
        subprocess.run([*command, "stop"], check=True, capture_output=True, timeout=60)


@contextmanager
def exim(directory: Path, port: int) -> Iterator[list[str]]:
    """The command of an Exim that relays to this port at once."""
    (directory / "spool").mkdir()
    shutil.chown(directory / "spool", "mail", "mail")
    config = directory / "exim.conf"
    config.write_text(EXIM.format(directory=directory, port=port))
    yield [need("exim4"), "-C", str(config), "-odi"]


# Debian has one of them at a time.
SERVERS = {"exim": exim} if shutil.which("exim4") else {"postfix": postfix}


@pytest.fixture(scope="module", params=list(SERVERS))
def sendmail(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[RelayProcess, list[str]]]:
    """A relay, and the sendmail of a local mail server that relays to it."""
    if os.geteuid() != 0:
        pytest.skip("a mail server starts as root alone")
    need("exim4" if request.param == "exim" else "postfix")
    settings = {"RELAY_TEMPLATES": json.dumps(TEMPLATES)}
    with running_relay(settings=settings) as relay, tempfile.TemporaryDirectory() as at:
        directory = Path(at)
        directory.chmod(0o755)  # for the server's own users
        with SERVERS[request.param](directory, relay.port()) as command:
            yield relay, command


def test_a_long_link_arrives_through_a_local_mail_server_as_it_was(
    sendmail: tuple[RelayProcess, list[str]],
) -> None:
    relay, command = sendmail
    subprocess.run(
        [*command, "-t", "-f", "app@acme.example"],
        input=MAIL.encode(),
        check=True,
        timeout=60,
    )
    shown = relay.next_captured()
    assert shown.words["usage"] == "Reset"
    text = shown.content.replace(b"=\r\n", b"").replace(b"=3D", b"=").decode()
    assert text.count(LINK) == 4  # in the text and in the HTML, and both variables


def test_mail_of_root_to_root_arrives_with_addresses(
    sendmail: tuple[RelayProcess, list[str]],
) -> None:
    relay, command = sendmail
    subprocess.run(
        [*command, "-i", "-FCronDaemon", "-oem", "root"],
        input=CRON.encode(),
        check=True,
        timeout=60,
    )
    shown = relay.next_captured()
    assert shown.recipients == ["ops@acme.example"]
    assert b"\r\nFrom: root@acme.example (Cron Daemon)\r\n" in shown.content
    assert b"\r\nTo: root@acme.example\r\n" in shown.content
