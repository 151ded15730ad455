"""The API behind "Make a rule": a proposal, its trial, and mail that nobody claims."""

from __future__ import annotations

import json
import smtplib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from relay.rules.facts import Facts
from tests.server.test_life import through
from tests.unit.rules.legacy import NAMES, LegacyMail, compiled, legacy_mail
from tests.web.site import (
    Site,
    fake_ses,
    mail,
    running_site,
    sending_site,
    templated,
)

OUR_TEMPLATES = json.dumps(
    [
        {"usageType": "SignIn", "subject": "Code {{code}}", "content": "<p>{{code}}"},
        {
            "usageType": "ForgotPassword",
            "subject": "New password",
            "content": "<p><a href='{{link}}'>Go</a>",
        },
        {"usageType": "Wrap", "subject": "W", "content": "<p>{{{message.html}}}"},
    ]
)
SETTINGS = {
    "RELAY_TEMPLATES": OUR_TEMPLATES,
    "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
    "RELAY_MISSING_VARIABLES": "reject",
}


def send(site: Site, legacy: LegacyMail, listener: str = "local") -> str:
    """Send a legacy mail as its application does: its id."""
    submission = legacy.submission
    with smtplib.SMTP("127.0.0.1", site.relay.port(listener)) as client:
        client.sendmail(
            submission.envelope.sender or "",
            list(submission.envelope.recipients),
            submission.content,
        )
    return str(site.get("/api/v1/mails").json["mails"][0]["id"])


def tried(site: Site, mail_id: str, rule: dict[str, Any]) -> dict[str, Any]:
    answer = site.post(f"/api/v1/mails/{mail_id}/rule", {"rule": rule})
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_rule_that_is_proposed_on_the_page_holds_for_the_mail_as_it_came(
    site: Site, tmp_path: Path, name: str
) -> None:
    legacy = legacy_mail(name)
    mail_id = send(site, legacy)

    made = site.get(f"/api/v1/mails/{mail_id}/rule").json
    found = tried(site, mail_id, made["rule"])

    assert found["holds"]
    assert found["problem"] == ""
    assert found["missing"] == []
    rule = compiled(
        tmp_path, found["toml"].replace("OrganizationInvitation", "Generic")
    )
    facts = Facts.of(legacy.submission)
    [only] = rule.all
    assert rule.rule_for(facts) is only
    assert only.find(facts).variables == found["variables"]


def test_the_usage_that_fits_what_was_found_comes_first() -> None:
    with running_site(settings=SETTINGS) as site:
        for name, usages in (
            ("cdo-code-spanish", ["SignIn", "Wrap", "ForgotPassword"]),
            ("wordpress-reset", ["ForgotPassword", "Wrap", "SignIn"]),
            ("cron-output", ["Wrap", "SignIn", "ForgotPassword"]),
        ):
            mail_id = send(site, legacy_mail(name))
            made = site.get(f"/api/v1/mails/{mail_id}/rule").json
            assert made["usages"] == usages
            assert made["rule"]["usage"] == usages[0]


def test_no_usage_is_proposed_that_would_have_the_mail_refused(site: Site) -> None:
    # None of the samples takes a link alone.
    mail_id = send(site, legacy_mail("wordpress-reset"))
    made = site.get(f"/api/v1/mails/{mail_id}/rule").json
    assert "usage" not in made["rule"]
    assert made["usages"][0] == "OrganizationInvitation"


def test_each_condition_and_each_expression_is_tried_by_itself() -> None:
    with running_site(settings=SETTINGS) as site:
        mail_id = send(site, legacy_mail("cdo-code-spanish"))
        found = tried(
            site,
            mail_id,
            {
                "name": "código",
                "sender": "intranet@*",
                "from": "other@acme.example",
                "client": "127.0.0.0/8",
                "listener": "local",
                "body": "/c(/",
                "header": {"X-Mailer": "Microsoft CDO *", "X-Other": "*"},
                "usage": "SignIn",
                "variablesFrom": "text",
                "extract": [
                    r"es (?P<code>\d{4})",
                    r"PIN (?P<pin>\d+)",
                    "no group",
                    "(",
                ],
            },
        )
        assert {one["name"]: one["holds"] for one in found["conditions"]} == {
            "listener": True,
            "client": True,
            "sender": True,
            "from": False,
            "body": False,
            "header.X-Mailer": True,
            "header.X-Other": False,
        }
        problems = {one["name"]: one["problem"] for one in found["conditions"]}
        assert problems["body"] == (
            "rule: body = '/c(/': is no expression of RE2: missing ): c("
        )
        assert problems["from"] == ""
        assert [one["variables"] for one in found["extract"]] == [
            {"code": "4821"},
            {},
            {},
            {},
        ]
        assert "has no named group" in found["extract"][2]["problem"]
        assert "is no expression of RE2" in found["extract"][3]["problem"]
        assert (found["holds"], found["toml"], found["rendered"]) == (False, "", None)
        assert "is no expression of RE2" in found["problem"]


def test_the_result_is_the_mail_that_the_template_makes() -> None:
    with running_site(settings=SETTINGS) as site:
        mail_id = send(site, legacy_mail("keycloak-code"))
        rule = site.get(f"/api/v1/mails/{mail_id}/rule").json["rule"]

        found = tried(site, mail_id, {**rule, "usage": "SignIn", "locale": "de"})
        assert found["rendered"]["subject"] == "Code 83914027"
        assert found["rendered"]["to"] == "joerg@example.com"
        assert found["rendered"]["from"] == "noreply@acme.example"
        assert site.get(found["rendered"]["view"]).body == b"<p>83914027\n"
        assert tomllib.loads(found["toml"])["rules"][0]["usage"] == "SignIn"

        # A template that wraps it has the mail's own HTML.
        found = tried(site, mail_id, {**rule, "usage": "Wrap"})
        assert "Code eingeben" in found["rendered"]["text"]

        # What the template lacks, and a usage that is not there, are told.
        found = tried(site, mail_id, {**rule, "usage": "ForgotPassword"})
        assert (found["rendered"], found["holds"]) == (None, True)
        assert "link" in found["obstacle"]
        found = tried(site, mail_id, {**rule, "usage": "Nope"})
        assert "No template for usage Nope" in found["obstacle"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"rule": {"subject": 5}}, 200),
        ({"rule": {"no such": "x"}}, 200),
        ({"rule": {"header": "x"}}, 200),
        ({"rule": {"header": {"X": 5, "": ""}}}, 200),
        ({"rule": {"extract": "x", "variablesFrom": "text"}}, 200),
        ({"rule": {"extract": [5], "variablesFrom": "text"}}, 200),
        ({"rule": {"usage": 5}}, 200),
        ({"rule": {"variables": {"a-b": 1}}}, 200),
        ({"rule": {}}, 200),
        ({"rule": {"extract": ["x"] * 51}}, 422),
        ({"rule": []}, 400),
        ({"rule": {"subject": "x" * 1_000_001}}, 413),
    ],
)
def test_a_rule_that_cannot_be_meant_is_named_and_breaks_nothing(
    site: Site, body: object, status: int
) -> None:
    mail_id = send(site, legacy_mail("nagios-service"))
    answer = site.post(f"/api/v1/mails/{mail_id}/rule", body)
    assert answer.status == status
    if status == 200 and body != {"rule": {}}:
        assert answer.json["problem"].startswith("rule: ")
        assert not answer.json["holds"]


@pytest.mark.parametrize(
    "body",
    [
        "\r\n".join(f"https://a.example/{n}/t/{n:x}?k={n}" for n in range(10_000)),
        "\r\n".join(["1" * 900] * 284),  # 256 kB of digits
        "code: 1234\r\n" * 20_000,
        "Host: web01 " * 20_000,
    ],
    ids=["links", "digits", "codes", "lines"],
)
def test_a_hostile_mail_has_a_rule_too(site: Site, body: str) -> None:
    site.submit(mail(subject="x" * 900, text=body))
    mail_id = site.get("/api/v1/mails").json["mails"][0]["id"]
    made = site.get(f"/api/v1/mails/{mail_id}/rule")
    assert made.status == 200
    assert len(made.body) < 20_000
    assert tried(site, mail_id, made.json["rule"])["holds"]


def test_there_is_a_rule_for_captured_mail_alone(site: Site) -> None:
    assert site.get("/api/v1/mails/nosuchmail/rule").status == 404
    assert site.post("/api/v1/mails/nosuchmail/rule", {"rule": {}}).status == 404


def test_mail_that_nobody_claims_is_counted_by_its_subject() -> None:
    rule = [{"sender": "ruled@acme.example"}]
    with running_site(settings={"RELAY_RULES": json.dumps(rule)}) as site:
        for number in (17, 18):
            site.submit(mail(subject=f"Order {number} shipped"))
        site.submit(templated("123456"))
        message = mail(subject="Ruled")
        message.replace_header("From", "ruled@acme.example")
        site.submit(message)
        newest = site.get("/api/v1/mails?q=18").json["mails"][0]["id"]

        assert site.get("/api/v1/unclaimed").json == {
            "by": "subject",
            "mails": 2,
            "kinds": [{"kind": "Order * shipped", "mails": 2, "last": newest}],
        }
        site.ask("DELETE", "/api/v1/mails")
        assert site.get("/api/v1/unclaimed").json["mails"] == 0


def test_mail_that_is_refused_for_its_want_of_a_usage_is_counted_too() -> None:
    with running_site(settings={"RELAY_WITHOUT_USAGE": "reject"}) as site:
        assert site.submit(mail(subject="Hello 1")).startswith("550")
        kinds = site.get("/api/v1/unclaimed").json["kinds"]
        assert [(one["kind"], one["mails"]) for one in kinds] == [("Hello *", 1)]


def test_where_mail_is_sent_it_is_counted_by_its_sender_and_never_by_its_subject() -> (
    None
):
    with fake_ses() as ses, sending_site(through(ses)) as site:
        site.submit(mail(subject="Your code is 123456"))
        found = site.get("/api/v1/unclaimed")
        assert found.json["by"] == "sender"
        assert [one["kind"] for one in found.json["kinds"]] == ["app@acme.example"]
        assert b"123456" not in found.body
        mail_id = found.json["kinds"][0]["last"]
        assert site.get(f"/api/v1/mails/{mail_id}/rule").status == 403
