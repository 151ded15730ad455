"""The settings file that a case needs."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cases import Case
from bench.mails import SUBJECT, USAGE, template

KEY_ID = "AKIAFAKE"
KEY_SECRET = "fake-secret"  # noqa: S105 - what the name says
REGION = "eu-west-1"
SPOOL = "spool.db"  # in the directory of the settings


def rule(number: int) -> dict[str, str]:
    """One of many rules as apps need them; none of them is a bench mail's."""
    match number % 4:
        case 0:
            return {"from": f"*@app{number}.example", "subject": "*password*"}
        case 1:
            return {"from": "app@acme.example", "subject": f"Order {number} *"}
        case 2:
            return {"sender": f"jobs{number}@*", "subject": "* failed"}
    return {"subject": f"[Build {number}]*", "recipient": "*@acme.example"}


def write_settings(case: Case, directory: Path, *, port: int, ses_url: str) -> Path:
    """Write `bench-config.toml` for `case`: all features on, no limit in the way."""
    text = f"""\
[[listeners]]
name = "bench"
address = "127.0.0.1:{port}"

[limits]
connections = 10000

[web]
listen = ""

[ses]
accessKeyId = "{KEY_ID}"
accessKeySecret = "{KEY_SECRET}"
region = "{REGION}"
endpointUrl = "{ses_url}"
emailAddress = "Acme <noreply@acme.example>"
concurrency = 256

[[templates]]
usageType = "{USAGE}"
subject = {json.dumps(SUBJECT)}
content = {json.dumps(template())}
validFor = 600
"""
    for usage in ("Register", "ForgotPassword", "Generic"):
        text += f'\n[[templates]]\nusageType = "{usage}"\nsubject = "-"\n'
        text += 'content = "<p>-</p>"\n'
    for number in range(case.rules):
        text += "\n[[rules]]\n"
        for name, pattern in rule(number).items():
            text += f"{name} = {json.dumps(pattern)}\n"
    text += f'\n[queue]\nengine = "{case.queue}"\n'
    if case.queue != "none":
        # A spool of its own: what an earlier run left would be sent first.
        text += f'path = "{SPOOL}"\n\n[pace]\nrate = 1000000\n'
    file = directory / "bench-config.toml"
    file.write_text(text, "utf-8")
    return file
