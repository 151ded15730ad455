"""Odd mails, as the relay reads them and as two other readers do.

`tests/legacy-reading` has the mails, and in `readings.json` what a person is to read:
text, subject (where it is not "x"), names of files, and in which of them another
reader differs, and why. A difference that has no reason there is a fault of somebody's.
"""

from __future__ import annotations

import email
import json
import subprocess
from email.message import EmailMessage
from email.policy import default
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from relay.content import html_to_text
from relay.content.encoded_words import decoded
from relay.content.header import parse
from relay.content.original import Original
from relay.model.submission import Envelope
from tests.server.tools import need_mailparser

MAILS = Path(__file__).parents[2] / "legacy-reading"
READINGS: dict[str, dict[str, Any]] = json.loads(
    (MAILS / "readings.json").read_text("utf-8")
)


class Reading(NamedTuple):
    text: str
    subject: str
    files: list[str]


def reading(text: str, subject: str, files: list[str]) -> Reading:
    lines = text.replace("\r\n", "\n").strip().split("\n")
    return Reading("\n".join(line.rstrip() for line in lines), subject, files)


def right(name: str) -> Reading:
    found = READINGS[name]
    return reading(found["text"], found.get("subject", "x"), found.get("files", []))


def content(name: str) -> bytes:
    return (MAILS / f"{name}.eml").read_bytes()


def by_email(name: str) -> Reading:
    mail = email.message_from_bytes(content(name), policy=default)
    assert isinstance(mail, EmailMessage)
    try:
        part = mail.get_body(("plain", "html"))
        text = str(part.get_content()) if part else ""
        if part and part.get_content_type() == "text/html":
            text = html_to_text.from_html(text)
    except (LookupError, ValueError) as error:
        text = type(error).__name__
    try:
        files = [part.get_filename() or "" for part in mail.iter_attachments()]
    except ValueError as error:
        files = [type(error).__name__]
    return reading(text, str(mail["Subject"]), files)


@cache
def by_mailparser() -> dict[str, Reading]:
    names = list(READINGS)
    made = subprocess.run(
        ["node", MAILS / "read.js", *(MAILS / f"{name}.eml" for name in names)],
        env=need_mailparser(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    lines = made.stdout.decode().splitlines()
    return {
        name: reading(*json.loads(line))
        for name, line in zip(names, lines, strict=True)
    }


def test_each_mail_has_its_reading() -> None:
    assert {path.stem for path in MAILS.glob("*.eml")} == READINGS.keys()
    assert len(READINGS) > 150


@pytest.mark.parametrize("name", READINGS)
def test_an_odd_mail_is_read_as_its_writer_meant_it(name: str) -> None:
    original = Original(parse(content(name)), Envelope("app@example.com", ()))
    found = reading(
        original.text,
        original.header("subject"),
        [
            decoded(
                part.parameter("filename", "content-disposition")
                or part.parameter("name")
            )
            for part in original.attachments
        ],
    )
    assert found == right(name)


def test_python_s_reader_differs_where_we_know_why() -> None:
    differing = {name for name in READINGS if by_email(name) != right(name)}
    explained = {
        name for name, found in READINGS.items() if "email" in found.get("differs", {})
    }
    assert differing <= explained


def test_nodemailer_s_reader_differs_where_we_know_why() -> None:
    found = by_mailparser()
    differing = {name for name in READINGS if found[name] != right(name)}
    explained = {
        name
        for name, known in READINGS.items()
        if "mailparser" in known.get("differs", {})
    }
    assert differing <= explained
