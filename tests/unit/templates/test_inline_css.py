"""Styles put at their elements: and nothing else of a template changed."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.templates.loaded import loaded
from relay.templates.placeholder import Problems
from relay.templates.source import Source


def source(content: str, syntax: str = "jinja") -> Source:
    return Source("A", "s", content, syntax=syntax, inline_css=True, place="A")


def inlined(content: str, syntax: str = "jinja") -> str:
    problems = Problems("A")
    made = loaded(source(content, syntax), problems)
    assert (problems.errors, problems.warnings) == ([], [])
    return made.content


def errors(content: str) -> list[str]:
    problems = Problems("A")
    loaded(source(content), problems)
    return problems.errors


def test_a_rule_is_put_at_its_elements_and_leaves_the_style() -> None:
    assert inlined(
        "<style>.a{color:red} p>b{margin:0}</style><p class=a>x<b>y</b></p>"
    ) == (
        '<style></style><p style="color: red;" class=a>x<b style="margin: 0;">y</b></p>'
    )


def test_what_an_element_says_itself_is_stronger_but_for_important() -> None:
    html = "<style>p{color:red;margin:0 !important}</style><p style='color:blue'>x</p>"
    assert "<p style='color: red;margin: 0 !important;color:blue'>" in inlined(html)
    bare = inlined("<style>p{color:red}</style><p class=a style=color:blue>x</p>")
    assert '<p class=a style="color: red;color:blue">' in bare
    empty = inlined("<style>p{color:red}</style><p style>x</p><p style=''>y</p>")
    assert "<p style=\"color: red;\">x</p><p style='color: red;'>y</p>" in empty


def test_what_only_a_style_can_say_stays_there() -> None:
    made = inlined(
        "<style>\n.a{color:red}\n.a:hover{color:green}\n"
        "@media (prefers-color-scheme: dark){.a{color:blue !important}}\n"
        "@media (max-width: 500px) { .a { width: 100% !important } }\n"
        "[data-ogsc] .a{color:blue}\n</style>"
        '<style media="print">.a{color:black}</style><p class="a">x</p>'
    )
    assert '<p style="color: red;" class="a">' in made
    kept = made.partition("<p")[0]
    assert ".a{color:red}" not in kept
    for rule in (
        "@media (prefers-color-scheme: dark){.a{color:blue !important}}",
        "@media (max-width: 500px) { .a { width: 100% !important } }",
        '<style media="print">.a{color:black}</style>',
    ):
        assert rule in kept
    assert re.search(r"\.a:hover \{ color: green; \}", kept)
    assert re.search(r"\[data-ogsc\] \.a \{ color: blue; \}", kept)


def test_placeholders_survive_in_styles_attributes_and_texts() -> None:
    made = inlined(
        "<style>.a{color:{{ c }};background:{{ b|default('x') }}}</style>"
        '<p class="a" style="margin:{{ m }}px" title=\'{{ t|default("<b>") }}\'>'
        "{{ x }}{{{ y }}}</p><table>{{ rows|safe }}<tr><td class='a'>z</table>"
    )
    assert made == (
        "<style>.a{color:{{ c }};background:{{ b|default('x') }}}</style>"
        '<p class="a" style="color: {{ c }};background: {{ b|default(\'x\') }};'
        'margin:{{ m }}px" title=\'{{ t|default("<b>") }}\'>'
        '{{ x }}{{{ y }}}</p><table>{{ rows|safe }}<tr><td style="color: {{ c }};'
        "background: {{ b|default('x') }};\" class='a'>z</table>"
    )


def test_blocks_survive_where_they_stand() -> None:
    made = inlined(
        "{% set a = 1 %}<style>.a{color:red}</style>\n<table>{% for x in y %}\n"
        '<tr {% if x %}bgcolor="red"{% endif %}>{% if x %}<td class="a">{% else %}'
        '<td class="a" style="{% if z %}top:0{% endif %}">{% endif %}{{ x }}</td></tr>'
        "{% endfor %}</table>{# <p class='a'> #}"
    )
    assert made == (
        "{% set a = 1 %}<style></style>\n<table>{% for x in y %}\n"
        '<tr {% if x %}bgcolor="red"{% endif %}>{% if x %}'
        '<td style="color: red;" class="a">{% else %}'
        '<td class="a" style="color: red;{% if z %}top:0{% endif %}">{% endif %}'
        "{{ x }}</td></tr>{% endfor %}</table>{# <p class='a'> #}"
    )


@pytest.mark.parametrize(
    "style",
    [
        "<style>{% if x %}.a{color:red}{% endif %}</style>",
        "<style>{{ css }} .a{color:red}</style>",
        "<style>.a{color:{% if x %}red{% endif %}}</style>",
    ],
)
def test_a_style_that_depends_on_the_mail_stays_as_it_is(style: str) -> None:
    html = f'{style}<style>.a{{margin:0}}</style><p class="a">x</p>'
    assert (
        inlined(html) == f'{style}<style></style><p style="margin: 0;" class="a">x</p>'
    )


@pytest.mark.parametrize(
    "more",
    [
        '<p class="{{ kind }}">x</p>',
        "{{{ html }}}",
        "{{ message.html }}",
        "{{ rows | safe }}",
        '{% include "_foot.html" %}',
        "{% block content %}{% endblock %}",
    ],
)
def test_rules_stay_where_elements_may_come_that_are_not_known(more: str) -> None:
    html = f'<style>.a{{color:red}}</style><p class="a">x</p>{more}'
    expected = (
        f'<style>.a{{color:red}}</style><p style="color: red;" class="a">x</p>{more}'
    )
    assert inlined(html) == expected


@pytest.mark.parametrize(
    ("tag", "name", "block"),
    [
        ('<p class="a{% if x %} b{% endif %}">', "class", "{% if x %}"),
        ('<p {% if x %}class="a"{% endif %}>', "class", "{% if x %}"),
        ('<p id="{% if y %}a{% endif %}">', "id", "{% if y %}"),
        ('<p {%- if x %} style="top:0"{% endif %}>', "style", "{%- if x %}"),
    ],
)
def test_an_element_whose_rules_depend_on_the_mail_is_refused(
    tag: str, name: str, block: str
) -> None:
    assert errors(f"<style>.a{{top:1}}</style>\n\n{tag}x</p>") == [
        (
            f"A.content:3: inlineCss: {block} decides on {name} of <p>, so its "
            f"styles are "
            "not known at load; write the element once for each case"
        )
    ]


def test_rows_and_cells_without_a_table_have_their_styles_too() -> None:
    css = "<style>.a{color:red}</style>"
    for html in (
        '<td class="a">x</td>',
        '{% for x in y %}<tr><td class="a">x</td></tr>{% endfor %}',
        '<table></table><tr class="a"><td>x</td></tr><p>y</p><tr><td>z</td></tr>',
    ):
        assert inlined(css + html) == "<style></style>" + html.replace(
            ' class="a"', ' style="color: red;" class="a"'
        )


def test_nothing_is_loaded() -> None:
    html = (
        '<link rel="stylesheet" href="file:///etc/passwd">'
        '<link rel="stylesheet" href="http://127.0.0.1:9/a.css">'
        "<style>@import url(http://127.0.0.1:9/b.css); .a{color:red}</style>"
        "<p class=a>x"
    )
    assert '<p style="color: red;" class=a>x' in inlined(html)


def test_lines_stay_the_lines_that_they_were() -> None:
    html = (
        "<style>\n\n.a{color:red}\n.b{top:0}\n.c:hover{top:0}.d:hover{top:0}\n\n\n"
        '</style>\n<p class="a">\n{{ x\n}}</p><style>.e:hover{top:0}.f:hover{top:0}'
        "</style>\n{{ y }}"
    )
    made = inlined(html)
    for piece in ("<p", "{{ x", "{{ y }}"):
        before, _, _ = made.partition(piece)
        assert before.count("\n") == html.partition(piece)[0].count("\n")


def test_what_is_not_html_yet_or_wrong_comes_out_as_it_was() -> None:
    for html in (
        "",
        "plain {{ x }}",
        "<p",
        "<style>",
        "<!-- <p>",
        '<p a="x',
    ):
        assert inlined(html) == html


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    '<p class="a">',
                    "</p>",
                    "<table>",
                    "<tr>",
                    "<td class=b>",
                    "</table>",
                ),
                *(
                    "{{ x }}",
                    "{{{ y }}}",
                    "{% if a %}",
                    "{% endif %}",
                    "{# n #}",
                    "<br/>",
                ),
                *(
                    "<!-- ",
                    " -->",
                    "&nbsp;",
                    "<",
                    ">",
                    '"',
                    "'",
                    "\n",
                    "é",
                    "<svg><path/>",
                ),
                *('<a href="{{ l }}" style="top:0">', "</a>", "<textarea>", "{{", "}}"),
            ]
        ),
        max_size=20,
    ).map("".join)
)
def test_without_the_styles_a_template_is_what_it_was(html: str) -> None:
    head = "<style>.a{color:red}.b{top:{{ c }}}a{margin:0}</style>"
    problems = Problems("A")
    made = loaded(source(head + html), problems)
    if problems.errors:
        return
    body = made.content.partition("</style>")[2]
    bare = body.replace(' style="color: red;"', "").replace(
        ' style="top: {{ c }};"', ""
    )
    assert bare.replace("margin: 0;top:0", "top:0") == html


def test_without_the_extra_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "css_inline", None)
    assert errors("<p>") == [
        "A.content:1: inlineCss: needs the extra: pip install 'ses-relay[css]'"
    ]
