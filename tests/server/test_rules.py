"""Rules end to end: a legacy app's mail in, what SES gets out, and who is told."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_life import relay_command
from tests.server.test_queue_command import at
from tests.server.test_queue_replies import queued_as, spooling, states
from tests.server.test_traps import submit, with_relay

CODE = "845 712"
MAIL = (
    b"Received: from cron\r\nDKIM-Signature: v=1; d=box.local\r\n"
    b"From: Shop <shop@box.local>\r\nSender: root@box.local\r\n"
    b"To: ann@example.net\r\nSubject: =?utf-8?b?R2Vow6RoZQ==?=\r\n"
    b"X-Mailer: PHP/8\r\nX-MC-MergeVars: {}\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"<p>Your code is=20<b>845&nbsp;712</b></p>\r\n"
)
RULE = {
    "name": "shop: codes",
    "from": "*@box.local",
    "header": {"X-Mailer": "php/*"},
    "body": "*your code*",
    "usage": "SignIn",
    "locale": "fr",
    "variables": {"product": "Shop"},
    "variablesFrom": "text",
    "extract": [r"code is (?P<code>[\d ]+\d)"],
    "notFound": "reject",
    "configurationSetName": "codes",
    "tags": {"app": "shop"},
    "headers": {"Feedback-ID": "reset:shop", "X-Mailer": "no"},
    "priority": "low",
    "setFrom": "Acme <noreply@acme.example>",
}
TEMPLATE = {
    "usageType": "SignIn",
    "locale": "fr",
    "subject": "{{product}}",
    "content": "<p>{{code}}</p>",
    "sendFrom": "Other <other@acme.example>",
}


def settings(*rules: object) -> dict[str, str]:
    return {
        "RELAY_RULES": json.dumps(rules),
        "RELAY_TEMPLATES": json.dumps([TEMPLATE]),
        "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
    }


def metrics(relay: RelayProcess) -> str:
    url = f"http://127.0.0.1:{relay.port('health')}/metrics"
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
    return text


def lines(content: bytes) -> list[str]:
    header = content.decode().partition("\r\n\r\n")[0]
    return header.split("\r\n")


async def test_a_mail_gets_its_template_from_by_its_rule() -> None:
    def use(relay: RelayProcess) -> tuple[str, str, list[str]]:
        reply = submit(relay, MAIL)[1]
        relay.event("sent", lambda line: line["rule"] == "shop: codes")
        refused = submit(relay, MAIL.replace(b"845&nbsp;712", b"to follow"))[1]
        relay.event("refused", lambda line: line["rule"] == "shop: codes")
        submit(relay, MAIL.replace(b"@box.local", b"@other.local"))
        return reply, refused + metrics(relay), relay.stderr

    async with FakeSes() as ses:
        reply, told, log = await with_relay(ses, use, **settings(RULE))
        templated, plain = ses.sent
    assert reply.startswith("250 2.0.0 Ok ")
    assert told.startswith("550 5.6.0 Rule shop: codes: the mail lacks what it")
    assert templated.json["ConfigurationSetName"] == "codes"
    assert templated.json["EmailTags"] == [
        {"Name": "app", "Value": "shop"},
        {"Name": "usage", "Value": "SignIn"},
    ]
    assert CODE.encode() in templated.mail
    header = lines(templated.mail)
    assert [line for line in header if not line.startswith((" ", "Content-"))] == [
        "From: Acme <noreply@acme.example>",
        "To: ann@example.net",
        "Subject: Shop",
        "X-Mailer: PHP/8",
        "MIME-Version: 1.0",
        "Feedback-ID: reset:shop",
        "Reply-To: Shop <shop@box.local>",
    ]
    # Mail that fits no rule is as it was, but for what codes may stand in.
    whole = MAIL.replace(b"@box.local", b"@other.local")
    assert plain.mail == whole.replace(b"X-MC-MergeVars: {}\r\n", b"")
    assert set(plain.json) == {"Content", "Destination"}
    labels = 'locale="fr",outcome="accepted",rule="shop: codes",usage="SignIn"'
    assert f"relay_mails_total{{{labels}}} 1.0" in told
    refused = 'locale="",outcome="refused",rule="shop: codes",usage=""'
    assert f"relay_mails_total{{{refused}}} 1.0" in told
    for text in (told, *log):
        assert not any(code in text for code in (CODE, "845712", "845&nbsp;712"))


async def test_what_its_rule_says_waits_with_the_mail(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> dict[str, object]:
        mail_id, _ = queued_as(submit(relay, MAIL)[1])
        shown = relay_command("queue", "show", mail_id, "--json", settings=at(tmp_path))
        until(lambda: states(tmp_path) == ["sent"])
        found: dict[str, object] = json.loads(shown.stdout)
        return found

    throttled = error("SendingPausedException", 400, "codes is paused")
    async with FakeSes(throttled) as ses:
        shown = await with_relay(ses, use, **settings(RULE), **spooling(tmp_path))
        *_, sent = ses.sent
    assert (shown["rule"], shown["priority"]) == ("shop: codes", "low")
    assert sent.json["ConfigurationSetName"] == "codes"


async def test_a_paused_set_of_a_rule_holds_up_no_other_mail(tmp_path: Path) -> None:
    def use(relay: RelayProcess) -> str:
        queued_as(submit(relay, MAIL)[1])
        return submit(relay, b"From: a@b.example\r\n\r\nother\r\n")[1]

    async with FakeSes(error("SendingPausedException", 400, "codes is paused")) as ses:
        more = spooling(tmp_path, RELAY_QUEUE__SLOW_DELAYS="[60]")
        reply = await with_relay(ses, use, **settings(RULE), **more)
    assert reply.startswith("250 2.0.0 Ok ")


def test_rules_that_cannot_be_used_stop_the_start() -> None:
    broken = {"name": "odd", "subject": "/(/", "usage": "Nothing", "notFound": "rjct"}
    done = relay_command("serve", settings=settings({}, broken), cwd=Path("/"))
    assert done.returncode == 2
    [said] = [
        line for line in done.stderr.splitlines() if "rules[1] (odd): sub" in line
    ]
    assert "is no expression of RE2: missing ): (" in said
    assert "rules[1] (odd): usage = 'Nothing': has no template" in done.stderr
    assert "rules[1] (odd): notFound = 'rjct': must be pass, reject" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_rule_that_hides_others_is_a_warning() -> None:
    rules = settings({"name": "all"}, {"name": "never", "subject": "a"})
    with running_relay(settings=rules) as relay:
        found = relay.event("settings", lambda line: "rules[0]" in line["warning"])
    assert found["warning"] == (
        'rules[0] "all": has no condition, so no rule below it ever holds'
    )
