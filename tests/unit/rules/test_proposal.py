"""The proposed rule holds for its mail and finds what it says, whatever the mail is."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.rules.facts import Facts
from relay.rules.pattern import address_pattern, pattern
from relay.rules.proposal import Proposal, proposal
from relay.rules.shape import address_shape, as_glob, shape
from relay.rules.text import Text
from relay.rules.written import written
from tests.unit.rules.legacy import NAMES, compiled, legacy_mail
from tests.unit.rules.mails import submission
from tests.worst_input import is_linear, repeated

PIECES = [
    *(
        "Your code is ",
        "123456",
        "1234 5678",
        "PIN: ",
        "password\n",
        "７３０４",
        "AB12CD",
    ),
    *("https://a.example/r/", "?k=", "&x=1", "9f8e7d6c5b4a", "Host: web01\n", "ann"),
    *("/x/", "\\", "'", '"', "*", "?", "(", "[", "{2}", "\n", " ", "\r", "\t", "\x00"),
    *(
        "験証コード：",
        "é",
        "\U0001f600",
        "<",
        ">",
        ".",
        "İ",
        "ß",
        "\u2028",
        "unsubscribe",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=25).map(
    "".join
)
LINE = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), max_size=60
)


def holds_as_proposed(directory: Path, facts: Facts, made: Proposal) -> None:
    """Read back from TOML it is the same rule, holds, and finds what it says."""
    toml = written({**made.rule, "usage": "SignIn"})
    assert tomllib.loads(toml)["rules"] == [{**made.rule, "usage": "SignIn"}]
    rule = compiled(directory, toml).rule_for(facts)
    assert rule is not None, toml
    found = rule.find(facts)
    assert (found.missing, dict(found.variables)) == ((), made.variables)
    # So do those that were not chosen, each alone.
    others: list[dict[str, Any]] = [
        *({name: value} for name, value in made.conditions.items()),
        *({"header": {name: value}} for name, value in made.headers),
    ]
    for one in others:
        assert compiled(directory, written(one)).rule_for(facts) is not None, one
    for expression in made.extract:
        more = {**made.rule, "variablesFrom": "text", "extract": [expression]}
        [rule] = compiled(directory, written(more)).all
        assert rule.find(facts).missing == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_proposal_for_a_legacy_mail_finds_its_code_and_its_link(
    tmp_path: Path, name: str
) -> None:
    mail = legacy_mail(name)
    facts = Facts.of(mail.submission)

    made = proposal(facts)

    holds_as_proposed(tmp_path, facts, made)
    wanted = {mail.variables[one] for one in ("code", "link") if one in mail.variables}
    assert wanted <= set(made.variables.values())


@pytest.mark.parametrize(
    ("name", "conditions"),
    [
        (
            "wordpress-reset",
            {
                "name": "[Acme Blog] Password Reset",
                "sender": "wordpress@blog.acme.example",
                "subject": "[Acme Blog] Password Reset",
                "header": {"X-Mailer": "PHPMailer *"},
            },
        ),
        (
            "jenkins-failed",
            {
                "name": "Build failed in Jenkins: nightly » linux #…",
                "sender": "jenkins@ci.acme.example",
                "subject": "Build failed in Jenkins: nightly » linux #*",
                "header": {"X-Jenkins-Job": "*"},
            },
        ),
        (
            "cron-output",
            {
                "name": "Cron <…> /usr/local/bin/backup.sh --full",
                "sender": "root@web01.acme.example",
                "subject": "Cron <*> /usr/local/bin/backup.sh --full",
                "header": {"X-Cron-Env": "*"},
            },
        ),
        (
            "php-order-german",
            {
                "name": "Ihre Bestellung Nr. … ist unterwegs - Grüße von Acme",
                "sender": "www-data@shop.acme.example",
                "subject": "Ihre Bestellung Nr. * ist unterwegs - Grüße von Acme",
                "header": {"X-PHP-Originating-Script": "*:class.phpmailer.php"},
            },
        ),
    ],
)
def test_what_is_proposed_tells_the_application(
    name: str, conditions: dict[str, object]
) -> None:
    rule = proposal(Facts.of(legacy_mail(name).submission)).rule
    rule = {key: value for key, value in rule.items() if key != "extract"}
    rule.pop("variablesFrom", None)
    assert rule == conditions


def test_the_same_kind_of_mail_for_somebody_else_has_the_proposed_rule(
    tmp_path: Path,
) -> None:
    mail = (
        "To: {name} <{name}@example.com>\r\nSubject: {name}, your code {code}\r\n\r\n"
        "Hello {name},\r\nyour code is {code}.\r\n"
        "Or open https://acme.example/{name}/confirm/{token}?lang=en&id={code}.\r\n"
        "To leave: https://acme.example/unsubscribe/{token}\r\n"
    )
    ann = {"name": "Ann", "code": "123456", "token": "9f8e7d6c5b4a3928"}
    bea = {"name": "Bea", "code": "654321", "token": "00aa11bb22cc33dd"}
    facts = Facts.of(submission(mail.format(**ann), recipients=("Ann@example.com",)))
    made = proposal(facts)

    rules = compiled(tmp_path, written(made.rule))

    assert made.rule["subject"] == "*, your code *"
    other = Facts.of(submission(mail.format(**bea), recipients=("Bea@example.com",)))
    rule = rules.rule_for(other)
    assert rule is not None
    assert rule.find(other).variables == {
        "code": "654321",
        "link": "https://acme.example/Bea/confirm/00aa11bb22cc33dd?lang=en&id=654321",
        "unsubscribe": "https://acme.example/unsubscribe/00aa11bb22cc33dd",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    subject=LINE,
    body=TEXTS,
    value=LINE,
    sender=st.sampled_from(
        [
            None,
            "root",
            "bounce+12=34@a.example",
            "/x/",
            "a*b?c@b.example",
            "İ@a.example",
        ]
    ),
    html=st.booleans(),
)
def test_any_mail_gets_a_rule_that_holds_for_it(
    tmp_path: Path, subject: str, body: str, value: str, sender: str | None, html: bool
) -> None:
    kind = "html" if html else "plain"
    content = (
        f"Subject: {subject}\r\nX-Job: {value}\r\nX-Mailer: {value}\r\n"
        f"To: Ann <ann@example.net>\r\nContent-Type: text/{kind}; charset=utf-8\r\n\r\n"
        f"{body}"
    ).encode("utf-8", "replace")
    facts = Facts.of(submission(content, sender=sender))
    holds_as_proposed(tmp_path, facts, proposal(facts))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(header=st.binary(max_size=200), body=st.binary(max_size=200))
def test_any_bytes_get_a_rule_that_holds_for_them(
    tmp_path: Path, header: bytes, body: bytes
) -> None:
    content = b"Subject: " + header + b"\r\nX-Job: " + header + b"\r\n\r\n" + body
    facts = Facts.of(submission(content))
    holds_as_proposed(tmp_path, facts, proposal(facts))


@given(TEXTS | st.text(max_size=300))
def test_a_text_fits_its_shape(text: str) -> None:
    assert pattern(shape(text, {"ann"})).test(Text(text))
    assert pattern(as_glob(text)).test(Text(text))
    if text:
        assert address_pattern(address_shape(text)).test(Text(text))


@pytest.mark.parametrize(
    ("text", "glob"),
    [
        ("Order #1234 shipped", "Order #* shipped"),
        ("[host01] Backup 2026-11-29 03:12:01 done", "[host*] Backup * done"),
        ("Report of Sun, 29 Nov 2026 for Acme", "Report of Sun, * for Acme"),
        ("Bericht vom 29. November 2026", "Bericht vom *"),
        ("Build 6f0c1d2e9b7 of main", "Build * of main"),
        ("Login from 203.0.113.7", "Login from *"),
        ('Ticket "My printer burns" closed', 'Ticket "*" closed'),
        ("Neue Nachricht von „Ann“", "Neue Nachricht von „*“"),
        ("ann@example.com wrote", "* wrote"),
        ("注文123番の確認", "注文*番の確認"),
        ("Code AB12CD", "Code *"),
        ("/usr/bin/", "?usr/bin/"),
        ("Ann, reset your password", "*, reset your password"),
        ("Annual report", "Annual report"),
        ("word " * 60, "word " * 39 + "word*"),
    ],
)
def test_changing_parts_of_a_subject_are_stars(text: str, glob: str) -> None:
    assert shape(text, {"ann"}) == glob


@pytest.mark.parametrize(
    ("address", "glob"),
    [
        ("www-data@web01.example", "www-data@web01.example"),
        ("bounce+ann=example.com@a.example", "bounce*@a.example"),
        ("bounce-20261129@a.example", "bounce-*@a.example"),
        ("<>", "<>"),
        ("root", "root"),
    ],
)
def test_changing_parts_of_a_sender_are_stars(address: str, glob: str) -> None:
    assert address_shape(address) == glob


@pytest.mark.parametrize(
    "piece",
    [
        *("https://a.example/r/1?k=2 ", "code 1234\n", "1234 ", "Host: web\n", "9"),
        *("unsubscribe https://a.example/x\n", "code is code is ", "a: ", "(", "\n"),
    ],
)
def test_a_hostile_text_takes_linear_time(piece: str) -> None:
    def work(text: str) -> object:
        return proposal(Facts.of(submission(f"Subject: {text[:500]}\r\n\r\n{text}")))

    assert is_linear(work, repeated(piece))


def test_ten_thousand_links_and_256_kb_of_digits_are_looked_at_in_time(
    tmp_path: Path,
) -> None:
    links = "\r\n".join(f"https://a.example/{n}/t/{n:x}?k={n}" for n in range(10_000))
    for body in (
        links,
        "1" * 256_000,
        "code " * 50_000,
        f"Your code is 12345\n{links}",
    ):
        facts = Facts.of(submission(f"Subject: x\r\n\r\n{body}"))
        holds_as_proposed(tmp_path, facts, proposal(facts))
