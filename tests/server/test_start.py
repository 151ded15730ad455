"""What the relay imports before it greets a client, and what only after it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.server.relay_process import running_relay

# Each of them cost the first 220 more than a millisecond, some a quarter of a second.
NOT_BEFORE = {
    *("aiobotocore", "aiohttp", "botocore", "prometheus_client", "urllib3"),
    *("argon2", "cryptography", "email_validator", "pydantic"),
    *("difflib", "importlib.metadata", "importlib.resources", "tempfile"),
    *("encodings.idna", "zipfile", "shutil", "sqlite3", "email.message"),
    *(
        "relay.model.job",
        "relay.content.header",
        "relay.queue",
        "relay.app.templates",
        "relay.templates.template",
    ),
    *(
        "relay.intake.accept",
        "relay.delivery.queued",
        "relay.intake.prepare",
        "relay.app.mail_side",
    ),
    *(
        "relay.templates.samples",
        "relay.smtp.logins",
        "relay.app.web_side",
        "relay.web",
    ),
}
# What is there for a while: the test would tell nothing if it saw none of it.
AFTER = {
    *("aiobotocore", "aiohttp", "botocore"),
    *(
        "relay.intake.accept",
        "relay.app.mail_side",
        "relay.templates.template",
        "relay.app.web_side",
    ),
}


def _package(module: str) -> set[str]:
    """The module and all that it is in."""
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts) + 1)}


def test_what_no_greeting_needs_is_imported_after_the_listeners_are_there(
    tmp_path: Path,
) -> None:
    settings = {
        "PYTHONPROFILEIMPORTTIME": "1",
        "RELAY_SES__REGION": "eu-west-1",
        "RELAY_SES__ACCESS_KEY_ID": "AKIAFAKE",
        "RELAY_SES__ACCESS_KEY_SECRET": "fake-secret",
        "RELAY_PACE__RATE": "10",  # so that nobody is asked for the account's
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": str(tmp_path / "spool.db"),
        "RELAY_WEB__LISTEN": "127.0.0.1:0",
        "RELAY_TEMPLATES": '[{"usageType": "SignIn", "subject": "{{code}}", '
        '"content": "<p>{{code}}</p>"}]',
    }
    with running_relay("-c", os.devnull, settings=settings) as relay:
        said = list(relay.stderr)
    listening = max(n for n, line in enumerate(said) if '"listening"' in line)

    imported = [
        {
            name
            for line in lines
            if line.startswith("import time:")
            for name in _package(line.rpartition("|")[2].strip())
        }
        for lines in (said[:listening], said[listening:])
    ]

    assert imported[0] & NOT_BEFORE == set()
    assert imported[1] >= AFTER
