"""Coverage-guided fuzzing, for a person to start and to leave running.

    .venv/bin/python -m pip install atheris
    .venv/bin/python -m tests.fuzz.hunt TARGET [libFuzzer options]

TARGET is `session` (a whole conversation), `proxy` (one behind a PROXY header) or
`mail` (the content of a mail, through header parsing, MIME and templates). A finding
is written to tests/fuzz/corpus/TARGET, where the ordinary tests replay it from then
on. Not part of the gate, because it ends only when it is told to (-max_total_time=60).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["relay"]):
    from tests.fuzz.sessions import Sessions
    from tests.fuzz.test_message_fuzz import prepared

CORPUS = Path(__file__).parent / "corpus"


def _conversations(*, proxied: bool) -> Callable[[bytes], None]:
    sessions = Sessions(proxied=proxied)

    def talk(data: bytes) -> None:
        sessions.talk([data[: len(data) // 2], data[len(data) // 2 :]])

    return talk


def _mail(data: bytes) -> None:
    prepared(data)
    prepared(data, usage="Generic")


def main() -> None:
    """Fuzz until stopped."""
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    target: Callable[[bytes], None]
    match name:
        case "session" | "proxy":
            target = _conversations(proxied=name == "proxy")
        case "mail":
            target = _mail
        case _:
            raise SystemExit(__doc__)
    found = CORPUS / name
    found.mkdir(exist_ok=True)
    atheris.Setup([*sys.argv, f"-artifact_prefix={found}/", "-max_len=4096"], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
