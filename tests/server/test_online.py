"""`relay check --online` asks a real HTTP server."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from relay.cli.check_aws import checks
from relay.cli.finding import Finding
from relay.ses.client_settings import ClientSettings
from tests.fake_ses import Answer, FakeSes, error

ACCOUNT = {
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 12},
}
KNOWN = [
    Finding("ok", "region: eu-west-1"),
    Finding("ok", "credentials: from settings"),
]
MAY_SEND = Finding("ok", "account: may send")
QUOTA = Finding("ok", "quota: 12 of 50000 recipients used in 24 hours, 14/s")


def says(answer: dict[str, Any]) -> Answer:
    return Answer(body=json.dumps(answer).encode())


pytestmark = pytest.mark.usefixtures("no_aws_settings")


async def found(resources: dict[str, Answer], **other: object) -> list[Finding]:
    async with FakeSes() as fake:
        fake.resources = {"/v2/email/account": says(ACCOUNT)} | resources
        keywords: dict[str, Any] = {
            "access_key_id": "AKIAFAKE",
            "access_key_secret": "fake-secret",
            "region": "eu-west-1",
            "endpoint_url": fake.url,
            "connect_timeout": 10,
            "attempt_timeout": 20,
        }
        of_access = {field.name for field in fields(ClientSettings)}
        keywords.update({k: v for k, v in other.items() if k in of_access})
        asked: dict[str, Any] = {k: v for k, v in other.items() if k not in of_access}
        findings = await checks(ClientSettings(**keywords), **asked)
        assert fake.sent == []
        assert [one.wrong for one in fake.requests if one.wrong] in (
            [],
            ["UnrecognizedClientException: unknown key"],
        )
        return findings


async def test_an_account_that_may_send_is_ok() -> None:
    assert await found({}) == [*KNOWN, MAY_SEND, QUOTA]


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({"ProductionAccessEnabled": False}, "warning", "sandbox"),
        ({"SendingEnabled": False}, "problem", "paused"),
        ({"EnforcementStatus": "SHUTDOWN"}, "problem", "suspended"),
        ({"EnforcementStatus": "PROBATION"}, "warning", "review"),
    ],
)
async def test_an_account_that_may_not_send_says_why(
    change: dict[str, Any], level: str, word: str
) -> None:
    findings = await found({"/v2/email/account": says(ACCOUNT | change)})
    assert [finding.level for finding in findings] == ["ok", "ok", level, "ok"]
    assert word in findings[2].text


@pytest.mark.parametrize(
    ("used", "most", "level"),
    [(50, 200, "ok"), (170, 200, "warning"), (200, 200, "problem"), (9, -1, "ok")],
)
async def test_a_quota_that_is_nearly_used_up_is_told(
    used: int, most: int, level: str
) -> None:
    quota = {"Max24HourSend": most, "MaxSendRate": 1, "SentLast24Hours": used}
    findings = await found({"/v2/email/account": says(ACCOUNT | {"SendQuota": quota})})
    assert findings[-1].level == level
    assert str(used) in findings[-1].text


async def test_get_account_denied_is_a_warning_that_names_the_permission() -> None:
    findings = await found({"/v2/email/account": error("AccessDeniedException", 403)})
    assert [finding.level for finding in findings] == ["ok", "ok", "warning"]
    assert "ses:GetAccount" in findings[-1].text


@pytest.mark.parametrize(
    ("resource", "level"),
    [
        ("a@news.acme.example", "ok"),
        ("news.acme.example", "ok"),
        ("acme.example", "ok"),
        ("other.example", "problem"),
    ],
)
async def test_an_address_is_verified_by_itself_its_domain_or_one_above(
    resource: str, level: str
) -> None:
    findings = await found(
        {f"/v2/email/identities/{resource}": says({"VerifiedForSendingStatus": True})},
        identities=[("ses.emailAddress", "a@news.acme.example")],
    )
    assert findings[:-1] == [*KNOWN, MAY_SEND, QUOTA]
    assert findings[-1].level == level
    assert findings[-1].text.startswith("ses.emailAddress: ")


async def test_an_identity_that_waits_for_verification_is_a_problem() -> None:
    findings = await found(
        {
            "/v2/email/identities/acme.example": says(
                {"VerifiedForSendingStatus": False}
            )
        },
        identities=[("ses.emailAddress", "a@acme.example")],
    )
    assert findings[-1].level == "problem"


async def test_an_identity_of_another_account_is_not_asked_about() -> None:
    findings = await found(
        {}, identities=[("ses.emailAddress", "a@acme.example")], identity_arn="arn:x"
    )
    assert findings[-1].level == "ok"


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (says({"ConfigurationSetName": "news"}), "ok"),
        (says({"SendingOptions": {"SendingEnabled": False}}), "problem"),
        (error("NotFoundException", 404), "problem"),
        (error("AccessDeniedException", 403), "warning"),
        (error("BadRequestException", 400, "odd"), "problem"),
    ],
)
async def test_the_configuration_set_is_asked_about(answer: Answer, level: str) -> None:
    findings = await found(
        {"/v2/email/configuration-sets/news": answer}, configuration_set="news"
    )
    assert findings[-1].level == level
    assert "ses.configurationSetName" in findings[-1].text


async def test_the_rules_configuration_sets_are_asked_about() -> None:
    sets = [
        ("rules[0].configurationSetName", "a"),
        ("rules[2].configurationSetName", "b"),
    ]
    findings = await found(
        {
            "/v2/email/configuration-sets/a": says({"ConfigurationSetName": "a"}),
            "/v2/email/configuration-sets/b": error("NotFoundException", 404),
        },
        rules_sets=sets,
    )
    assert findings[-2:] == [
        Finding("ok", "rules[0].configurationSetName: a"),
        Finding(
            "problem",
            "rules[2].configurationSetName = b: not in this region; create it, or "
            "remove it",
        ),
    ]


async def test_wrong_keys_are_one_problem() -> None:
    findings = await found({}, access_key_id="AKIAOTHER", configuration_set="news")
    assert [finding.level for finding in findings] == ["ok", "ok", "problem"]
    assert "UnrecognizedClientException" in findings[-1].text


async def test_no_credentials_are_one_problem_with_a_cure() -> None:
    findings = await found({}, access_key_id="", access_key_secret="")
    assert [finding.level for finding in findings] == ["ok", "problem"]
    assert "ses.accessKeyId" in findings[-1].text


async def test_an_ses_that_cannot_be_reached_is_one_problem() -> None:
    findings = await found({}, endpoint_url="http://127.0.0.1:1")
    assert [finding.level for finding in findings] == ["ok", "ok", "problem"]
    assert "endpointUrl" in findings[-1].text


async def test_no_region_is_one_problem() -> None:
    (finding,) = await found({}, region="")
    assert finding.level == "problem"
    assert "AWS_REGION" in finding.text


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"[" * 100_000, 200, "cannot be asked"),
        (b"[]", 200, "cannot be asked"),
        (b" " * 3_000_000, 200, "cannot be asked"),
        (b"", 307, "SES answered 307"),
    ],
    ids=["deep", "a list", "large", "a redirect"],
)
async def test_what_is_no_answer_is_a_problem_and_no_more(
    body: bytes, status: int, word: str
) -> None:
    answer = Answer(status=status, body=body)
    findings = await found({"/v2/email/account": answer})
    assert findings[:2] == KNOWN
    assert findings[2].level == "problem"
    assert word in findings[2].text
    assert len(findings[2].text) < 3_000


@pytest.mark.parametrize(
    "url", ["http://u:pa55w0rd@127.0.0.1:1", "http://u:pa55w0rd@127.0.0.1:port"]
)
async def test_a_password_in_the_endpoint_stands_in_no_finding(url: str) -> None:
    findings = await found({}, endpoint_url=url)
    assert findings[-1].level == "problem"
    assert [one.text for one in findings if "pa55w0rd" in one.text] == []
