"""What the lint says of templates in Jinja's syntax, and of the files they share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relay.templates.lint_set import lint
from relay.templates.source import Folder, Source

LAYOUT = """\
<!doctype html><html><body>
{% set unread = 1 %}
{% if title < "b" %}<h1 style="float:left">{{ title }}</h1>{% endif %}
<img src="http://acme.example/logo.png">
{% block body %}{% endblock %}
<p>{{ brandname }} {{ application.nmae }}</p>
</body></html>
"""
SIGN_IN = """\
{% extends "_layout.html" %}
{% set title = "Hello" %}
{% set never = "x" %}
{% block body %}
{% for item in lines %}{{ item.name }}{{ loop.index }}{% endfor %}
<a href={{ code }}>{{ code|upper }}</a> {{ message.subject }}
{% if user is defined %}{{ user.name }}{% endif %}{{ pet|default("") }}
{% endblock %}
"""


def said(folder: Folder, *contents: str, subject: str = "s") -> list[str]:
    sources = [
        Source(
            "SignIn",
            subject,
            content,
            locale=locale,
            syntax="jinja",
            file=Path("t/SignIn.html"),
            folder=folder,
            first_line=4,
            setting_lines={"subject": 2},
            place="t/SignIn.html",
        )
        for content, locale in zip(contents, ("", "fr"), strict=False)
    ]
    return [
        f"{one.file}:{one.row}:{one.column}: {one.level}: {one.text} ({one.kind})"
        for one in lint(sources, (), {})
    ]


def test_variables_sets_and_html_are_found_with_the_lines_of_their_files() -> None:
    folder = Folder(Path("t"), {"_layout.html": LAYOUT})
    logto = "Logto passes no such variable with SignIn"
    app = "if your app does, a kept test that has it says so"
    assert said(folder, SIGN_IN, subject="Code {{ codes }}") == [
        (
            f"t/SignIn.html:2:1: error: subject: {{{{codes}}}}: {logto}; did you mean "
            "code? (variable)"
        ),
        "t/SignIn.html:6:1: warning: {% set never %}: nothing uses it (unused)",
        f"t/SignIn.html:8:16: error: {{{{lines}}}}: {logto}; {app} (variable)",
        (
            "t/SignIn.html:9:1: error: {{ code }} in an attribute without quotes: a "
            "value could add attributes; put quotes around it (place)"
        ),
        # Asked for where it is there, as a layout of several usages does; no usage
        # has the other.
        f"t/SignIn.html:10:51: warning: {{{{pet}}}}: {logto}; {app} (variable)",
        "t/_layout.html:2:1: warning: {% set unread %}: nothing uses it (unused)",
        (
            "t/_layout.html:3:32: warning: float: not taken by Outlook for Windows "
            "(support)"
        ),
        (
            "t/_layout.html:4:1: error: an image without alt: readers with images off "
            "see nothing (image)"
        ),
        (
            "t/_layout.html:4:11: error: http://acme.example/logo.png: is not "
            "encrypted on its way; use https:// (link)"
        ),
        (
            f"t/_layout.html:6:1: error: {{{{application.nmae}}}}: {logto}; did you "
            "mean application.name? (variable)"
        ),
        f"t/_layout.html:6:1: error: {{{{brandname}}}}: {logto}; {app} (variable)",
    ]


def test_good_templates_with_a_layout_are_left_alone() -> None:
    layout = (
        "<p>{{ title }}</p>{% block body %}{% endblock %}"
        '{% if application %}<img alt="{{ application.name }}" '
        'src="{{ application.branding.logoUrl }}">{% endif %}'
    )
    content = (
        '{% extends "_layout.html" %}{% set title %}Hello{% endset %}'
        '{% block body %}<a href="https://acme.example/{{ code }}">{{ code }}</a>'
        "{% for name in [1, 2] %}{{ name }}{% endfor %}{{ locale|default('en') }}"
        "{% endblock %}"
    )
    folder = Folder(Path("t"), {"_layout.html": layout, "_more.txt": "{{ code }}"})
    assert said(folder, content, content) == []


def test_one_template_may_hold_several_languages() -> None:
    both = Source("SignIn", "s", "<p>", syntax="jinja", place="t")
    french = replace(both, locale="fr")
    for content, lacking in (
        ("{% if locale == 'fr' %}Bonjour{% endif %}", 0),
        ("Hello", 1),
    ):
        other = replace(both, usage_type="Generic", content=content)
        assert len(lint([french, both, other], (), {})) == lacking


def test_a_plain_text_that_is_shared_is_looked_at_as_one() -> None:
    folder = Folder(Path("t"), {"_foot.txt": "<img>\nhttp://acme.example/x"})
    assert said(folder, "<p>{{ code }}</p>") == [
        (
            "t/_foot.txt:2:1: error: http://acme.example/x: is not encrypted on its "
            "way; use https:// (link)"
        )
    ]


def test_what_is_no_jinja_is_an_error_at_its_line() -> None:
    assert said(Folder(Path("t")), "<p>\n{% if code %}\n{{ code }}") == [
        (
            "t/SignIn.html:6:1: error: Unexpected end of template. Jinja was looking "
            "for the following tags: 'elif' or 'else' or 'endif'. The innermost block "
            "that needs to be closed is 'if'. (syntax)"
        )
    ]
