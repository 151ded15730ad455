"""POST /api/v1/send as Logto's HTTP e-mail connector speaks to it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fake_ses import Answer as SesAnswer
from tests.fake_ses import error
from tests.server.test_life import through
from tests.web.site import (
    Answer,
    Site,
    fake_ses,
    refused_start,
    running_site,
    sending_site,
)

TOKEN = "s3cret-token-0123"
TEMPLATES = json.dumps(
    [
        {
            "usageType": "SignIn",
            "subject": "Code {{code}} for {{application.name}}",
            "content": "<p>{{code}} {{user.name}} {{message.to}}{{message.text}}</p>",
        },
        {
            "usageType": "SignIn",
            "locale": "fr",
            "subject": "Votre code {{code}}",
            "content": "<p>{{code}} ({{locale}})</p>",
        },
        {
            "usageType": "Generic",
            "subject": "Code {{code}}",
            "content": "<p>{{code}}</p>",
        },
    ]
)
REST = {
    "RELAY_TEMPLATES": TEMPLATES,
    "RELAY_SES__EMAIL_ADDRESS": "Acme <noreply@acme.example>",
}
SETTINGS = {"RELAY_INTAKE__TOKEN": TOKEN, **REST}
BODY: dict[str, Any] = {
    "to": "ann@example.com",
    "type": "SignIn",
    "payload": {"code": "135790"},
    "ip": "192.0.2.1",
}


def send(site: Site, body: object = BODY, authorization: str = TOKEN) -> Answer:
    # Logto reaches the relay by whatever name its container has.
    headers = {"Authorization": authorization, "Host": "relay:8025"}
    return site.post("/api/v1/send", body, headers)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site(settings=SETTINGS) as site:
        yield site


def captured(site: Site, mail_id: str) -> Any:  # noqa: ANN401 - JSON
    return site.get(f"/api/v1/mails/{mail_id}/content").json


def test_a_mail_is_made_of_the_template_alone(site: Site) -> None:
    answer = send(site)
    assert answer.status == 200
    assert answer.json == {"id": answer.json["id"], "messageId": answer.json["id"]}
    mail = captured(site, answer.json["id"])
    assert mail["to"] == ["ann@example.com"]
    # Logto leaves out what it does not know: here it is empty, not missing.
    assert mail["subject"] == "Code 135790 for"
    assert mail["text"].strip() == "135790  ann@example.com"
    assert ["From", "Acme <noreply@acme.example>"] in mail["headers"]
    story = site.get(f"/api/v1/mails/{answer.json['id']}").json
    assert story["listener"] == "http"
    assert story["variables"] == ["code"]
    assert story["parameters"][0]["EmailTags"] == [{"Name": "usage", "Value": "SignIn"}]


def test_the_variable_locale_chooses_the_template(site: Site) -> None:
    body = {**BODY, "payload": {"code": "1", "locale": "fr-CA", "uiLocales": "fr en"}}
    mail = captured(site, send(site, body).json["id"])
    assert mail["subject"] == "Votre code 1"
    assert "1 (fr-CA)" in mail["text"]


@pytest.mark.parametrize("given", [TOKEN, f"Bearer {TOKEN}", f"bearer {TOKEN}"])
def test_the_token_comes_with_or_without_its_scheme(site: Site, given: str) -> None:
    assert send(site, authorization=given).status == 200


@pytest.mark.parametrize("given", ["", "Bearer", TOKEN[:-1], f"Basic {TOKEN}", "é"])
def test_another_token_is_refused_before_anything_is_read(
    site: Site, given: str
) -> None:
    authorization = given.encode().decode("latin-1")
    answer = send(site, b"{", authorization)
    assert answer.status == 401
    assert answer.json.keys() == {"error"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff{}", "application/json", 400),
        (b'{"to": "a@b.example"}', "application/json", 400),
        (b'{"to": 1, "type": "SignIn"}', "application/json", 400),
        (b'{"to": "a@b.example", "type": "A", "payload": []}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'"' + b"x" * 1_000_000, "application/json", 413),
    ],
)
def test_a_body_that_is_none_says_so(
    site: Site, body: bytes, kind: str, status: int
) -> None:
    headers = {"Authorization": TOKEN, "Content-Type": kind}
    assert site.post("/api/v1/send", body, headers).status == status


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"to": "ann"}, 422),
        ({"to": "änn@example.com"}, 422),
        ({"to": "ann@bücher.example"}, 200),
        ({"payload": {}}, 422),
        ({"payload": {"code": {"a": 1}}}, 422),
        ({"payload": {"code": None}}, 200),
        ({"type": "Unknown"}, 200),  # Generic takes it
        ({"to": "reject@relay.test"}, 422),
        ({"to": "unverified@relay.test"}, 422),
        ({"to": "throttle@relay.test"}, 429),
        ({"to": "quota@relay.test"}, 429),
        ({"to": "paused@relay.test"}, 503),
        ({"to": "suspended@relay.test"}, 503),
        ({"to": "denied@relay.test"}, 503),
        ({"to": "timeout@relay.test"}, 503),
    ],
)
def test_what_became_of_it_is_in_the_status_alone(
    site: Site, change: dict[str, Any], status: int
) -> None:
    answer = send(site, {**BODY, **change})
    assert answer.status == status
    if status != 200:
        assert answer.json.keys() == {"error", "id"}
        shown = answer.body.decode()
        for word in ("135790", "relay.test", "SES", "arn:", "ses:", "\\n"):
            assert word not in shown


def test_a_slash_at_the_end_of_the_path_says_the_cure(site: Site) -> None:
    headers = {"Authorization": TOKEN, "Host": "relay:8025"}
    answer = site.post("/api/v1/send/", BODY, headers)
    assert answer.status == 404
    assert answer.json == {
        "error": "The path is /api/v1/send, without a slash at its end"
    }


@pytest.mark.parametrize("content", [" ", "x", "fifteen-letters\n"])
def test_a_token_that_anybody_guesses_stops_the_start(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    said = refused_start({**REST, "RELAY_INTAKE__TOKEN_FILE": str(file)})
    assert "RELAY_INTAKE__TOKEN_FILE" in said
    assert str(file) in said
    assert "fewer than 16 characters" in said
    assert "openssl rand -hex 32" in said


def test_without_a_token_there_is_no_such_thing() -> None:
    with running_site() as site:
        assert send(site).status == 404


def test_with_a_queue_what_waits_is_202() -> None:
    with fake_ses(error("AccessDeniedException", 403)) as ses:
        settings = through(ses, RELAY_QUEUE__ENGINE="sqlite", **SETTINGS)
        with sending_site(settings) as site:
            answer = send(site)
            assert answer.status == 202
            assert answer.json.keys() == {"id"}
            [waits] = site.get("/api/v1/queue").json["mails"]
            assert waits["id"] == answer.json["id"]


def test_with_a_queue_a_mail_can_be_sent_later() -> None:
    at = int(time.time()) + 3600
    iso = datetime.fromtimestamp(at, UTC).isoformat()
    with fake_ses() as ses:
        settings = through(ses, RELAY_QUEUE__ENGINE="sqlite", **SETTINGS)
        with sending_site(settings) as site:
            for written in (at, float(at), str(at), iso):
                answer = send(site, {**BODY, "sendAt": written})
                assert answer.status == 202
                story = site.get(f"/api/v1/mails/{answer.json['id']}").json
                assert story["reply"].partition("; ")[2] == (
                    f"due {iso.replace('+00:00', 'Z')}"
                )
                (waiting,) = [
                    one
                    for one in site.get("/api/v1/queue").json["mails"]
                    if one["id"] == answer.json["id"]
                ]
                assert datetime.fromisoformat(
                    waiting["due"]
                ).timestamp() == pytest.approx(at, abs=2)
            assert send(site, {**BODY, "sendAt": at - 7200}).status == 200
            assert send(site, {**BODY, "sendAt": None}).status == 200
            wrong: list[object] = ["tomorrow", True, [], 1e300, ""]
            for one in wrong:
                assert send(site, {**BODY, "sendAt": one}).status == 400
            assert send(site, {**BODY, "sendAt": at + 31 * 86_400}).status == 422
        assert len(ses.sent) == 2


def test_a_key_gives_the_first_answer_again() -> None:
    def post(site: Site, key: str, body: dict[str, Any] = BODY) -> tuple[int, Any]:
        headers = {"Authorization": TOKEN, "Host": "relay:8025", "Idempotency-Key": key}
        answer = site.post("/api/v1/send", body, headers)
        return answer.status, answer.json

    other = {**BODY, "payload": {"code": "other"}}
    with fake_ses(error("MessageRejected")) as ses:
        settings = through(ses, RELAY_QUEUE__ENGINE="sqlite", **SETTINGS)
        with sending_site(settings) as site:
            refused, _ = post(site, "k1")
            first = post(site, "k1")
            assert (refused, first[0]) == (422, 200)
            assert [post(site, '"k1"'), post(site, " k1 ")] == [first] * 2
            assert post(site, "k1", other)[0] == 422
            ses.answers.append(error("AccessDeniedException", 403))
            waits = post(site, "k2", other)
            assert (waits[0], list(waits[1])) == (202, ["id"])
            assert post(site, "k2", other) == waits
            assert post(site, "k" * 257)[0] == 400
            stories = site.get("/api/v1/mails?state=repeated").json["mails"]
            assert len(stories) == 3
        assert len(ses.sent) == 3


def test_a_limit_is_429_and_what_is_dropped_is_202() -> None:
    for over, expected in (("reject", 429), ("drop", 202)):
        template = {
            "usageType": "SignIn",
            "subject": "s",
            "content": "c",
            "perRecipient": "1/d",
            "overLimit": over,
        }
        settings = {**SETTINGS, "RELAY_TEMPLATES": json.dumps([template])}
        with running_site(settings=settings) as site:
            assert [send(site).status for _ in range(2)] == [200, expected]


def test_without_a_queue_no_mail_can_be_sent_later(site: Site) -> None:
    answer = send(site, {**BODY, "sendAt": time.time() + 60})
    assert answer.status == 422
    assert answer.json["error"] == "The mail could not be sent"


def test_the_answer_does_not_wait_for_a_silent_ses() -> None:
    with fake_ses(SesAnswer(then="hang")) as ses:
        settings = through(
            ses,
            **SETTINGS,
            RELAY_QUEUE__ANSWER_WITHIN="0.2",
            RELAY_SES__ATTEMPT_TIMEOUT="12",
            RELAY_SES__CONNECT_TIMEOUT="1",
        )
        with sending_site(settings) as site:
            answer = send(site)
            assert answer.status == 503
            assert [one for one in site.relay.log if one["event"] == "not sent"] == []
            # It goes on all the same, and its end is seen.
            attempts = site.relay.event(
                "not sent", lambda entry: entry["id"] == answer.json["id"]
            )
            assert attempts["reply"].startswith("451 4.4.2")


def test_a_template_with_nobody_to_send_as_stops_the_start() -> None:
    said = refused_start({"RELAY_INTAKE__TOKEN": TOKEN, "RELAY_TEMPLATES": TEMPLATES})
    assert "templates[0] (SignIn): sendFrom: has no address" in said
    assert TOKEN not in said


def test_neither_token_nor_code_is_logged(site: Site) -> None:
    send(site)
    send(site, authorization="wrong-token-1")
    log = "".join(site.relay.stderr)
    for word in (TOKEN, "135790", "wrong-token-1"):
        assert word not in log
