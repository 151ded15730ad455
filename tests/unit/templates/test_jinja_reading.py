"""Texts in Jinja's syntax are read once, and what is wrong is said before a mail."""

from __future__ import annotations

import random
import warnings

import pytest
from jinja2 import Environment, TemplateSyntaxError
from jinja2.lexer import Lexer

from relay.content.header import parse
from relay.templates.catalog import TemplateError, Templates
from relay.templates.jinja.environment import MailEnvironment
from relay.templates.jinja.lexer import lexer
from relay.templates.jinja.reading import Reading, Readings
from relay.templates.jinja.run import Runs
from relay.templates.jinja.template import JinjaTemplate
from tests.unit.templates.jinja_mail import ENVELOPE, ORIGINAL, jinja, problems

PIECES = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{", "}", "%", "#", "-", "+", "\n", " "),
    *("{% raw %}", "{% endraw %}", "{%- raw -%}", "{%+ if x %}", "{% endif %}"),
    *("{{ a }}", "{{- b.c|upper -}}", "{# no #}", "text", "{{{", "}}}", "é", "<b>"),
)


def tokens(made: Lexer, text: str) -> object:
    try:
        return list(made.tokeniter(text, None))
    except TemplateSyntaxError as error:
        return error.lineno, error.message


def test_the_quick_lexer_makes_what_jinjas_own_makes() -> None:
    own, quick = Lexer(Environment(autoescape=True)), lexer()
    assert own.rules["root"][0].pattern != quick.rules["root"][0].pattern
    chance = random.Random(17)
    for _ in range(3000):
        text = "".join(chance.choices(PIECES, k=chance.randrange(12)))
        assert tokens(quick, text) == tokens(own, text), text


def test_the_quick_lexer_is_done_with_many_single_braces() -> None:
    text = "{ } " * 50_000 + "{{ name }}"
    assert len(list(lexer().tokeniter(text, None))) == 6


def templates(known: Templates | None = None, **texts: str) -> Templates:
    files = {"_page.html": texts.pop("page", "<p>{% block body %}{% endblock %}</p>")}
    return Templates(
        [
            jinja(content, files=files, subject="For {{ name }}", locale=locale)
            for locale, content in texts.items()
        ],
        known=known,
    )


def readings(made: Templates, locale: str) -> list[Reading]:
    template = made.choose("SignIn", locale)
    assert isinstance(template, JinjaTemplate)
    return [compiled.reading for compiled in template._compiled]


def test_a_text_that_stays_the_same_is_not_read_again() -> None:
    page = "{% extends '_page.html' %}{% block body %}BODY {{ name }}{% endblock %}"
    before = templates(en=page, fr=page.replace("BODY", "FR"))
    subject, content = readings(before, "en")
    assert readings(before, "fr")[0] is subject
    other = templates(before, en=page, fr=page.replace("BODY", "NEW"))
    assert readings(other, "fr")[0] is subject
    # Twice over, by way of a set that had nothing to read of it.
    layout = templates(
        other, en=page, fr=page, page="<i>{% block body %}{% endblock %}"
    )
    assert readings(layout, "en") == [subject, content]
    mail = layout.choose("SignIn", "en").apply(
        parse(ORIGINAL), ENVELOPE, {"name": "Ann"}
    )
    assert b"<i>BODY Ann" in mail


def test_a_text_that_nobody_has_any_more_is_forgotten() -> None:
    kept = Readings()
    environment = MailEnvironment(Runs(), html=True)
    first = kept.of("{{ a }}", environment)
    assert kept.of("{{ a }}", environment) is first
    del first
    assert not kept._known


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{% macro m(a, a) %}{% endmacro %}", "duplicate argument"),
        ("{{ x|default(boolean=1, boolean=2) }}", "keyword argument repeated"),
        ("{% for a in x %}" * 21 + "{% endfor %}" * 21, "too many statically nested"),
        ("{{ x" + "|upper" * 3000 + " }}", "is nested too deeply"),
        ("{{ 0x" + "f" * 9000 + " }}", "too large a number"),
    ],
)
def test_what_python_would_refuse_is_said_before_a_mail_needs_it(
    content: str, said: str
) -> None:
    found = problems(jinja("\n" + content))
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("here.content:1: ")


@pytest.mark.parametrize(
    "content",
    [
        "{% for a, b in x if a %}{{ loop.index ~ a }}{% else %}-{% endfor %}",
        "{% set a = 1 %}{% if a and not b or c in d %}{{ a }}{% elif b %}{% endif %}",
        "{{ x.y[0]|default('a\0\ud800\u2028')|upper if x is defined else 1 }}",
        "{% for a in x %}" * 11 + "{{ class|e }}{{ ℌ }}" + "{% endfor %}" * 11,
        "{{ 1e999 }}{{ 'a' 'b' }}{{ (1, 2)[0] }}{{ 1 == 1 == 1 }}{{ x[1](2) }}",
        "{{ " + "a and " * 11 + "b }}" + "{% if a %}{% elif b %}{% endif %}" * 90,
    ],
)
def test_python_compiles_what_waits_for_its_first_mail(content: str) -> None:
    reading = Reading(content, MailEnvironment(Runs(), html=True))
    assert reading.mistakes == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reading.code


def test_mistakes_of_a_text_and_of_its_files_are_said_together() -> None:
    with pytest.raises(TemplateError) as caught:
        Templates(
            [
                jinja(
                    "{% include '_a.html' %}\n{{ f() }}\n{{ message.code }}",
                    files={"_a.html": "{{ x|nope }}"},
                )
            ]
        )
    assert str(caught.value).splitlines() == [
        "t/_a.html:1: nope: no such filter",
        "here.content:2: f: no such function or macro",
        (
            "here.content:3: message.code: unknown; there are message.from, "
            "message.to, message.subject, message.text, message.html"
        ),
    ]
