"""Log lines: JSON and text, masked addresses, and no text of an exception."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from relay import log
from tests.unit.ses.linear import assert_linear


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
    assert_linear(lambda size: piece * (size // len(piece)), log.without_logins)
