"""Log lines: JSON and text, masked addresses, and no text of an exception."""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay import log
from tests.worst_input import is_linear, repeated


@pytest.fixture(autouse=True)
def _root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    both = (root, log.logger)
    before = [(one.handlers, one.level, one.propagate) for one in both]
    yield
    for one, (handlers, level, propagate) in zip(both, before, strict=True):
        one.handlers, one.level, one.propagate = handlers, level, propagate


def test_a_json_line_holds_the_event_and_its_fields() -> None:
    out = io.StringIO()
    log.setup(format="json", level="info", stream=out)
    log.line(logging.INFO, "sent", id="k3", to=["ä@b"], usage="", size=0)
    entry = json.loads(out.getvalue())
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "info",
        "event": "sent",
        "id": "k3",
        "to": ["ä@b"],
        "size": 0,
    }


def test_a_text_line_quotes_what_has_spaces() -> None:
    out = io.StringIO()
    log.setup(format="text", level="info", stream=out)
    log.line(logging.INFO, "sent", id="k3", reply='250 2.0.0 "Ok"\n')
    assert out.getvalue().endswith('info sent id=k3 reply="250 2.0.0 \\"Ok\\"\\n"\n')


@pytest.mark.parametrize("written", ["json", "text"])
def test_the_journal_is_told_how_bad_a_line_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    with (tmp_path / "journal").open("w") as journal:
        file = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{file.st_dev}:{file.st_ino}")
        log.setup(format=written, level="info", stream=journal)
        log.line(logging.INFO, "sent")
        log.line(logging.WARNING, "refused")
        log.line(logging.ERROR, "broken")
        monkeypatch.setenv("JOURNAL_STREAM", f"{file.st_dev}:{file.st_ino + 1}")
        log.setup(format=written, level="info", stream=journal)
        log.line(logging.ERROR, "elsewhere")
    lines = (tmp_path / "journal").read_text().splitlines()
    assert [line[:3] for line in lines[:3]] == ["<6>", "<4>", "<3>"]
    assert not lines[3].startswith("<")


def test_the_level_holds_back_what_is_below() -> None:
    out = io.StringIO()
    log.setup(format="json", level="error", stream=out)
    log.line(logging.WARNING, "refused")
    logging.getLogger("mail.log").warning("a command")
    assert out.getvalue() == ""


def test_a_bug_is_logged_without_the_text_of_its_exception() -> None:
    out = io.StringIO()
    log.setup(format="json", level="info", stream=out)
    try:
        raise ValueError("code 123456")
    except ValueError as error:
        log.broken("attempt broken", error, id="k3")
    assert "123456" not in out.getvalue()
    entry = json.loads(out.getvalue())
    assert (entry["error"], entry["id"]) == ("ValueError", "k3")
    assert "test_log.py" in entry["where"]


def test_masking_keeps_the_first_character_and_the_domain() -> None:
    assert (
        log.masked("to ann@example.com, <b@c.de>") == "to a***@example.com, <b***@c.de>"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no URL, a@b", "no URL, a@b"),
        ('"http://u:p@h/x", a@b', '"http://***@h/x", a@b'),
        ("http://h/x https://u:p@q@h", "http://h/x https://***@h"),
        ("http://u:1/p@h:2", "http://***@h:2"),
    ],
)
def test_the_login_in_a_url_is_hidden(text: str, expected: str) -> None:
    assert log.without_logins(text) == expected


@pytest.mark.parametrize("piece", ["://", "@", "://@", "a", "http://a "])
def test_hiding_logins_takes_time_in_proportion(piece: str) -> None:
    assert is_linear(log.without_logins, lambda size: piece * (size // len(piece)))


def test_no_text_line_steers_the_terminal() -> None:
    out = io.StringIO()
    log.setup(format="text", level="info", stream=out)
    hostile = "a\x1b[31m\x9b2J\u202eb\u2066\u2028\x7f\ud800"
    log.line(logging.INFO, "sent", usage=hostile, to=[hostile, "é"], host="é\x85")
    logging.getLogger("library").warning("odd \x1b]0;x\x07 \u202e\nevent")
    text = out.getvalue()
    assert text.count("\n") == 2
    assert all(c.isprintable() for c in text if c != "\n")
    escaped = r"a\u001b[31m\u009b2J\u202eb\u2066\u2028\u007f\ud800"
    assert f'usage="{escaped}" to="{escaped},é" host="é\\u0085"' in text
    assert r"odd \u001b]0;x\u0007 \u202e\nevent" in text


def test_a_json_line_keeps_what_it_says_and_steers_no_terminal() -> None:
    out = io.StringIO()
    log.setup(format="json", level="info", stream=out)
    hostile = "é\x1b\x9b\u202e\u2028\ud800"
    log.line(logging.INFO, "sent", usage=hostile)
    assert json.loads(out.getvalue())["usage"] == hostile
    assert all(c.isprintable() for c in out.getvalue() if c != "\n")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('"john doe"@x.example', '"j***"@x.example'),
        ("(ann@x.example)", "(a***@x.example)"),
        ("<é@x.example> é@y", "<é***@x.example> é***@y"),
        ("no address", "no address"),
        ("a@ @b @", "a***@ @b @"),
    ],
)
def test_every_local_part_is_masked(text: str, shown: str) -> None:
    assert log.masked(text) == shown


@pytest.mark.parametrize("piece", ["a", '"a', '"', '\\"', "@", "a@", "(", '"a"@', "é"])
def test_twice_the_text_takes_twice_the_time(piece: str) -> None:
    assert is_linear(log.masked, repeated(piece, "", " @"))
    assert is_linear(log.escaped, repeated(piece, "", "\x1b"))
