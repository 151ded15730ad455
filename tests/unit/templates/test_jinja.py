"""Templates in Jinja's syntax: what they make of values, of files and of what lacks."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import replace
from html import escape
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.content.header import parse
from relay.templates.catalog import Templates
from relay.templates.use import Use
from tests.unit.templates.jinja_mail import (
    ENVELOPE,
    ORIGINAL,
    body,
    html,
    jinja,
    made,
    plain,
    problems,
    refusal,
    text,
)

FAILED = "451 4.3.0 The mail's template failed; the log says where"
LIST = (
    "<ul>{% for i in items %}<li>{{ i.name }}</li>{% else %}<li>-</li>{% endfor %}</ul>"
)


def test_loops_and_conditions_make_html_and_its_text() -> None:
    mail = made(
        jinja(LIST + "{% if vip %}<p>V<br>IP</p>{% endif %}"),
        {"items": [{"name": "a<b"}, {"name": "c"}], "vip": True},
    )
    assert body(mail, "html") == ("<ul><li>a&lt;b</li><li>c</li></ul><p>V<br>IP</p>")
    assert body(mail, "plain") == "- a<b\n- c\n\nV\nIP"


def test_values_are_escaped_in_html_alone() -> None:
    value = "<b>&\"'\r\nBcc: x"
    mail = made(
        jinja("<p>{{ v }}</p>", subject="S {{ v }}", send_from="{{ v }} <a@b.example>"),
        {"v": value},
    )
    assert body(mail, "html") == ("<p>&lt;b&gt;&amp;&quot;&#x27;\nBcc: x</p>")
    assert mail["Subject"] == "S <b>&\"'  Bcc: x"
    assert mail["From"].addresses[0].addr_spec == "a@b.example"
    assert mail["Bcc"] is None
    assert plain("{{ v }}", {"v": "<b>&"}) == "<b>&"


def test_safe_is_html_and_so_is_what_a_macro_makes() -> None:
    macro = "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}{{ m(v) }}{{ v|safe }}"
    assert html(macro, {"v": "<b>"}) == "<i>&lt;b&gt;</i><b>"


def test_values_are_printed_as_in_the_simple_syntax() -> None:
    values: dict[str, Any] = {
        "t": True,
        "n": None,
        "i": 10**30,
        "f": 1.0,
        "e": 1e-7,
        "d": 0.5,
    }
    wanted = "true||1000000000000000000000000000000|1|1e-7|0.5"
    assert plain("{{t}}|{{n}}|{{i}}|{{f}}|{{e}}|{{d}}", values) == wanted
    assert plain("{{ t ~ '|' ~ n ~ '|' ~ f }}", values) == "true||1"


@pytest.mark.parametrize(
    ("value", "kind"), [({}, "an object"), ([1], "a list"), ({"a": 1}, "an object")]
)
def test_an_object_or_a_list_as_a_whole_is_refused(value: object, kind: str) -> None:
    said = f"550 5.6.0 Variable user.x is {kind}, not a text"
    assert refusal(jinja("{{ user.x }}"), {"user": {"x": value}}) == said
    assert refusal(jinja("Hi", subject="{{ user['x'] }}"), {"user": {"x": value}}) == (
        said
    )
    assert refusal(jinja("{{ 'a' ~ v }}"), {"v": value}) == (
        f"550 5.6.0 Variable in an expression is {kind}, not a text"
    )


FILES = {
    "_layout.html": (
        "<html><h1>{% block title %}Hi{% endblock %}</h1>"
        "{% block body %}{% endblock %}{% include '_foot.html' %}</html>"
    ),
    "_foot.html": "<p>{{ company }}</p>",
    "_macros.html": (
        "{% macro button(link, text) -%}"
        '<a href="{{ link }}">{{ text }}</a>'
        "{%- endmacro %}"
    ),
}


def test_layouts_includes_and_imports_come_from_the_folder() -> None:
    content = (
        "{% extends '_layout.html' %}{% from '_macros.html' import button %}"
        "{% block title %}{{ super() }} {{ name }}{% endblock %}"
        "{% block body %}{{ button(link, 'Go & see') }}{% endblock %}"
    )
    values = {"name": "Ann", "company": "A & B", "link": "https://x.example/?a=1&b=2"}
    mail = made(jinja(content, files=FILES), values)
    assert body(mail, "html") == (
        '<html><h1>Hi Ann</h1><a href="https://x.example/?a=1&amp;b=2">Go &amp; see</a>'
        "<p>A &amp; B</p></html>"
    )
    assert "Go & see <https://x.example/?a=1&b=2>" in body(mail, "plain")


def test_a_text_part_of_its_own_may_include_as_well() -> None:
    files = {"_foot.txt": "-- \n{{ company }}"}
    source = jinja("<p>x</p>", text="Hi\n{% include '_foot.txt' %}", files=files)
    mail = made(source, {"company": "A & B"})
    assert body(mail, "plain") == "Hi\n-- \nA & B"


def test_what_a_file_exports_is_made_for_each_mail_anew() -> None:
    files = {
        "_m.html": (
            "{% set ns = namespace(seen='') %}"
            "{% macro add(x) %}{% set ns.seen = ns.seen ~ x %}{{ ns.seen }}"
            "{% endmacro %}"
        )
    }
    source = jinja("{% import '_m.html' as m %}{{ m.add(code) }}", files=files)
    template = Templates([source]).choose("SignIn", "")
    for code in ("1", "2"):
        content = template.apply(parse(ORIGINAL), ENVELOPE, {"code": code})
        assert f"\r\n\r\n{code}\r\n".encode() in content


def test_message_is_the_original_and_its_html_is_html() -> None:
    content = "{{ message.subject }}|{{ message.from }}|<div>{{ message.html }}</div>"
    mail = made(jinja(content, subject="Fwd: {{ message.subject }}"))
    assert mail["Subject"] == "Fwd: old é"
    assert "<div>old &lt;body&gt;" in body(mail, "html")
    assert "old <body>" in body(mail, "plain")
    assert plain("{{ message.text }}{{ message.to }}") == "old <body>\nann@example.net"


def test_message_without_a_dot_is_the_client_s_and_a_loop_may_have_it() -> None:
    assert html("{{ message }}", {"message": "mine"}) == "mine"
    loop = "{% for message in thread %}{{ message.text }}{% endfor %}"
    assert html(loop, {"thread": [{"text": "a"}, {"text": "b"}]}) == "ab"


# What lacks.


def test_reject_names_all_roots_that_are_missing() -> None:
    source = jinja(
        "{{ a }}{{ b.c.d }}{% if e %}x{% endif %}{% for x in f %}{% endfor %}"
        "{{ g|upper }}"
        "{{ 1 + h }}{% if 1 in i %}{% endif %}{{ j.x() }}{{ -k }}{{ l[0] }}{{ m[:2] }}",
        subject="{{ z }}",
    )
    assert refusal(source, {"q": 1}) == (
        "550 5.6.0 Variables not given: z, a, b, e, f, g, h, i, j, k, l, m"
    )


@pytest.mark.parametrize("missing", ["reject", "keep", "empty"])
def test_default_and_defined_never_refuse(missing: str) -> None:
    content = (
        "{{ a|default('x') }}{{ a.b|d('y') }}{{ c is defined }}{{ c is undefined }}"
        "{% if c is defined %}{{ c }}{% endif %}{{ user.nick|default('you') }}"
    )
    values = {"user": {"name": "Ann"}}
    assert plain(content, values, missing=missing) == "xyfalsetrueyou"


def test_keep_leaves_the_placeholder_whatever_is_done_with_it() -> None:
    content = "{{ user.name }} {{ user.name|upper }} {{ a ~ 'b' }} {{ u.x }}{{ c + 1 }}"
    assert html(content, {"u": {}}, missing="keep") == (
        "{{ user.name }} {{ user.name }} {{ a }}b {{ c }}"
    )


@pytest.mark.parametrize("missing", ["reject", "keep", "empty"])
def test_a_missing_leaf_of_a_given_root_is_empty_at_any_depth(missing: str) -> None:
    content = (
        "[{{ u.a }}{{ u.b.c.d }}{{ u.l.3.x }}{% for x in u.y %}{% endfor %}{{ u.n }}]"
    )
    assert plain(content, {"u": {"l": [], "n": None}}, missing=missing) == "[]"


def test_empty_is_empty_at_any_depth() -> None:
    content = "[{{ a }}{{ a.b.c }}{% for x in a.y %}{% endfor %}{{ a.b * 2 }}]"
    assert plain(content, missing="empty") == "[]"


# Values are data, and never a template.

HOSTILE = [
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# x #}",
    "{{ ''.__class__.__mro__ }}",
    "</p><script>",
    "\ufdd00\ufdd0",
    "%s%n{0}",
    "é\u2028\U0001f600",
]


@given(st.text() | st.sampled_from(HOSTILE), st.text())
@example("{{ x }}", "{% if %}")
@settings(max_examples=200, deadline=None)
def test_a_value_is_exactly_itself_at_its_place(value: str, other: str) -> None:
    template = _TEMPLATE.choose("SignIn", "")
    values = {"v": value, "l": [{"w": other}, {"w": value}]}
    content = template.apply(parse(ORIGINAL), ENVELOPE, values)
    mail = parse(content)
    wanted = (
        f'<p title="{escape(value)}">{escape(value)}</p>'
        f"<i>{escape(other)}</i><i>{escape(value)}</i>"
    )
    assert _html_of(mail.content) == _lines(wanted)


_TEMPLATE = Templates(
    [
        jinja(
            "{% macro m(x) %}<i>{{ x }}</i>{% endmacro %}"
            '<p title="{{ v }}">{{ v }}</p>{% for e in l %}{{ m(e.w) }}{% endfor %}'
        )
    ]
)


def _html_of(content: bytes) -> str:
    import email

    whole = email.message_from_bytes(content)
    *_, part = whole.walk()
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return _lines(data.decode()).removesuffix("\n")


def _lines(value: str) -> str:
    data = value.encode("utf-8", "replace").decode()
    return data.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''['__class__']",
        "v.__class__",
        "v.__class__.__mro__[1].__subclasses__",
        "d.__class__",
        "d.items",
        "d.clear",
        "l.append",
        "l.__len__",
        "n.real",
        "none.__class__",
        "m.__globals__",
        "m._func",
        "m.name",
        "loop.__init__",
        "self._TemplateReference__context",
        "namespace.__init__",
        "namespace().__init__",
        "namespace()._Namespace__attrs",
        "range.__self__",
        "dict.__class__",
        "cycler.__init__",
        "cycler(1).items",
        "m.__call__()",
        "namespace().x()",
        "(v ~ '').__class__",
        "(v|safe).__html__",
        "(v|upper).__class__",
        "missing.__class__|default('')",
        "([v]|map(attribute='__class__')|first)",
        "([d]|map(attribute='items')|first)",
        "([v]|groupby('__class__')|first).grouper",
    ],
)
def test_nothing_of_python_is_reached_from_a_value(expression: str) -> None:
    content = (
        "{% macro m() %}{% endmacro %}{% for x in [1] %}"
        f"[{{{{ {expression} }}}}]{{% endfor %}}"
    )
    values = {"v": "a", "d": {"a": 1}, "l": [1], "n": 1}
    assert plain(content, values, missing="empty") == "[]"


@pytest.mark.parametrize(
    "expression",
    [
        "v.format(1)",
        "v.format_map(d)",
        "'{0.__class__}'.format(v)",
        "v.encode()",
        "v.translate(d)",
        "l.append(1)",
        "d.update({})",
        "d.pop('a')",
        "n.to_bytes(1)",
        "v()",
        "d.a()",
        "self.nothing()",
        "super()",
    ],
)
def test_what_templates_may_not_call_fails(expression: str) -> None:
    content = (
        "{% macro m() %}{% endmacro %}"
        f"{{% block b %}}{{{{ {expression} }}}}{{% endblock %}}"
    )
    if expression == "v()":
        assert problems(jinja(content)) == [
            "here.content:1: v: no such function or macro"
        ]
        return
    values = {"v": "a", "d": {"a": 1}, "l": [1], "n": 1}
    assert refusal(jinja(content), values, missing="empty") == FAILED


def test_methods_of_texts_and_objects_that_harm_nobody_work() -> None:
    content = (
        "{{ v.upper() }} {{ v.split(',')|join('+') }} {{ v.replace('a', 'x') }}"
        "{% for k, x in d.items() %} {{ k }}={{ x }}{% endfor %} {{ d.get('z', 'no') }}"
        " {{ ', '.join(d.keys()) }} {{ v.ljust(5) }}|"
    )
    assert plain(content, {"v": "a,b", "d": {"k": 1, "items": 2}}) == (
        "A,B a+b x,b k=1 items=2 no k, items a,b  |"
    )
    assert plain("{{ d.items }}", {"d": {"items": "mine"}}) == "mine"


# Links.

SAID = "550 5.6.0 Variable {} leads to something other than http:, https:, mailto:"
SCRIPT = "java\tscript:alert(1)"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('<a href="{{ u }}">', "u"),
        ('<a href="{{ u|trim }}">', "u"),
        ("{% for x in [u] %}<a href='{{ x }}'>{% endfor %}", "x"),
        ('{% macro m(l) %}<a href="{{ l }}">{% endmacro %}{{ m(u) }}', "l"),
        ('{% set h %}{{ u }}{% endset %}<a href="{{ h }}">', "u"),
        ('<a href="{% if u %}{{ u }}{% endif %}">', "u"),
        ('{% filter trim %}<a href="{% endfilter %}{{ u }}">', "u"),
        ('<a href="{% filter trim %}{{ u }}{% endfilter %}">', "in an expression"),
        ('<a href="{{ "java" }}{{ "script:" }}{{ u }}">', "in an expression"),
    ],
)
def test_a_script_in_a_link_is_refused(content: str, name: str) -> None:
    assert refusal(jinja(content), {"u": SCRIPT}) == SAID.format(name)


@pytest.mark.parametrize(
    "content",
    [
        '{% filter trim %}<a href="{{ u }}">x</a>{% endfilter %}',
        '{% macro m(l) %}<a href="{{ l }}">{% endmacro %}{{ m(u)|indent }}',
        "<a{{ {'href': u}|xmlattr }}>",
        '{% set t = "<a href=%s>"|safe %}{{ t % u }}',
    ],
)
def test_a_script_in_a_link_that_a_filter_made_is_refused(content: str) -> None:
    said = refusal(jinja(content), {"u": SCRIPT.replace("\t", "")})
    assert said.startswith("550 5.6.0 Variable ")
    assert " leads to something other than http:, https:, mailto:" in said


def test_what_is_said_to_be_safe_is_not_looked_at() -> None:
    assert SCRIPT in html('<a href="{{ u|safe }}">', {"u": SCRIPT})


def test_places_where_a_value_does_harm_are_named_at_the_start() -> None:
    content = "{% if a %}\n<script>{{ x }}</script>{% endif %}\n<a class={{ y }}>"
    templates = Templates([jinja(content)])
    assert [line for line in templates.warnings if line.startswith("here")] == [
        "here.content:2: {{ x }} in a script: a value could write one of its own",
        (
            "here.content:3: {{ y }} in an attribute without quotes: a value could add "
            "attributes; put quotes around it"
        ),
    ]


# Mistakes at the start, and failures later.


def test_mistakes_are_told_at_the_start_with_their_lines() -> None:
    files = {"_bad.html": "x\n{{ oh| }}", "_self.html": "{% include '_self.html' %}"}
    assert problems(jinja("a\n{{ x", files=files)) == [
        "here.content:2: unexpected end of template, expected 'end of print statement'."
    ]
    content = "{{ a|nope }}\n{% if x is odder %}{{ b|never }}{% endif %}"
    assert problems(jinja(content)) == [
        "here.content:1: nope: no such filter",
        "here.content:2: never: no such filter",
        "here.content:2: odder: no such test",
    ]
    assert problems(jinja("\n{% include '_no.html' %}")) == [
        "here.content:2: _no.html: is not in t"
    ]
    assert problems(jinja("{% include 'SignIn.html' %}")) == [
        (
            "here.content:1: SignIn.html: only files whose names begin with _ can be "
            "named"
        )
    ]
    assert problems(jinja("{% include x %}")) == [
        (
            "here.content:1: a file is named in quotes, so that it can be found at the "
            "start"
        )
    ]
    assert problems(jinja("{% include '_bad.html' %}", files=files)) == [
        "t/_bad.html:2: expected token 'name', got 'end of print statement'"
    ]
    assert problems(jinja("{% include '_self.html' %}", files=files)) == [
        "t/_self.html:1: _self.html: names itself, or a file that does"
    ]
    assert problems(jinja("{{ message.code }}")) == [
        (
            "here.content:1: message.code: unknown; there are message.from, "
            "message.to, message.subject, message.text, message.html"
        )
    ]
    assert problems(jinja("{{ f() }}{{ x|truncate(1, 2, 3, 4, 5) }}")) == [
        "here.content:1: f: no such function or macro",
        "here.content:1: truncate: too many positional arguments",
    ]
    assert problems(jinja("{% autoescape false %}{% endautoescape %}")) == [
        (
            "here.content:1: autoescape: HTML is escaped and text is not; |safe takes "
            "a value as HTML"
        )
    ]
    assert problems(jinja("(" * 5 + "{{ " + "(" * 5000 + ")" * 5000 + " }}"))
    assert problems(jinja("{% for a in b %}" * 30 + "{% endfor %}" * 30))
    assert problems(jinja("x", unsubscribe="http://{{ x }}"))[0].startswith(
        "here: unsubscribe = 'http://{{ x }}': must be a link that begins with https://"
    )


def test_included_files_that_may_be_missing_are_passed_over() -> None:
    assert html("a{% include '_no.html' ignore missing %}b") == "ab"
    files = {"_b.html": "B"}
    assert html("{% include ['_no.html', '_b.html'] %}", files=files) == "B"
    assert html("{% include '_b.html' if x else '_b.html' %}", {"x": 1}, files=files)


def test_a_failure_is_one_line_with_file_and_line_and_never_a_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = {"_sum.html": "\n\n{{ 1 // code }}"}
    source = jinja("{% include '_sum.html' %}", files=files)
    with caplog.at_level(logging.ERROR, "relay"):
        assert refusal(source, {"code": 0, "secret": "hush"}) == FAILED
        assert refusal(text("\n{{ 'x' + n }}"), {"n": 12345}) == FAILED
        assert refusal(text("{{ 'hush' * 10000000 }}")) == FAILED
    assert [vars(record)["fields"] for record in caplog.records] == [
        {
            "usage": "SignIn",
            "template": "here",
            "place": "t/_sum.html:3",
            "error": "ZeroDivisionError",
        },
        {
            "usage": "SignIn",
            "template": "here",
            "place": "here.content:2",
            "error": "TypeError",
        },
        {
            "usage": "SignIn",
            "template": "here",
            "place": "here.content:1",
            "error": "more than 1,000,000 characters",
        },
    ]


def test_a_link_to_unsubscribe_has_its_values_encoded() -> None:
    source = jinja("x", unsubscribe="https://x.example/u/{{ token }}")
    mail = made(source, {"token": "a/b c"})
    assert mail["List-Unsubscribe"] == "<https://x.example/u/a%2Fb%20c>"
    mail = made(jinja("x", unsubscribe="{{ link|safe }}"), {"link": "https://x/?a=b"})
    assert mail["List-Unsubscribe"] == "<https://x/?a=b>"


def test_its_variables_are_known_with_their_names() -> None:
    source = jinja(
        "{% extends '_layout.html' %}{% block body %}{% for l in lines %}{{ l.x }}"
        "{{ user.name }}{% endfor %}{{ message.html }}{% endblock %}",
        files=FILES,
        subject="{{ code }}",
    )
    [template] = Templates([source]).all
    assert set(template.variables) == {
        *("code", "lines", "user.name", "message.html", "company"),
    }


def test_shapes_that_mails_take_are_kept_and_right() -> None:
    template = Templates([jinja(LIST)]).choose("SignIn", "")
    for _ in range(2):
        for number in range(70):
            items = [{"name": f"<{n}>"} for n in range(number)]
            content = template.apply(parse(ORIGINAL), ENVELOPE, {"items": items})
            wanted = "".join(f"<li>&lt;{n}&gt;</li>" for n in range(number))
            assert _html_of(content) == f"<ul>{wanted or '<li>-</li>'}</ul>"


def test_each_place_of_a_variable_is_known_in_either_syntax() -> None:
    files = {"_foot.html": "\n{{ company|default('Acme') }}"}
    source = jinja(
        "{{ code }}\n{% for l in lines %}{% if l.x is defined %}{{ l.x }}"
        "{{ user.name }}{% endif %}{% endfor %}"
        "{% if nick is defined %}{{ nick }}{% endif %}{% include '_foot.html' %}",
        files=files,
        subject="{{ code }}",
    )
    [template] = Templates([source]).all
    assert template.uses == (
        Use("code", "subject", 1, "here.subject:1"),
        Use("code", "content", 1, "here.content:1"),
        Use("lines", "content", 2, "here.content:2"),
        Use("user.name", "content", 2, "here.content:2", ("for", "if")),
        Use("nick", "content", 2, "here.content:2", (), True),
        Use("nick", "content", 2, "here.content:2", ("if",), True),
        Use("company", "content", 2, "t/_foot.html:2", (), True),
    )
    simple = replace(
        source, syntax="simple", content="a\n{{ user.name }}", text="{{x}}"
    )
    [template] = Templates([simple]).all
    assert template.uses == (
        Use("code", "subject", 1, "here.subject:1"),
        Use("user.name", "content", 2, "here.content:2"),
        Use("x", "text", 1, "here.text:1"),
    )


def test_what_an_imported_file_never_gets_is_a_warning() -> None:
    files = {"_m.html": "\n{% macro m() %}{{ user }}{% endmacro %}"}
    templates = Templates(
        [jinja("{% import '_m.html' as m %}{{ m.m() }}", files=files)]
    )
    assert templates.warnings[0] == (
        "t/_m.html:2: user: is never given, because a file that is imported does not "
        "see the mail's variables; hand it over, or import the file `with context`"
    )


def test_generic_that_copes_without_a_code_is_no_warning() -> None:
    def warned(content: str) -> bool:
        source = replace(jinja(content), usage_type="Generic")
        return any("shows {{code}}" in line for line in Templates([source]).warnings)

    assert warned("{{ code }}")
    assert not warned(
        "{{ code|default('') }}{% if code is defined %}{{ code }}{% endif %}"
    )


LOADED = """
import sys
from relay.templates.catalog import Templates
from relay.templates.source import Source
def loaded(content, syntax):
    Templates([Source("A", "s", content, syntax=syntax)])
    return [name in sys.modules for name in ("jinja2", "babel")]
print(loaded("{{code}}", "simple"), loaded("{{ code }}", "jinja"))
print(loaded("{{ code|date }}", "jinja"))
"""


def test_jinja_and_babel_are_imported_where_a_template_uses_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[False, False] [True, False]\n[True, True]\n"
