"""What the story gives to copy, the relay takes."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.web.site import Site, mail, running_site

TEMPLATES = json.dumps(
    [
        {
            "usageType": "SignIn",
            "subject": "Your code is {{code}}",
            "content": "<p>{{code}} for {{user.name}}</p>",
        },
        {"usageType": "Bill", "subject": "x", "content": "<p>x</p>", "locale": "fr"},
    ]
)


@pytest.fixture(scope="module")
def strict() -> Iterator[Site]:
    settings = {"RELAY_TEMPLATES": TEMPLATES, "RELAY_WITHOUT_USAGE": "reject"}
    with running_site(settings=settings) as site:
        yield site


@pytest.mark.parametrize(
    ("headers", "reply"),
    [
        ({}, "X-Relay-Usage: the mail names no usage"),
        ({"X-Relay-Usage": "Signin"}, "No template for usage Signin"),
        ({"X-Relay-Usage": "Bill", "X-Relay-Locale": "de"}, "No template for usage"),
        ({"X-Relay-Usage": "SignIn"}, "Variables not given: code, user"),
        (
            {"X-Relay-Usage": "SignIn", "X-Relay-Variables": '{"user": {"name": "A"}}'},
            "Variables not given: code",
        ),
        (
            {"X-Relay-Usage": "Bill", "X-Relay-Locale": "fr", "X-Relay-Variables": "{"},
            "X-Relay-Variables: not valid JSON",
        ),
        (
            {"X-Relay-Usage": "SignIn", "X-Relay-Variables": '{"code": [], "user": 1}'},
            "Variable code is a list",
        ),
        (
            {"X-Relay-Usage": "Bill", "X-Relay-Locale": "fr"}
            | {"X-SES-MESSAGE-TAGS": "a b"},
            "X-SES-MESSAGE-TAGS: tags are",
        ),
        (
            {"X-Relay-Usage": "Bill", "X-Relay-Locale": "fr"}
            | {"X-SES-LIST-MANAGEMENT-OPTIONS": ";"},
            "X-SES-LIST-MANAGEMENT-OPTIONS: use list",
        ),
        (
            {"X-Relay-Usage": "Bill", "X-Relay-Locale": "fr"}
            | {"X-Relay-Idempotency-Key": "x" * 300},
            "X-Relay-Idempotency-Key: a key has",
        ),
    ],
)
def test_the_header_that_is_given_to_copy_mends_the_mail(
    strict: Site, headers: dict[str, str], reply: str
) -> None:
    heard = sent(strict, headers)
    assert reply in heard
    # With its usage, a mail that named none is asked for its variables next.
    for _ in range(2):
        if heard.startswith("550"):
            name, value = fix(strict)
            headers = {**headers, name: value}
            heard = sent(strict, headers)
    assert heard.startswith("250 2.0.0 captured")


def test_a_time_that_is_mended_lacks_a_queue_next(strict: Site) -> None:
    asked = {"X-Relay-Usage": "Bill", "X-Relay-Locale": "fr"}
    assert "no time such as" in sent(strict, {**asked, "X-Relay-Send-At": "?"})
    name, value = fix(strict)
    heard = sent(strict, {**asked, name: value})
    assert heard == "550 5.7.0 X-Relay-Send-At: this relay has no queue to keep it in"


def sent(site: Site, headers: dict[str, str]) -> str:
    """What the client of a mail with these headers hears."""
    message = mail()
    for name, value in headers.items():
        message[name] = value
    return site.submit(message)


def fix(site: Site) -> tuple[str, str]:
    """The header that the newest refused mail is to have instead."""
    [one, *_] = site.get("/api/v1/mails?state=refused").json["mails"]
    story = site.get(f"/api/v1/mails/{one['id']}").json
    name, _, value = story["why"]["fixes"][0]["text"].partition(": ")
    wrong = [story["headers"][place][0] for place in story["why"]["wrong"]]
    assert name in (*wrong, story["why"]["lacks"])
    return name, value
