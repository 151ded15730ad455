"""Start a relay that captures, send it one mail per usage, show each as people read it.

Nothing leaves the machine. On a terminal the relay then runs on, for its page.
Exits 0 when every mail was captured.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import urllib.request
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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
            [sys.executable, "-m", "relay", "serve", "--capture"],
            cwd=directory,
            env=_environment(
                RELAY_LISTENERS='[{"name": "demo", "address": "localhost:0"}]',
                RELAY_LOG__FORMAT="json",
                RELAY_WEB__LISTEN="127.0.0.1:0",
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
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
    addresses = _listening(relay.stderr or [])
    if addresses is None:
        print(f"The relay did not start (exit code {relay.wait()}).", file=sys.stderr)
        return 1
    # What the relay still says on stderr would fill the pipe and stop it.
    threading.Thread(target=_discard, args=(relay.stderr,), daemon=True).start()
    server, page = addresses["demo"], f"http://{addresses['web']}"
    print(f"A relay that captures listens on {server}.", flush=True)
    failed = [
        usage
        for usage, variables in MAILS.items()
        if not _shown(server, page, usage, variables, directory)
    ]
    print("=" * 72)
    if not failed and sys.stdout.isatty() and sys.stdin.isatty():
        print(f"All {len(MAILS)} mails were captured. See them at {page}")
        print("Ctrl-C ends the relay.")
        with suppress(KeyboardInterrupt):
            relay.wait()
    relay.send_signal(signal.SIGTERM)
    code = relay.wait()
    if failed or code:
        print(
            f"Not captured: {', '.join(failed) or '-'}; the relay's exit code: {code}"
        )
        return 1
    print(f"All {len(MAILS)} mails were captured, and the relay has stopped.")
    print("To keep one running: .venv/bin/relay serve --capture")
    print("Its page shows the mails: http://127.0.0.1:8025")
    return 0


def _listening(stderr: Iterable[str]) -> dict[str, str] | None:
    """Read the log until the relay is ready: its addresses by their listeners."""
    addresses: dict[str, str] = {}
    for line in stderr:
        if not line.startswith("{"):
            print(line, end="", file=sys.stderr, flush=True)
            continue
        entry = json.loads(line)
        if entry["event"] == "listening":
            addresses[entry["listener"]] = entry["address"]
        elif entry["event"] == "ready":
            return addresses
    return None


def _discard(stream: IO[str]) -> None:
    for _ in stream:
        pass


def _shown(
    server: str, page: str, usage: str, variables: dict[str, str], directory: str
) -> bool:
    """Send one mail by `relay send`, and print it as a person would read it."""
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
    reply = sent.stdout.strip()
    print("reply:", reply, flush=True)
    if sent.returncode or "captured as" not in reply:
        return False
    mail_id = reply.rpartition(" ")[2]
    mail = _asked(f"{page}/api/v1/mails/{mail_id}/content")
    story = _asked(f"{page}/api/v1/mails/{mail_id}")
    headers = dict(reversed(mail["headers"]))
    print()
    for name in ("From", "To", "Subject"):
        print(f"  {name + ':':9}{headers.get(name, '')}")
    print()
    print(textwrap.indent(mail["text"].strip(), "  | ", lambda _: True))
    print()
    print("what SES would get, beside the mail:", json.dumps(story["parameters"]))
    return True


def _asked(address: str) -> Any:  # noqa: ANN401 - JSON
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - ours
        return json.load(answer)


def _environment(**settings: str) -> dict[str, str]:
    """This environment without settings of another relay."""
    kept = {key: value for key, value in os.environ.items() if key[:6] != "RELAY_"}
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


if __name__ == "__main__":
    sys.exit(main())
