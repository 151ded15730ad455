"""The deploy examples are settings that load, and the image's steps make a relay."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay import config
from relay.system import sockets
from tests.server.relay_process import ROOT, running_relay
from tests.server.test_life import relay_command, without_rights

DEPLOY = ROOT / "deploy"
LINE = {"name": "Cup", "price": 3, "gift": True}


def _documents(name: str) -> list[dict[str, Any]]:
    with (DEPLOY / name).open(encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


def test_the_starter_folder_passes_the_lint_and_its_own_tests(tmp_path: Path) -> None:
    shutil.copytree(DEPLOY / "templates", tmp_path / "templates")
    (tmp_path / "config.toml").write_text('templatesDir = "templates"\n')

    linted = relay_command("templates", "lint", cwd=tmp_path)
    assert (linted.returncode, linted.stdout) == (
        0,
        "0 errors and 0 warnings in 13 templates\n",
    )
    tested = relay_command("templates", "test", cwd=tmp_path)
    assert (tested.returncode, tested.stdout) == (
        0,
        "invitation: same\norder: same\n2 of 2 as kept\n",
    )


@pytest.mark.parametrize(
    ("locale", "subject", "lines"),
    [
        ("en-GB", "Your order 17", ["Tea €9.50", "Cup (a gift) €3.00"]),
        ("de", "Ihre Bestellung 17", ["Tea 9,50\xa0€", "Cup (Geschenk) 3,00\xa0€"]),
        ("fr-CA", "Votre commande 17", ["Tea 9,50\xa0€", "Cup (cadeau) 3,00\xa0€"]),
        ("ja", "ご注文 17", ["Tea €9.50", "Cup (ギフト) €3.00"]),
        ("pt", "Your order 17", ["Tea €\xa09,50", "Cup (a gift) €\xa03,00"]),
    ],
)
def test_the_starters_order_is_written_in_the_readers_language(
    tmp_path: Path, locale: str, subject: str, lines: list[str]
) -> None:
    shutil.copytree(DEPLOY / "templates", tmp_path / "templates")
    (tmp_path / "config.toml").write_text('templatesDir = "templates"\n')
    order = {
        "number": 17,
        "arrives": "2026-12-24",
        "lines": [{"name": "Tea", "price": "9.50"}, LINE],
        "total": 12.5,
    }
    (tmp_path / "order.json").write_text(json.dumps(order))
    given = ("--locale", locale, "--variables", "order.json")
    made = relay_command("render", "Order", *given, cwd=tmp_path)
    assert made.stderr == ""
    said = made.stdout.partition("--- text/html")[0].splitlines()
    assert f"Subject: {subject}" in said
    assert [line for line in said if line.startswith(("Tea", "Cup"))] == lines


def test_the_composes_settings_load_and_allow_its_own_network_alone() -> None:
    (compose,) = _documents("compose.yaml")
    service = compose["services"]["relay"]

    settings = config.load(
        None,
        {key: value for key, value in service["environment"].items() if value},
    )

    (listener,) = settings.listeners
    assert settings.queue.engine == "sqlite"
    spool = config.spool_path(settings).parent
    assert service["volumes"] == [f"spool:{spool}"]
    assert "spool" in compose["volumes"]
    (network,) = compose["networks"]["mail"]["ipam"]["config"]
    assert {str(one) for one in listener.allow} == {"127.0.0.0/8", network["subnet"]}
    assert int(service["stop_grace_period"].removesuffix("s")) > settings.grace


def test_the_unit_waits_for_readiness_and_gives_the_stop_its_time() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keep the case
    unit.read(DEPLOY / "ses-relay.service", encoding="utf-8")

    service = unit["Service"]

    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) > config.Config().grace
    assert service["ExecStart"].split()[1:3] == ["serve", "-c"]
    assert service["ExecReload"] == '/bin/sh -c "kill -HUP $MAINPID && sleep 0.5"'
    assert float(service["WatchdogSec"]) > config.Config().grace


def _unit(name: str = "ses-relay.service") -> dict[str, list[str]]:
    """Each key of the unit with its values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def _settings_for_the_unit() -> str:
    """The settings that docs/one-per-host.md installs for it."""
    page = (ROOT / "docs" / "one-per-host.md").read_text("utf-8")
    (toml,) = re.findall(r"```toml\n([^`]*/var/lib/[^`]*)```", page)
    return str(toml)


def test_the_units_spool_is_in_the_directory_that_it_may_write_to(
    tmp_path: Path,
) -> None:
    """Whoever reads the same settings finds it: `relay queue` has no unit around it."""
    file = tmp_path / "config.toml"
    file.write_text(_settings_for_the_unit(), encoding="utf-8")
    unit = _unit()

    settings = config.load(file, {})

    spool = config.spool_path(settings)
    assert spool.parent == Path("/var/lib") / unit["StateDirectory"][0]
    assert not [one for one in unit["Environment"] if "RELAY_" in one]
    assert str(spool) in (DEPLOY / "ses-relay.service").read_text("utf-8")


def test_the_queue_of_a_unit_is_listed_beside_it_and_after_it(tmp_path: Path) -> None:
    """The unit's own command and environment, but for its places."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "config.toml"
    toml = _settings_for_the_unit().replace("/var/lib/ses-relay", f"{tmp_path}/state")
    file.write_text(f'transport = "capture"\n{toml}', encoding="utf-8")
    unit = _unit()
    words = unit["ExecStart"][0].split()[2:]
    environ = dict(
        pair.split("=", 1) for each in unit["Environment"] for pair in each.split()
    )
    with running_relay(
        *(str(file) if one.endswith("config.toml") else one for one in words),
        settings={"RELAY_QUEUE__ENGINE": None, **environ},
    ):
        beside = relay_command("queue", "list", "-c", str(file), cwd=tmp_path)
    after = relay_command("queue", "list", "-c", str(file), cwd=tmp_path)
    for found in (beside, after):
        assert (found.returncode, found.stderr) == (0, "no mail\n")


def test_the_socket_units_listener_is_the_one_that_the_settings_have() -> None:
    unit = _unit("ses-relay.socket")
    [listener] = config.Config().listeners
    assert unit["FileDescriptorName"] == [listener.name]
    host, port = config.host_and_port(listener.address)
    known = {where[:2] for _, where in sockets.addresses(host, port)}
    assert {config.host_and_port(one) for one in unit["ListenStream"]} <= known


@pytest.mark.parametrize("name", ["ses-relay.service", "ses-relay.socket"])
def test_the_manual_that_a_unit_names_is_there(name: str) -> None:
    [pages] = _unit(name)["Documentation"]
    found = re.findall(r"man:(\S+)\((\d)\)", pages)
    assert len(found) == len(pages.split())
    for page, section in found:
        assert (ROOT / "share" / "man" / f"man{section}" / f"{page}.{section}").exists()


def test_the_unit_starts_again_after_all_but_wrong_settings() -> None:
    unit = _unit()
    assert unit["Restart"] == ["on-failure"]
    assert unit["RestartPreventExitStatus"] == ["2"]
    # Five starts in ten seconds would else be the last.
    assert unit["StartLimitIntervalSec"] == ["0"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A clean environment with the wheel in it, made read-only, as the image's is.

    The dependencies are those of the environment that runs the tests.
    """
    where = tmp_path_factory.mktemp("image") / "relay"
    venv.create(where, with_pip=False)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", str(where / "bin" / "python")),
            *("install", "--quiet", "--no-deps", "--disable-pip-version-check"),
            str(ROOT),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    (site,) = where.glob("lib/python*/site-packages")
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(outer) + "\n", encoding="utf-8")
    for path in (where, *where.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield where
    for path in (where, *where.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


@pytest.mark.parametrize("word", ["--version", "--help", "schema"])
def test_the_installed_relay_runs_without_rights_on_a_read_only_tree(
    installed: Path, word: str
) -> None:
    # A control: the tree is read-only for the process that is tested.
    written = subprocess.run(
        [*without_rights(), "touch", str(installed / "written")],
        capture_output=True,
        check=False,
    )
    assert written.returncode != 0

    done = subprocess.run(
        [*without_rights(), str(installed / "bin" / "relay"), word],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_what_the_image_copies_is_not_ignored_by_the_build() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    given = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {
        source
        for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert "deploy/image" in copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert {source, *map(str, Path(source).parents)} & given, source


def settings_of_the_image() -> config.Config:
    environ = {"RELAY_DEFAULTS": str(ROOT / "deploy" / "image")}
    return config.load(None, {**environ, "RELAY_SES__REGION": "eu-west-1"})


def test_the_image_runs_the_relay_itself_as_a_userwithout_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()

    assert 'ENTRYPOINT ["relay"]' in lines  # a list, so that signals arrive
    # Asked where the image's own settings have it listen, else where the others say.
    [at] = [n for n, line in enumerate(lines) if line.startswith("HEALTHCHECK ")]
    port = settings_of_the_image().health.listen.rpartition(":")[2]
    assert lines[at + 1].strip() == (
        f"CMD relay ready --url http://127.0.0.1:{port}/readyz 2>/dev/null "
        "|| exec relay ready"
    )
    user = next(line for line in lines if line.startswith("USER ")).split()[1]
    assert int(user) > 0
    assert "COPY deploy/image /usr/share/ses-relay" in lines
    environ = dict(re.findall(r"(RELAY_\w+)=(\S+)", "\n".join(lines)))
    assert environ == {"RELAY_DEFAULTS": "/usr/share/ses-relay"}
    settings = settings_of_the_image()
    (volume,) = (line.split()[1] for line in lines if line.startswith("VOLUME "))
    assert str(config.spool_path(settings).parent) == volume
    # A mounted /etc/ses-relay/config.toml is found by its name.
    (directory,) = (line.split()[1] for line in lines if line.startswith("WORKDIR /e"))
    assert directory == "/etc/ses-relay"


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() -> None:
    from relay.observe.settings_read import SettingsRead
    from relay.observe.stats import OUTCOMES, Now, Stats
    from relay.observe.webhook import WebhookFigures
    from relay.web.metrics import Metrics

    stats = Stats(
        usages=(), now=lambda: Now(0, 0, 0.0, 1.0, 1.0, quota=1.0, quota_used=1.0)
    )
    stats.mails[OUTCOMES[0], "", ""] += 1
    stats.told["bounce", "Permanent"] += 1
    stats.webhooks = lambda: [WebhookFigures("app")]
    known = set(
        re.findall(
            r"^(relay_\w+)",
            Metrics(stats, transport="ses", queue="sqlite", read=SettingsRead("1", 0.0))
            .text()
            .decode(),
            re.MULTILINE,
        )
    )
    known |= {"relay_recipients_total", "relay_ses_attempts_total"}
    known |= {"relay_queue_ended_total"}
    rules = _documents("prometheus-alerts.yaml")[0]["groups"][0]["rules"]
    dashboard = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    asked = [rule["expr"] for rule in rules]
    asked += [one["expr"] for panel in dashboard["panels"] for one in panel["targets"]]
    assert len(asked) > 25
    for expression in asked:
        for name in re.findall(r"\brelay_\w+", expression):
            assert name in known, expression
    for rule in rules:
        assert rule["annotations"]["description"], rule["alert"]
