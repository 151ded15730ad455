"""The dialogs of `tests/dialogs`, each one a corner of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.server import dialog
from tests.server.relay_process import RelayProcess, running_relay

FILES = sorted(Path(__file__).parents[1].glob("dialogs/*.smtp"))

Settings = tuple[tuple[str, str], ...]


@pytest.fixture(scope="module")
def relay_with() -> Iterator[Callable[[Settings], RelayProcess]]:
    """Relays by their settings: dialogs that want the same ones share a relay."""
    running: dict[Settings, RelayProcess] = {}
    with ExitStack() as stack:

        def get(settings: Settings) -> RelayProcess:
            if settings not in running:
                running[settings] = stack.enter_context(
                    running_relay(settings=dict(settings))
                )
            return running[settings]

        yield get


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_relay_holds_the_dialog(
    path: Path, relay_with: Callable[[Settings], RelayProcess]
) -> None:
    script = dialog.read(path)
    dialog.replay(script, relay_with(script.settings))
