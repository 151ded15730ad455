"""`relay check`, as an operator runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests import certificates
from tests.server.disks import fill, tmpfs
from tests.server.relay_process import ROOT, running_relay
from tests.server.test_life import relay_command

SETTINGS = """
[ses]
region = "eu-west-1"
emailAddress = "Acme <noreply@acme.example>"
emailAddressIdentityArn = "arn:aws:ses:eu-west-1:111122223333:identity/acme.example"

[[templates]]
usageType = "SignIn"
subject = "s"
content = "c"
sendFrom = "Desk <desk@{domain}>"
"""


def test_a_sender_outside_the_identity_is_a_warning(tmp_path: Path) -> None:
    for domain, warned in (
        ("acme.example", False),
        ("mail.acme.example", False),
        ("other.example", True),
        ("notacme.example", True),
    ):
        (tmp_path / "config.toml").write_text(SETTINGS.format(domain=domain))
        found = relay_command("check", cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        line = f"warning: templates[0].sendFrom = 'desk@{domain}': outside"
        assert (line in found.stdout) == warned
        assert "ses.emailAddress =" not in found.stdout


def test_templates_of_a_folder_are_looked_at_like_those_of_the_settings(
    tmp_path: Path,
) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "SignIn.fr.html").write_text(
        '+++\nsubject = "s"\nvalidFor = "10m"\nsupersedes = true\n'
        'send_from = "Desk <desk@other.example>"\n+++\nc\n'
    )
    (tmp_path / "config.toml").write_text(
        'templatesDir = "templates"\n' + SETTINGS.format(domain="acme.example")
    )
    settings = {"RELAY_QUEUE__ENGINE": "none"}
    found = relay_command("check", settings=settings, cwd=tmp_path)
    assert [
        line.partition("SignIn.fr.html")[2]
        for line in found.stdout.splitlines()
        if "SignIn.fr.html" in line
    ] == [
        f":{line}: {name}: has no effect with queue.engine = "
        '"none", where no mail waits'
        for line, name in ((3, "validFor"), (4, "supersedes"))
    ] + [
        (
            ":5: sendFrom = 'desk@other.example': outside ses.emailAddressIdentityArn "
            "(acme.example), which goes with every mail; SES will refuse it"
        )
    ]


def test_settings_that_cannot_be_used_are_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ses]\nregoin = "eu-west-1"\n')
    found = relay_command("check", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "config.toml: ses.regoin: unknown setting; did you mean ses.region?\n"
    )


def test_what_stops_a_start_is_found(tmp_path: Path) -> None:
    text = (
        SETTINGS.format(domain="acme.example")
        + '\n[intake]\ntoken = "t0ken-t0ken-t0ken"\n'
    )
    no_sender = text.replace('emailAddress = "Acme <noreply@acme.example>"\n', "")
    (tmp_path / "config.toml").write_text(no_sender.replace("<desk@acme.example>", ""))
    anywhere = {"RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]'}
    for command in ("check", "serve"):
        found = relay_command(command, settings=anywhere, cwd=tmp_path)
        assert found.returncode == 2
        assert "templates[0] (SignIn): sendFrom: has no address" in found.stderr


# Words of AWS that no machine's own settings may add to.
NOWHERE = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
SES = {"RELAY_SES__REGION": "eu-west-1"}
USED_TLS = {
    "RELAY_LISTENERS": '[{"address": "127.0.0.1:0", "tls": "starttls"}]',
    "RELAY_TLS__CERT_FILE": "no.crt",
    "RELAY_TLS__KEY_FILE": "no.key",
}
TEMPLATE = {"usageType": "A", "subject": "s", "content": "c"}


def templates(**keys: str) -> dict[str, str]:
    return {"RELAY_TEMPLATES": json.dumps([{**TEMPLATE, **keys}])}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no settings"),
        ({"RELAY_LOG__LEVEL": "info"}, "ses.region: not set"),
        ({**SES, "RELAY_SES__REGOIN": "x"}, "unknown setting"),
        ({**SES, "RELAY_SES__ENDPOINT_URL": "http://[x"}, "no SES client can be made"),
        ({**SES, "AWS_CA_BUNDLE": "/no/such.pem"}, "AWS_CA_BUNDLE"),
        ({**SES, **templates(contentFile="no.html", content="")}, "No such file"),
        ({**SES, **templates(content="{{code")}, "not closed"),
        ({**SES, **USED_TLS}, "tls.certFile"),
        ({**SES, "RELAY_INTAKE__TOKEN_FILE": "/dev/zero"}, "no regular file"),
        ({**SES, "RELAY_QUEUE__ENGINE": "sqs"}, "queue.url"),
        ({**SES, "RELAY_PACE__RATE": "1000000000"}, "below 1000000000"),
        ({"RELAY_TRANSPORT": "capture"}, ""),
        ({"AWS_REGION": "eu-west-1", "RELAY_LOG__LEVEL": "info"}, ""),
        (SES, ""),
        ({**SES, **templates()}, ""),
        ({**SES, **USED_TLS, "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]'}, ""),
    ],
)
def test_check_refuses_what_serve_refuses_and_nothing_else(
    tmp_path: Path, settings: dict[str, str], said: str
) -> None:
    checked = relay_command("check", settings={**NOWHERE, **settings}, cwd=tmp_path)
    whole = {
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
        "RELAY_WEB__LISTEN": "",
        "RELAY_LOG__FORMAT": "json",
        "RELAY_QUEUE__PATH": "spool.db",
        **NOWHERE,
        **settings,
    }
    if not said:
        assert checked.returncode == 0, checked.stdout + checked.stderr
        with running_relay("-c", os.devnull, settings=whole) as relay:
            assert relay.stop() == 0
        return
    served = relay_command("serve", settings=whole if settings else {}, cwd=tmp_path)
    assert (checked.returncode, served.returncode) == (2, 2)
    assert said in checked.stderr
    # The same words; a start has its log before them.
    last = served.stderr.splitlines()[-1]
    assert last.replace("relay serve", "relay check", 1) in checked.stderr.splitlines()


def test_a_copy_of_the_example_needs_a_region_and_nothing_else(tmp_path: Path) -> None:
    text = (ROOT / "config.example.toml").read_text("utf-8")
    (tmp_path / "config.toml").write_text(text)
    found = relay_command("check", settings=NOWHERE, cwd=tmp_path)
    assert (found.returncode, found.stderr.split(":")[0]) == (2, "ses.region")
    (tmp_path / "config.toml").write_text(text.replace('#region = ""', 'region = "a"'))
    assert relay_command("check", settings=NOWHERE, cwd=tmp_path).returncode == 0


KEY = ("accessKeyId = 'AKIA'\n", "accessKeySecret = 'hush'\n")


def test_files_with_secrets_that_everybody_may_read_are_a_warning(
    tmp_path: Path,
) -> None:
    open_way = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        open_way.chmod(0o755)
        cert, key = certificates.make(open_way)
        file, token = open_way / "config.toml", open_way / "token"
        file.write_text(
            f"[ses]\nregion = 'eu-west-1'\n{''.join(KEY)}"
            f"[intake]\ntokenFile = '{token}'\n"
            f"[tls]\ncertFile = '{cert}'\nkeyFile = '{key}'\n"
            "[[listeners]]\naddress = '127.0.0.1:0'\ntls = 'starttls'\n"
        )
        token.write_text("a-token-of-some-length\n")
        secret = (file, token, key)

        def warned() -> list[str]:
            queue = {"RELAY_QUEUE__ENGINE": "none", "RELAY_WEB__LISTEN": "127.0.0.1:0"}
            found = relay_command("check", "-c", str(file), settings=queue)
            assert found.returncode == 0, found.stderr
            with running_relay(
                "-c", str(file), settings={**queue, "RELAY_LISTENERS": None}
            ) as relay:
                said = [e["warning"] for e in relay.log if e["event"] == "settings"]
            lines = found.stdout.splitlines()
            for one in said:
                assert f"warning: {one}" in lines
            assert "hush" not in found.stdout + "".join(relay.stderr)
            return [one for one in said if "may read it" in one]

        for path in secret:
            path.chmod(0o644)
        before = warned()
        for path in secret:
            path.chmod(0o640)
        after = warned()
        # Where the directory lets nobody in, nobody may read what is in it.
        for path in secret:
            path.chmod(0o644)
        open_way.chmod(0o700)
        within = warned()
    finally:
        shutil.rmtree(open_way)
    assert [one.partition(": ")[0] for one in before] == [
        f"intake.tokenFile = {str(token)!r}",
        f"tls.keyFile = {str(key)!r}",
        f"{file}",
    ]
    assert "holds a secret (ses.accessKeySecret), and every user" in before[2]
    assert all("chmod 600" in one for one in before)
    assert (after, within) == ([], [])


def check_spool(path: Path) -> subprocess.CompletedProcess[str]:
    settings = {"RELAY_QUEUE__PATH": str(path), "RELAY_SES__REGION": "eu-west-1"}
    return relay_command("check", settings=settings, cwd=path.parents[1])


def test_a_spool_in_memory_is_a_warning(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "a disk", size="200m") as disk:
        path = disk / "spool.db"
        found = check_spool(path)
    assert found.returncode == 0
    assert f"ok: queue: {path}, 0.2 GB are free" in found.stdout
    assert f"warning: queue.path = {path}: on tmpfs, in memory" in found.stdout


def test_a_disk_too_small_for_a_mail_is_a_warning(tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", size="20m") as disk:
        found = check_spool(disk / "spool.db")
        fill(disk)
        full = check_spool(disk / "spool.db")
    assert (found.returncode, full.returncode) == (0, 0)
    assert (
        "21 MB are free, and a mail of limits.messageSize takes 84 MB" in found.stdout
    )
    assert ": 0 MB are free" in full.stdout


def test_a_spool_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "spool.db").write_text("no database, but of some length" * 99)
    for path, what in (
        (tmp_path / "no" / "spool.db", f"there is no directory {tmp_path / 'no'}"),
        (tmp_path / "text" / "spool.db", "file is not a database"),
        (tmp_path / "text", "a directory; name a file in it"),
    ):
        found = check_spool(path)
        assert found.returncode == 1
        assert f"problem: queue.path = {path}: {what}" in found.stdout
        assert found.stderr == ""


def test_without_a_queue_nothing_is_said_of_a_spool(tmp_path: Path) -> None:
    found = relay_command(
        "check",
        settings={"RELAY_QUEUE__ENGINE": "none", "RELAY_SES__REGION": "eu-west-1"},
        cwd=tmp_path,
    )
    assert (found.returncode, "queue" in found.stdout) == (0, False)
