"""A mail that a guard keeps goes to somebody else, through the relay and its limits."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from relay.password import hashed
from tests.fake_ses import FakeSes
from tests.server.test_life import through
from tests.web.site import Site, fake_ses, mail, sending_site, templated

PASSWORD = "hunter2-hunter2"
BASIC = {"Authorization": f"Basic {b64encode(f'ann:{PASSWORD}'.encode()).decode()}"}
TEMPLATES = json.dumps(
    [
        {
            "usageType": "SignIn",
            "subject": "Your code is {{code}}",
            "content": "<p>Your code is <b>{{code}}</b>.</p>",
            "sendFrom": "Acme <noreply@acme.example>",
            "perRecipient": "2/h",
        },
        {"usageType": "Generic", "subject": "Generic", "content": "<p>Wrapped</p>"},
    ]
)


@contextmanager
def guarded(**more: str) -> Iterator[tuple[Site, FakeSes]]:
    """A relay that sends to acme.example, and keeps all other mail."""
    settings = {
        "RELAY_TEMPLATES": TEMPLATES,
        "RELAY_WITHOUT_USAGE": "Generic",
        "RELAY_GUARD__RECIPIENTS": '["*@acme.example"]',
        "RELAY_GUARD__OTHERS": "capture",
        "RELAY_WEB__USER": "ann",
        "RELAY_WEB__PASSWORD_HASH": hashed(PASSWORD),
        "RELAY_SES__TAGS": '{"app": "shop"}',
        **more,
    }
    with fake_ses() as ses, sending_site(through(ses, **settings)) as site:
        yield site, ses


def kept(site: Site, headers: dict[str, str] = BASIC) -> dict[str, Any]:
    """The newest mail that the guard keeps."""
    found = site.get("/api/v1/mails?state=captured", headers).json["mails"]
    return dict(found[0])


def forward(site: Site, mail_id: str, to: str, **headers: str) -> Any:  # noqa: ANN401
    path = f"/api/v1/mails/{mail_id}/forward"
    return site.post(path, {"to": to}, {**BASIC, **headers})


def story(site: Site, mail_id: str) -> dict[str, Any]:
    return dict(site.get(f"/api/v1/mails/{mail_id}", BASIC).json)


def test_a_kept_mail_goes_as_it_is_and_both_stories_say_so() -> None:
    with guarded() as (site, ses):
        assert site.submit(templated("314159")).startswith("250 2.0.0 captured")
        one = kept(site)
        raw = site.get(f"/api/v1/mails/{one['id']}/raw", BASIC).body
        answer = forward(site, one["id"], " dev@acme.example ")
        assert answer.status == 200
        sent = answer.json
        assert sent["reply"].startswith("250 2.0.0 Ok ")
        [call] = ses.sent
        assert call.mail == raw
        to = call.parameters["Destination"]
        assert to == {"ToAddresses": ["dev@acme.example"]}
        tags = {tag["Name"]: tag["Value"] for tag in call.parameters["EmailTags"]}
        assert tags == {"app": "shop", "usage": "SignIn"}
        assert story(site, one["id"])["forwards"] == [sent["id"]]
        again = story(site, sent["id"])
        assert again["forwardOf"] == one["id"]
        assert (again["state"], again["listener"]) == ("sent", "page")
        assert (again["usage"], again["sender"]) == ("SignIn", None)


def test_it_counts_into_its_templates_limit() -> None:
    with guarded() as (site, ses):
        site.submit(templated("314159"))
        one = kept(site)
        replies = [
            forward(site, one["id"], "dev@acme.example").json["reply"][:9]
            for _ in range(3)
        ]
        assert replies == ["250 2.0.0", "250 2.0.0", "450 4.7.1"]
        assert len(ses.sent) == 2
        assert len(story(site, one["id"])["forwards"]) == 3


def test_the_guard_lets_no_forwarded_mail_by() -> None:
    with guarded() as (site, ses):
        site.submit(mail())
        one = kept(site)
        answer = forward(site, one["id"], "stranger@elsewhere.example").json
        assert answer["reply"].startswith("550 5.7.1 The guard")
        refused = story(site, answer["id"])
        assert refused["state"] == "refused"
        assert refused["why"]["place"] == "recipient"
        assert ses.sent == []


@pytest.mark.parametrize(
    ("to", "status"), [("", 400), ("no address", 422), ("a@acme.example\r\nX: y", 422)]
)
def test_it_takes_one_address_alone(to: str, status: int) -> None:
    with guarded() as (site, ses):
        site.submit(mail())
        assert forward(site, kept(site)["id"], to).status == status
        assert forward(site, "nosuchmail", "dev@acme.example").status == 404
        assert ses.sent == []


def test_nobody_forwards_without_the_right_to_or_from_elsewhere() -> None:
    with guarded(RELAY_WEB__USER="", RELAY_WEB__PASSWORD_HASH="") as (site, ses):
        site.submit(mail())
        one = kept(site, {})
        path = f"/api/v1/mails/{one['id']}/forward"
        answer = site.post(path, {"to": "a@acme.example"})
        assert answer.status == 403
        assert answer.json["error"].startswith("Read-only")
        assert ses.sent == []
    with guarded() as (site, ses):
        site.submit(mail())
        one = kept(site)
        found = forward(site, one["id"], "a@acme.example", Origin="http://evil.example")
        assert found.status == 403
        assert ses.sent == []


def test_capture_mode_has_no_way_out(site: Site) -> None:
    site.submit(mail())
    [one] = site.get("/api/v1/mails").json["mails"]
    answer = site.post(f"/api/v1/mails/{one['id']}/forward", {"to": "a@acme.example"})
    assert answer.status == 409
    assert answer.json["error"] == "Nothing leaves this relay: it captures all mail"
