"""The samples: nine usages in four languages, which say the same and load nothing."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default

import pytest

from relay.content.codes import codes_in
from relay.content.header import parse
from relay.content.html_tags import Tag, attributes, tokens
from relay.model.submission import Envelope
from relay.templates.catalog import Templates
from relay.templates.lint import problems
from relay.templates.lint_set import lint
from relay.templates.samples import LANGUAGES, VARIABLES, sources, words
from relay.templates.template import Template

ENVELOPE = Envelope("app@localhost", ("ann@example.net",))
TEMPLATES = Templates(sources(), email_address="n@acme.example")
USAGES = (
    *("SignIn", "Register", "ForgotPassword", "Generic", "UserPermissionValidation"),
    *("BindNewIdentifier", "MfaVerification", "BindMfa", "OrganizationInvitation"),
)
ALL = [
    pytest.param(TEMPLATES.choose(usage, language), language, id=f"{usage}-{language}")
    for usage in USAGES
    for language in LANGUAGES
]


def mail(template: Template) -> EmailMessage:
    made = template.apply(parse(b""), ENVELOPE, dict(VARIABLES))
    message = email.message_from_bytes(made, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text.replace("\r\n", "\n")


def test_every_language_has_every_usage_once() -> None:
    found = [(each.usage, each.locale or "en") for each in TEMPLATES.all]
    expected = [(usage, language) for usage in USAGES for language in LANGUAGES]
    assert sorted(found) == sorted(expected)
    assert TEMPLATES.warnings == ()


def test_a_language_without_samples_gets_english() -> None:
    assert TEMPLATES.choose("SignIn", "pt-BR").locale == ""
    assert TEMPLATES.choose("SignIn", "fr-CA").locale == "fr"


def test_every_language_has_the_same_words_and_none_is_left_as_in_english() -> None:
    english_shared, english = words("en")
    for language in LANGUAGES[1:]:
        shared, usages = words(language)
        assert shared.keys() == english_shared.keys()
        assert list(usages) == list(english)
        same = [name for name, text in shared.items() if text == english_shared[name]]
        for usage, own in usages.items():
            assert own.keys() == english[usage].keys()
            same += [name for name, text in own.items() if text == english[usage][name]]
        assert same == []


def test_french_has_no_break_spaces_before_its_double_signs() -> None:
    shared, usages = words("fr")
    texts = [
        *shared.values(),
        *(text for own in usages.values() for text in own.values()),
    ]
    assert [text for text in texts if re.search("[^\u00a0][:;?!](?!/)", text)] == []


def test_the_samples_pass_the_lint() -> None:
    assert lint(sources(), (), {}, email_address="n@acme.example") == []


@pytest.mark.parametrize(("template", "language"), ALL)
def test_a_sample_has_no_problem(template: Template, language: str) -> None:
    assert problems(template, body(mail(template), "html")) == []


@pytest.mark.parametrize(("template", "language"), ALL)
def test_a_sample_asks_for_the_same_variables_in_all_languages(
    template: Template, language: str
) -> None:
    english = TEMPLATES.choose(template.usage, "en")
    assert sorted(template.variables) == sorted(english.variables)


@pytest.mark.parametrize(("template", "language"), ALL)
def test_a_sample_shows_the_code_or_the_link_in_both_parts(
    template: Template, language: str
) -> None:
    made = mail(template)
    if template.usage == "OrganizationInvitation":
        link = VARIABLES["link"]
        assert f'<a href="{link}"' in body(made, "html")
        assert f"\n{link}\n" in body(made, "plain")
        assert "Acme Inc." in made["Subject"]
        return
    assert "<b>123456</b>" in body(made, "html")
    assert "\n123456\n" in body(made, "plain")
    # What tests of apps ask for finds the code, and it alone, in every language.
    found = codes_in(body(made, "plain"))
    assert [each.value for each in found] == ["123456"]
    assert made["Subject"].endswith("123456")


@pytest.mark.parametrize(("template", "language"), ALL)
def test_a_sample_says_its_language_and_loads_nothing(
    template: Template, language: str
) -> None:
    html = body(mail(template), "html")
    opened = [tag for tag in tokens(html) if isinstance(tag, Tag) and not tag.closing]
    given = {
        (tag.name, each.name): each.value
        for tag in opened
        for each in attributes(tag.source)
    }
    assert (given["html", "lang"], given["html", "dir"]) == (language, "ltr")
    names = {tag.name for tag in opened}
    assert names.isdisjoint({"img", "link", "script", "iframe", "object"})
    assert {name for _, name in given}.isdisjoint({"src", "background"})
    assert "url(" not in html
    assert "@import" not in html


@pytest.mark.parametrize(("template", "language"), ALL)
def test_a_text_part_has_no_markup_and_no_gap(
    template: Template, language: str
) -> None:
    text = body(mail(template), "plain")
    assert re.search(r"[<>&$]|\{\{|\n\n\n", text) is None
