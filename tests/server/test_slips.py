"""What a client wrote in vain: its mail goes out, and an operator can see it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from tests.fake_ses import FakeSes
from tests.server.relay_process import RelayProcess
from tests.server.test_traps import submit, with_relay

MAIL = (
    b"From: a@b.example\r\nX-Relay-Usgae: SignIn\r\n"
    b"X-Relay-Variable-code: 482913\r\n\r\nhello\r\n"
)
SLIPS = [
    "X-Relay-Usgae dropped: no header of the relay's; did you mean X-Relay-Usage?",
    "variables without a usage: the mail goes as it is",
]


async def test_log_story_and_metrics_say_it_and_never_a_value() -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> tuple[str, Any]:
            _, reply = submit(relay, MAIL)
            assert reply.startswith("250 2.0.0 Ok ")
            assert relay.event("sent")["warnings"] == SLIPS
            at = f"http://127.0.0.1:{relay.port('web')}"

            def asked(path: str) -> str:
                with urllib.request.urlopen(f"{at}{path}") as answer:
                    return str(answer.read().decode())

            (mail,) = json.loads(asked("/api/v1/mails"))["mails"]
            return asked("/metrics"), json.loads(asked(f"/api/v1/mails/{mail['id']}"))

        metrics, story = await with_relay(ses, use, RELAY_WEB__LISTEN="127.0.0.1:0")
        (request,) = ses.sent
    assert request.mail == b"From: a@b.example\r\n\r\nhello\r\n"
    assert story["warnings"] == SLIPS
    assert 'relay_slips_total{kind="unknown_header"} 1.0' in metrics
    assert 'relay_slips_total{kind="variables_without_usage"} 1.0' in metrics
    assert 'relay_slips_total{kind="usage_misspelt"} 0.0' in metrics
    assert "482913" not in metrics + json.dumps(story)


async def test_a_refused_mail_has_them_too() -> None:
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> None:
            _, reply = submit(relay, MAIL)
            assert reply == "550 5.6.0 X-Relay-Usage: the mail names no usage"
            assert relay.event("refused")["warnings"] == SLIPS[:1]

        await with_relay(ses, use, RELAY_WITHOUT_USAGE="reject")
        assert not ses.sent


async def test_what_is_shown_and_not_in_a_variable_that_is_given_is_said() -> None:
    content = "<p>{{user.name}} {{user.id}} {{user.nick}}</p>"
    asked = '{% if user.a %}-{% endif %}{{ user.b|default("") }}{{ user.c or "-" }}'
    looped = "{% for line in lines %}{{ line.name }} {{ line.gift }}{% endfor %}"
    templates = [
        {"usageType": "SignIn", "subject": "{{user.name}}", "content": content},
        {
            "usageType": "Order",
            "subject": "{{ user.name }}",
            "content": asked + looped,
            "syntax": "jinja",
        },
    ]
    variables = {
        "user": {"id": "s3cret", "nick": None},
        "lines": [{"name": "s3cret"}, {"name": "Cup", "gift": True}],
    }

    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> str:
            for usage in ("SignIn", "Order"):
                _, reply = submit(
                    relay,
                    f"From: a@b.example\r\nX-Relay-Usage: {usage}\r\n"
                    f"X-Relay-Variables: {json.dumps(variables)}\r\n\r\n-\r\n".encode(),
                )
                assert reply.startswith("250 2.0.0 Ok "), reply
            sent = relay.events("sent", 2)
            assert [line.get("warnings") for line in sent] == [
                ["user.name is not given: template SignIn has a gap"],
                [
                    "user.name is not given: template Order has a gap",
                    "line.gift is not given: template Order has a gap",
                ],
            ]
            at = f"http://127.0.0.1:{relay.port('web')}/metrics"
            with urllib.request.urlopen(at) as answer:
                return str(answer.read().decode())

        metrics = await with_relay(
            ses,
            use,
            RELAY_WEB__LISTEN="127.0.0.1:0",
            RELAY_TEMPLATES=json.dumps(templates),
        )
    assert 'relay_slips_total{kind="leaf_missing"} 3.0' in metrics
    assert "s3cret" not in metrics
