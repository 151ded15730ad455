"""What a rule makes of a mail's usage, locale and variables."""

from __future__ import annotations

from typing import Any

import pytest

from relay.intake.prepare import Preparation
from relay.model.mail import Choice, Mail
from relay.model.reply import Refused
from relay.templates.catalog import Templates
from relay.templates.source import Source
from tests.unit.rules.mails import rules, submission

TEMPLATES = Templates(
    [
        Source("SignIn", "{{code}} {{product}}", "<p>{{code}}</p>"),
        Source("SignIn", "fr {{code}} {{product}}", "<p>{{code}}</p>", locale="fr"),
        Source("Register", "Register {{code}}", "<p>{{code}}</p>"),
        Source("Generic", "Generic", "<p>Hello</p>"),
    ],
    email_address="noreply@acme.example",
    missing="empty",
)
CODE = r"code is (?P<code>\d+)"
MAIL = "From: app@shop.example\r\nSubject: Hi\r\n{}\r\nYour code is 123.\r\n"


def mail(
    *given: dict[str, Any],
    headers: str = "",
    usage: str = "",
    without_usage: str = "pass",
) -> Mail:
    preparation = Preparation(
        templates=TEMPLATES,
        rules=rules(*given) if given else None,
        without_usage=without_usage,
    )
    content = MAIL.format(headers)
    [made] = preparation.prepare(submission(content, usage=usage)).mails
    return made


def subject(*given: dict[str, Any], **how: Any) -> str:  # noqa: ANN401
    lines = mail(*given, **how).content.decode().split("\r\n")
    return next(line[9:] for line in lines if line.startswith("Subject: "))


RULE = {
    "usage": "SignIn",
    "variables": {"product": "Shop"},
    "variables_from": "text",
    "extract": [CODE],
}
NOTHING = {**RULE, "extract": [r"PIN (?P<code>\d+)"], "locale": "fr"}


def test_a_rule_gives_usage_locale_and_variables() -> None:
    assert subject(RULE) == "123 Shop"
    assert subject({**RULE, "locale": "fr"}) == "fr 123 Shop"
    assert mail({**RULE, "name": "shop", "locale": "fr"}).choice == Choice(
        usage="SignIn",
        template="SignIn",
        locale="fr",
        variables=("product", "code"),
        rule="shop",
    )


def test_a_mail_that_fits_no_rule_is_as_before() -> None:
    plain = mail()
    assert mail({**RULE, "subject": "Other*"}) == plain
    assert plain.choice == Choice()


def test_the_rule_of_a_mail_without_a_template_is_told() -> None:
    made = mail({"name": "shop"})
    assert made.content == MAIL.format("").encode()
    assert made.choice == Choice(rule="shop")


def test_the_mails_own_words_count_first_name_by_name() -> None:
    headers = "X-Relay-Usage: Register\r\n"
    assert subject({**RULE, "locale": "fr"}, headers=headers) == "Register 123"
    headers = "X-Relay-Variable-code: 7\r\n"
    assert subject(RULE, headers=headers) == "7 Shop"
    headers = "X-Relay-Locale: en\r\n"
    assert subject({**RULE, "locale": "fr"}, headers=headers) == "123 Shop"
    headers = 'X-Relay-Variables: {"locale": "de", "product": "Mine"}\r\n'
    assert subject({**RULE, "locale": "fr"}, headers=headers) == "123 Mine"


def test_what_was_found_counts_before_what_the_rule_says() -> None:
    assert subject({**RULE, "variables": {"code": "0", "product": "A"}}) == "123 A"
    json = {"variables_from": "json", "usage": "Register", "locale": "de"}
    body = '{"usage": "SignIn", "locale": "fr", "code": 5}'
    preparation = Preparation(templates=TEMPLATES, rules=rules(json))
    [made] = preparation.prepare(submission(f"From: a@b.c\r\n\r\n{body}")).mails
    assert (made.choice.usage, made.choice.locale) == ("SignIn", "fr")
    assert b"Subject: fr 5" in made.content
    group = {**RULE, "extract": [CODE, r"(?P<locale>fr|is)"], "locale": "de"}
    assert mail({**group, "extract": [CODE, "(?P<locale>Y)"]}).choice.locale == ""


def test_a_rules_usage_counts_before_the_users_and_the_listeners() -> None:
    assert subject(RULE, usage="Register") == "123 Shop"
    assert subject({"name": "other"}, usage="Register") == "Register "
    # What it finds counts for a usage that comes from elsewhere.
    found = {"variables_from": "text", "extract": [CODE]}
    assert subject(found, usage="Register") == "Register 123"


def test_without_usage_counts_last() -> None:
    assert subject(RULE, without_usage="reject") == "123 Shop"
    assert subject(RULE, without_usage="Generic") == "123 Shop"
    assert subject({}, without_usage="Generic") == "Generic"
    with pytest.raises(Refused, match="the mail names no usage"):
        mail({}, without_usage="reject")


def test_not_found_pass_is_as_if_the_rule_had_no_usage() -> None:
    assert subject(NOTHING) == "Hi"
    assert mail(NOTHING).choice == Choice(rule="rule 1")
    assert subject(NOTHING, usage="Register") == "Register "
    assert mail(NOTHING, usage="SignIn").choice.locale == ""
    assert subject(NOTHING, without_usage="Generic") == "Generic"


def test_not_found_reject_names_the_rule() -> None:
    with pytest.raises(Refused) as refused:
        mail({**NOTHING, "not_found": "reject", "name": "Les dés"})
    assert str(refused.value.reply) == (
        "550 5.6.0 Rule Les d?s: the mail lacks what it looks for"
    )


def test_not_found_may_be_another_usage() -> None:
    other = {**NOTHING, "not_found": "Register", "extract": [CODE, "(?P<pin>P.N)"]}
    assert subject(other) == "Register 123"


def test_not_found_does_not_count_where_the_mail_names_its_usage() -> None:
    headers = "X-Relay-Usage: SignIn\r\nX-Relay-Variable-code: 9\r\n"
    for what in ("reject", "Register", "pass"):
        rule = {**NOTHING, "not_found": what}
        assert subject(rule, headers=headers) == "fr 9 Shop"


def test_nothing_is_guessed_where_preparing_broke() -> None:
    preparation = Preparation(templates=TEMPLATES, rules=rules(RULE))
    with pytest.raises(Refused, match="cannot make sense"):
        preparation.prepare(submission(MAIL.format("")), plainly=True)


def test_a_rule_switches_tracking_off_with_a_template_or_without() -> None:
    off = {"subject": "Hi", "tracking": False}
    assert mail(off).options.untracked
    assert mail({**off, "usage": "SignIn"}).options.untracked
    assert not mail({"subject": "Hi", "usage": "SignIn"}).options.untracked
    assert not mail({**off, "subject": "other"}).options.untracked
