"""Start a relay that captures, send it one mail per usage, show what SES would get.

Nothing leaves the machine. Exits 0 when every mail was captured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
CODE = {"code": "123456"}
# Logto's nine usages, with the variables that Logto gives.
MAILS = {
    "SignIn": CODE,
    "Register": CODE,
    "ForgotPassword": CODE,
    "OrganizationInvitation": {
        "organization.name": "Acme",
        "link": "https://acme.example/join",
    },
    "Generic": CODE,
    "UserPermissionValidation": CODE,
    "BindNewIdentifier": CODE,
    "MfaVerification": CODE,
    "BindMfa": CODE,
}


def main() -> int:
    """Run the demo."""
    with tempfile.TemporaryDirectory() as directory:  # no config.toml is in there
        relay = subprocess.Popen(
            [sys.executable, "-m", "relay", "serve", "--capture", "--show"],
            cwd=directory,
            env=_environment(
                RELAY_LISTENERS='[{"name": "demo", "address": "localhost:0"}]',
                RELAY_LOG__FORMAT="json",
                RELAY_WEB__LISTEN="",
            ),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            return _demonstrate(relay, directory)
        finally:
            relay.terminate()
            relay.wait()


def _demonstrate(relay: subprocess.Popen[str], directory: str) -> int:
    server = _listening(relay.stderr or [])
    if server is None:
        print(f"The relay did not start (exit code {relay.wait()}).", file=sys.stderr)
        return 1
    # What the relay still says on stderr would fill the pipe and stop it.
    threading.Thread(target=_discard, args=(relay.stderr,), daemon=True).start()
    print(f"A relay that captures listens on {server}.", flush=True)
    failed = [
        usage
        for usage, variables in MAILS.items()
        if not _send(server, usage, variables, directory)
    ]
    relay.terminate()
    code = relay.wait()
    print("=" * 72)
    if failed or code:
        print(
            f"Not captured: {', '.join(failed) or '-'}; the relay's exit code: {code}"
        )
        return 1
    print(f"All {len(MAILS)} mails were captured, and the relay has stopped.")
    print("To keep one running: .venv/bin/relay serve --capture --show")
    return 0


def _listening(stderr: Iterable[str]) -> str | None:
    """Read the log until the relay names its address."""
    for line in stderr:
        if not line.startswith("{"):
            print(line, end="", file=sys.stderr, flush=True)
        elif (entry := json.loads(line))["event"] == "listening":
            return str(entry["address"])
    return None


def _discard(stream: IO[str]) -> None:
    for _ in stream:
        pass


def _send(server: str, usage: str, variables: dict[str, str], directory: str) -> bool:
    """Send one mail by `relay send`; the relay itself shows what it captured."""
    words = ["send", "--server", server, "--to", "ann@example.com", "--usage", usage]
    for name, value in variables.items():
        words += ["--var", f"{name}={value}"]
    print("=" * 72)
    print("$ relay", *words, flush=True)
    sent = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "relay", *words],
        cwd=directory,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    print("reply:", sent.stdout.strip(), flush=True)
    return sent.returncode == 0 and "captured as" in sent.stdout


def _environment(**settings: str) -> dict[str, str]:
    """This environment without settings of another relay."""
    kept = {key: value for key, value in os.environ.items() if key[:6] != "RELAY_"}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


if __name__ == "__main__":
    sys.exit(main())
