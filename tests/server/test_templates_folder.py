"""A folder of templates in four languages, by a real relay."""

from __future__ import annotations

import email
import json
import smtplib
import socket
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.fake_ses import FakeSes
from tests.server.relay_process import RelayProcess
from tests.server.test_long_work import begun
from tests.server.test_traps import submit, with_relay

LAYOUT = """<!doctype html><html lang="{{ locale|default('en') }}"><body>
{%- from '_parts.html' import button %}
<h1>{% block title %}{% endblock %}</h1>
{% block body %}{% endblock %}
{{ button(link, go) }}
<p>{{ ordered|date('long') }}</p>
</body></html>
"""
PARTS = """{% macro button(link, text) -%}
<a href="{{ link }}">{{ text }}</a>
{%- endmacro %}
"""
WORDS = {
    "": ("Your order", "You have bought", "thing", "things", "See it"),
    ".de": ("Ihre Bestellung", "Sie haben gekauft:", "Ding", "Dinge", "Ansehen"),
    ".fr": ("Votre commande", "Vous avez acheté", "objet", "objets", "Voir"),
    ".ja": ("ご注文", "ご購入", "点", "点", "見る"),
}
ORDER = """+++
subject = "{title} {{{{ number }}}}: {{{{ total|currency('EUR') }}}}"
+++
{{% extends '_layout.html' %}}
{{% set go = '{go}' %}}
{{% block title %}}{title}{{% endblock %}}
{{% block body %}}<p>{bought} {{{{ lines|length }}}}
{{{{ '{one}' if lines|length == 1 else '{many}' }}}}</p>
<ul>{{% for line in lines %}}<li>{{{{ line.name }}}}:
{{{{- ' ' ~ line.price|currency('EUR') }}}}
{{%- if line.gift %}} *{{% endif %}}</li>{{% endfor %}}</ul>{{% endblock %}}
"""
TEXT = """{{ lines|length }}
{% for line in lines %}{{ line.name }}
{% endfor %}"""
VALUES: dict[str, Any] = {
    "number": 7,
    "total": "1234.5",
    "ordered": "2026-11-29T23:30:00Z",
    "link": "https://shop.example/o/7?a=1&b=2",
    "lines": [
        {"name": "Tea <green>", "price": 1200},
        {"name": "Cup", "price": "34.5", "gift": True},
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "mails"
    files.mkdir()
    (files / "_layout.html").write_text(LAYOUT, "utf-8")
    (files / "_parts.html").write_text(PARTS, "utf-8")
    for locale, (title, bought, one, many, go) in WORDS.items():
        content = ORDER.format(title=title, bought=bought, one=one, many=many, go=go)
        (files / f"Order{locale}.html").write_text(content, "utf-8")
    (files / "Order.ja.txt").write_text(TEXT, "utf-8")
    (files / "Away.html").write_text(
        '+++\nsubject = "x"\n+++\n{% for i in range(90000) %}{{ (s * 900)|upper }}'
        "{% endfor %}",
        "utf-8",
    )
    (files / "Broken.html").write_text(
        '+++\nsubject = "x"\n+++\n\n{{ 1 // lines }}\n', "utf-8"
    )
    return files


def settings(folder: Path) -> dict[str, str]:
    return {
        "RELAY_TEMPLATES_DIR": str(folder),
        "RELAY_SYNTAX": "jinja",
        "RELAY_TIMEZONE": "Asia/Tokyo",
    }


def order(values: dict[str, Any], locale: str = "", usage: str = "Order") -> bytes:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = "shop@shop.example"
    mail["X-Relay-Usage"] = usage
    mail["X-Relay-Variables"] = json.dumps(values)
    if locale:
        mail["X-Relay-Locale"] = locale
    mail.set_content("old\n")
    return mail.as_bytes()


async def test_layouts_lists_and_conditions_in_four_languages(folder: Path) -> None:
    locales = ("", "de-AT", "fr", "ja")

    def use(relay: RelayProcess) -> None:
        for locale in locales:
            _, reply = submit(relay, order(VALUES, locale))
            assert reply.startswith("250 2.0.0 Ok "), reply
        _, reply = submit(relay, order({**VALUES, "lines": VALUES["lines"][:1]}))
        assert reply.startswith("250 2.0.0 Ok "), reply

    async with FakeSes() as ses:
        await with_relay(ses, use, **settings(folder))
        mails = [
            email.message_from_bytes(request.mail, policy=default)
            for request in ses.sent
        ]
    assert [mail["Subject"] for mail in mails] == [
        "Your order 7: €1,234.50",
        "Ihre Bestellung 7: € 1.234,50".replace("€ ", "€\xa0"),
        "Votre commande 7: 1\u202f234,50\xa0€",
        "ご注文 7: €1,234.50",
        "Your order 7: €1,234.50",
    ]
    english, german, french, japanese, one = (
        (_part(mail, "html"), _part(mail, "plain")) for mail in mails
    )
    assert "<li>Tea &lt;green&gt;: €1,200.00</li><li>Cup: €34.50 *</li>" in english[0]
    assert "You have bought 2\nthings" in english[0]
    assert "You have bought 1\nthing<" in one[0]
    assert '<a href="https://shop.example/o/7?a=1&amp;b=2">See it</a>' in english[0]
    assert "<p>November 30, 2026</p>" in english[0]
    assert "See it <https://shop.example/o/7?a=1&b=2>" in english[1]
    assert "- Tea <green>: €1,200.00\n- Cup: €34.50 *" in english[1]
    assert '<html lang="de-AT">' in german[0]
    assert "<p>30. November 2026</p>" in german[0]
    assert "Vous avez acheté 2\nobjets" in french[0]
    assert "2026年11月30日" in japanese[0]
    assert japanese[1] == "2\nTea <green>\nCup\n\n"


def _part(mail: Any, kind: str) -> str:  # noqa: ANN401 - typeshed: any Message
    return str(mail.get_body((kind,)).get_content()).replace("\r\n", "\n")


async def test_what_lacks_and_what_leads_astray_is_refused(folder: Path) -> None:
    def use(relay: RelayProcess) -> list[str]:
        without = {key: VALUES[key] for key in ("number", "total", "link")}
        return [
            submit(relay, order(values))[1]
            for values in (
                without,
                {**VALUES, "link": "javascript:alert(1)"},
                {**VALUES, "ordered": "soon"},
                {**VALUES, "number": {}},
            )
        ]

    async with FakeSes() as ses:
        replies = await with_relay(ses, use, **settings(folder))
        assert ses.sent == []
    assert replies == [
        "550 5.6.0 Variables not given: lines, ordered",
        "550 5.6.0 Variable link leads to something other than http:, https:, mailto:",
        "550 5.6.0 Variable ordered cannot be read by the filter date",
        "550 5.6.0 Variable number is an object, not a text",
    ]


async def test_a_failure_is_a_line_in_the_log_with_its_place(folder: Path) -> None:
    def use(relay: RelayProcess) -> tuple[str, list[dict[str, Any]]]:
        _, reply = submit(relay, order({"lines": 0, "code": "hush"}, usage="Broken"))
        relay.event("template failed")
        return reply, [dict(line) for line in relay.log]

    async with FakeSes() as ses:
        reply, log = await with_relay(ses, use, **settings(folder))
    assert reply == "451 4.3.0 The mail's template failed; the log says where"
    [line] = [line for line in log if line["event"] == "template failed"]
    assert line["level"] == "error"
    assert line["place"] == f"{folder}/Broken.html:5"
    assert line["error"] == "ZeroDivisionError"
    assert "hush" not in json.dumps(log)


async def test_a_template_that_runs_away_holds_nobody_up(folder: Path) -> None:
    def use(relay: RelayProcess) -> str:
        away = order({"s": "x" * 900}, usage="Away").replace(b"\r\n.", b"\r\n..")
        slow = begun(relay.port(), away)
        with slow:
            for _ in range(2):
                with smtplib.SMTP("127.0.0.1", relay.port(), timeout=60) as other:
                    assert other.noop()[0] == 250
            _, reply = submit(relay, order(VALUES))
            assert reply.startswith("250 2.0.0 Ok "), reply
            slow.settimeout(60)
            return _reply(slow)

    async with FakeSes() as ses:
        reply = await with_relay(ses, use, **settings(folder))
    assert reply == "451 4.3.0 The mail's template failed; the log says where"


def _reply(client: socket.socket) -> str:
    with client.makefile("rb") as replies:
        return replies.readline().decode().strip()
