"""What all tests share: in CI a skipped test is a failed one.

The end of a run tells when the machine stood still.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

from tests.standstill import Standstills

if TYPE_CHECKING:  # few tests need it
    from tests.fleet.emulators import Emulator

pytest_plugins = ["relay.pytest_plugin"]

# A shared machine may stall for any time; what takes long is no failure.
settings.register_profile("relay", deadline=None)
settings.load_profile("relay")

standstills = Standstills()


def pytest_sessionstart() -> None:
    standstills.start()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if standstills.seen:
        terminalreporter.write_line(f"the machine stood still: {standstills}")


R = TypeVar("R", pytest.TestReport, pytest.CollectReport)


def _strict(report: R) -> R:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else where
        report.longrepr = f"in CI nothing may be skipped: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    return _strict((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[
    None, pytest.CollectReport, pytest.CollectReport
]:
    return _strict((yield))


@pytest.fixture(scope="session")
def emulator() -> Generator[Emulator, None, None]:
    """An emulator of SQS and S3 for all tests of this process."""
    from tests.fleet.emulators import ministack

    with ministack() as running:
        yield running


@pytest.fixture
def no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the person who runs the tests; `tmp_path` may have others."""
    for name in list(os.environ):
        upper = name.upper()
        if upper.startswith(("AWS_", "REQUESTS_")) or upper.endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
