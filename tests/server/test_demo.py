"""`make demo` without make: the demo's program as a process."""

from __future__ import annotations

import subprocess
import sys

from tests.server.relay_process import ROOT, environment


def test_the_demo_shows_one_mail_per_usage_and_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "demo.py")],
        # A setting of another relay on this machine must not matter.
        env=environment({"RELAY_LISTENERS": "broken"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for usage in (
        "SignIn",
        "Register",
        "ForgotPassword",
        "OrganizationInvitation",
        "Generic",
        "UserPermissionValidation",
        "BindNewIdentifier",
        "MfaVerification",
        "BindMfa",
    ):
        assert f"--to ann@example.com --usage {usage} " in done.stdout
        assert f'"Value": "{usage}"' in done.stdout
    assert done.stdout.count("reply: 250 2.0.0 captured as ") == 9
    assert done.stdout.count('"ToAddresses": ["ann@example.com"]') == 9
    # As people read it: header and text, no MIME.
    assert done.stdout.count("\n  To:      ann@example.com\n") == 9
    assert "\n  | 123456\n" in done.stdout
    assert "Content-Type" not in done.stdout
    assert done.stdout.rstrip().endswith("http://127.0.0.1:8025")
