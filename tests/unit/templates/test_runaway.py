"""Templates that run away: each is stopped before it takes what it would."""

from __future__ import annotations

import asyncio
import logging

import pytest

from relay.content.header import parse
from relay.model.reply import Refused
from relay.templates.catalog import Templates
from relay.templates.limits import TakesLong
from tests.unit.templates.jinja_mail import ENVELOPE, ORIGINAL, jinja, refusal

FAILED = "451 4.3.0 The mail's template failed; the log says where"
MANY = "{% for i in range(90000) %}"
END = "{% endfor %}"


def grow(start: str, step: str) -> str:
    """A template that does `step` again and again."""
    begin = f"{{% set ns = namespace(x={start}) %}}"
    return f"{begin}{{% for i in range(100) %}}{{% set ns.x = {step} %}}{END}"


VALUES = {"s": "x" * 400_000, "l": [str(n) for n in range(40_000)], "n": 10**10}

# What a template does, and the limit that it meets.
AT_ONCE = {
    "{{ 'a' * 100000000 }}": "characters",
    "{{ 100000000 * s }}": "characters",
    "{{ [1] * 100000000 }}": "characters",
    "{{ 2 ** 100000000 }}": "bits",
    "{{ n ** n ** n }}": "bits",
    grow("3", "ns.x * ns.x"): "bits",
    "{{ 'a'|center(100000000) }}": "characters",
    "{{ 'a'.center(100000000) }}": "characters",
    "{{ 'a'.zfill(100000000) }}": "characters",
    "{{ range(100000000) }}": "a range",
    "{{ range(90000)|join('a' * 1000) }}": "characters",
    "{{ ('a' * 1000)|replace('a', 'b' * 10000) }}": "characters",
    "{{ ('a' * 90000)|replace('', 'b' * 1000) }}": "characters",
    "{{ ('\n' * 10000)|indent(10000) }}": "characters",
    "{{ ('\n' * 10000)|indent('b' * 10000) }}": "characters",
    "{{ '%100000000d'|format(1) }}": "characters",
    "{{ '%.100000000f' % 1 }}": "characters",
    "{{ ('%s' * 1000) % (('a' * 100000,) * 1000) }}": "characters",
    "{{ ('%99999d' * 1000) % ((1,) * 1000) }}": "characters",
    grow("'a'", "ns.x ~ ns.x"): "characters",
    grow("'a'", "ns.x + ns.x"): "characters",
    grow("[1]", "ns.x + ns.x"): "characters",
    grow("[1]", "[ns.x, ns.x]"): "characters",
    grow("(1,)", "(ns.x, ns.x)"): "characters",
    grow("{}", "{'a': ns.x, 'b': ns.x}"): "characters",
    grow("{}", "dict(a=ns.x, b=ns.x)"): "characters",
    grow("'ab'", "ns.x").removesuffix(END)
    + "{% set x %}{{ ns.x }}{{ ns.x }}{% endset %}{% set ns.x = x %}"
    + END: "characters",
    "{% set ns = namespace(x=[]) %}" + MANY + "{% set ns.x = [ns.x] %}" + END: "deep",
    "{% set ns = namespace(x=[1]) %}"
    + MANY
    + "{% set ns.x = ns.x|batch(2) %}"
    + END: "deep",
    MANY + MANY + END + END: "steps",
    "{% for a in l %}{% for b in l %}x{% endfor %}{% endfor %}": "steps",
    "{% for a in [1] recursive %}{{ loop(l) }}{% endfor %}" * 3: "steps",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}": "calls",
    "{% block a %}{{ self.a() }}{% endblock %}": "calls",
    "{% for i in [1] recursive %}{{ loop([1, 2]) }}{% endfor %}": "calls",
    MANY + "y" * 1000 + END: "characters",
    "{% set x %}" + MANY + "y" * 1000 + END + "{% endset %}": "characters",
    "{% filter replace('a', 'b' * 10000) %}" + "a" * 1000 + "{% endfilter %}": (
        "characters"
    ),
    "{% macro m(x=('a' * 100000000)) %}{% endmacro %}{{ m() }}": "characters",
    "{% set j = joiner('a' * 900000) %}" + MANY + "{{ j() }}" + END: "characters",
    "{{ 1.5|round(100000000, 'ceil') }}": "round",
    "{{ [1]|batch(100000000, 1) }}": "batch",
    "{{ [1]|slice(100000000) }}": "slice",
    "{{ l|tojson(100000000) }}": "tojson",
    "{{ 1|number('0' * 900000) }}": "format",
}
BY_TIME = [
    MANY + "{% set x = s|upper %}" + END,
    MANY + "{% set x = s|wordwrap(1) %}" + END,
    MANY + "{% if 'xy' in s %}{% endif %}" + END,
    MANY + "{% set x = l|sort %}" + END,
    MANY + "{% set x = (s|replace('x', '<'))|striptags %}" + END,
    MANY + "{% include '_a.html' %}" + END,
    (
        "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}"
        "{{ m(40) }}"
    ),
    "{% macro m() %}{{ caller() }}{{ caller() }}{% endmacro %}"
    + "{% call m() %}" * 15
    + "a"
    + "{% endcall %}" * 15
    + MANY
    + "{% if s ~ i %}{% endif %}"
    + END,
]


@pytest.mark.parametrize("content", AT_ONCE, ids=range(len(AT_ONCE)))
def test_what_would_be_too_much_is_never_made(
    content: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "relay"):
        assert refusal(jinja(content), VALUES) == FAILED
    [record] = caplog.records
    assert AT_ONCE[content] in vars(record)["fields"]["error"]


@pytest.mark.parametrize("content", BY_TIME, ids=range(len(BY_TIME)))
def test_what_takes_too_long_is_stopped(
    content: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "relay"):
        source = jinja(content, files={"_a.html": "{% set x = 'a' * 500000 %}"})
        assert refusal(source, VALUES) == FAILED
    [record] = caplog.records
    assert "0.5 s" in vars(record)["fields"]["error"]


def test_values_that_are_larger_than_a_mail_are_not_looked_at() -> None:
    assert refusal(jinja("x"), {"s": "x" * 1_000_001}) == FAILED
    assert refusal(jinja("x"), {"l": [0] * 200_000}) == FAILED


async def test_on_the_loop_it_stops_sooner_and_is_no_refusal() -> None:
    template = Templates([jinja(BY_TIME[0])]).choose("SignIn", "")
    with pytest.raises(TakesLong):
        template.apply(parse(ORIGINAL), ENVELOPE, VALUES)
    with pytest.raises(Refused):
        await asyncio.to_thread(template.apply, parse(ORIGINAL), ENVELOPE, VALUES)


async def test_a_mail_of_usual_size_is_made_on_the_loop() -> None:
    template = Templates([jinja("<p>{{ code }}</p>")]).choose("SignIn", "")
    assert b"123456" in template.apply(parse(ORIGINAL), ENVELOPE, {"code": "123456"})
