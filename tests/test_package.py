"""The packages: what is in them, that they are the same each time, that they run."""

from __future__ import annotations

import asyncio
import json
import os
import smtplib
import subprocess
import zipfile
from email.parser import Parser
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from urllib.request import urlopen

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from relay import __version__
from scripts.packages.build import Packages, build, unpacked
from scripts.packages.installed import install, ready_to_test
from scripts.packages.sbom import bill, bundled
from tests.fake_ses import FakeSes
from tests.server.relay_process import RelayProcess
from tests.server.test_life import through

ROOT = Path(__file__).parents[1]
# Of the tests that start the installed program, some that are quick.
SELECTED = (
    *("tests/server/test_render.py", "tests/web/test_assets.py"),
    *("tests/server/test_dialogs.py", "-k", "not dialog or usage or plain-mail"),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build(ROOT, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="module")
def clean(made: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and what it says that it needs, no more."""
    where = tmp_path_factory.mktemp("clean") / "environment"
    install(made.wheel, where)
    return where


def test_the_same_sources_make_the_same_packages(
    made: Packages, tmp_path: Path
) -> None:
    # Of another folder, with other times and other rights.
    sources = unpacked(made.sdist, tmp_path)
    for file in sources.rglob("*"):
        os.utime(file, (1, 1))
        file.chmod(file.stat().st_mode & 0o700)

    again = build(sources, tmp_path)

    assert [sha256(file.read_bytes()).hexdigest() for file in again] == [
        sha256(file.read_bytes()).hexdigest() for file in made
    ]


def test_the_wheel_says_what_it_is_and_has_every_licence(made: Packages) -> None:
    with zipfile.ZipFile(made.wheel) as wheel:
        names = wheel.namelist()
        info = f"ses_relay-{__version__}.dist-info"
        said = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
        licences = {
            name.removeprefix(f"{info}/licenses/")
            for name in names
            if name.startswith(f"{info}/licenses/")
        }

    assert "relay/py.typed" in names
    assert (said["Name"], said["Version"]) == ("ses-relay", __version__)
    assert said["Requires-Python"] == ">=3.11"
    assert {f"Programming Language :: Python :: 3.{n}" for n in range(11, 15)} <= set(
        said.get_all("Classifier", [])
    )
    terms = {"Apache-2.0"}
    for part in bundled(ROOT):
        terms |= set(part["licenses"][0]["expression"].split(" AND "))
    assert said["License-Expression"] == " AND ".join(sorted(terms))
    of_others = {
        file.relative_to(ROOT).as_posix()
        for file in (ROOT / "relay").rglob("*-license.txt")
    }
    assert len(of_others) == len(bundled(ROOT))
    assert licences == {"LICENSE", *of_others} == set(said.get_all("License-File", []))


def test_the_bill_of_materials_is_cyclonedx_and_names_all_that_is_needed(
    made: Packages, clean: Path
) -> None:
    (site,) = clean.glob("lib/python*/site-packages")
    here = {one.name.lower(): one for one in distributions(path=[str(site)])}
    found = bill(made.wheel, here["ses-relay"], ROOT)

    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found))
    assert wrong is None, wrong
    listed = {one["name"].lower(): one["version"] for one in found["components"]}
    assert listed == {
        name: one.version for name, one in here.items() if name != "ses-relay"
    }
    assert "botocore" in listed  # which aiobotocore needs, not we
    itself = found["metadata"]["component"]
    assert itself["purl"] == f"pkg:pypi/ses-relay@{__version__}"
    assert [one["name"] for one in itself["components"]] == [
        *("uplot", "lucide", "caniemail")
    ]


def test_the_clean_environment_has_nothing_that_the_wheel_does_not_ask_for(
    clean: Path,
) -> None:
    for module in ("mjml", "pytest", "tests"):
        ran = subprocess.run(
            [str(clean / "bin" / "python"), "-c", f"import {module}"],
            cwd=clean,
            env=bare(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert "ModuleNotFoundError" in ran.stderr


def bare(**settings: str) -> dict[str, str]:
    """An environment that knows nothing of the checkout."""
    return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **settings}


async def test_the_wheel_sends_mail_where_nothing_else_is(
    clean: Path, tmp_path: Path
) -> None:
    relay_program = str(clean / "bin" / "relay")

    def run(settings: dict[str, str]) -> tuple[str, bytes, str, int]:
        process = subprocess.Popen(
            [relay_program, "serve", "-c", os.devnull],
            cwd=tmp_path,
            env=bare(**settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        relay = RelayProcess(process)
        try:
            relay.event("ready")
            with smtplib.SMTP("127.0.0.1", relay.port(), timeout=60) as client:
                client.ehlo()
                client.mail("app@acme.example")
                client.rcpt("ann@example.com")
                _, heard = client.data(
                    b"From: app@acme.example\r\nX-Relay-Usage: SignIn\r\n"
                    b'X-Relay-Variables: {"code": "123456"}\r\n\r\n-\r\n'
                )
            with urlopen(f"http://127.0.0.1:{relay.port('web')}/") as answer:
                page = answer.read()
            listed = subprocess.run(
                [relay_program, "queue", "list", "-c", os.devnull],
                cwd=tmp_path,
                env=bare(**settings),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=True,
            ).stdout
            return heard.decode(), page, listed, relay.stop()
        finally:
            process.kill()
            relay.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    template = {"usageType": "SignIn", "subject": "{{code}}", "content": "<p>{{code}}"}
    async with FakeSes() as ses:
        settings = through(
            ses,
            RELAY_LISTENERS='[{"name": "local", "address": "127.0.0.1:0"}]',
            RELAY_WEB__LISTEN="127.0.0.1:0",
            RELAY_LOG__FORMAT="json",
            RELAY_QUEUE__PATH=str(tmp_path / "spool.db"),
            RELAY_TEMPLATES=json.dumps([template]),
        )
        heard, page, listed, code = await asyncio.to_thread(run, settings)
        (sent,) = ses.sent

    assert (heard.split()[0], listed, code) == ("2.0.0", "no mail\n", 0)
    assert b"Subject: 123456" in sent.mail
    assert b"<title>" in page


def test_tests_hold_for_the_wheel_too(made: Packages, tmp_path: Path) -> None:
    python = ready_to_test(made, tmp_path, tools=ROOT / ".venv")
    whose = subprocess.run(
        [python, "-c", "import relay; print(relay.__file__)"],
        cwd=tmp_path / "sources",
        env=bare(),
        capture_output=True,
        text=True,
        check=True,
    )
    ran = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", *SELECTED],
        cwd=tmp_path / "sources",
        env=bare(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (
        Path(whose.stdout.strip())
        .resolve()
        .is_relative_to(tmp_path / "environment" / "lib")
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
