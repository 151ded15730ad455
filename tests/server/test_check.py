"""`relay check`, as an operator runs it."""

from __future__ import annotations

from pathlib import Path

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


def test_settings_that_cannot_be_used_are_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[ses]\nregoin = "eu-west-1"\n')
    found = relay_command("check", cwd=tmp_path)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "config.toml: ses.regoin: unknown setting; did you mean ses.region?\n"
    )
