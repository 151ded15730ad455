"""MJML: compiled at load; what it does not understand comes through byte for byte."""

from __future__ import annotations

import email
import re
import sys
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.content.header import parse
from relay.model.submission import Envelope
from relay.templates.loaded import Loaded, loaded
from relay.templates.placeholder import Problems
from relay.templates.source import Folder, Source
from relay.templates.template import Template

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))


def source(
    content: str, *, folder: Path | None = None, syntax: str = "jinja", locale: str = ""
) -> Source:
    return Source(
        "SignIn",
        "s",
        content,
        content_type="text/mjml",
        syntax=syntax,
        locale=locale,
        place="SignIn.mjml",
        file=None if folder is None else folder / "SignIn.mjml",
        folder=None if folder is None else Folder(folder),
        first_line=4,
    )


def column(inner: str, head: str = "") -> str:
    return (
        f"<mjml><mj-head>{head}</mj-head><mj-body><mj-section><mj-column>{inner}"
        "</mj-column></mj-section></mj-body></mjml>"
    )


def made(content: str, **more: object) -> Loaded:
    problems = Problems("SignIn.mjml")
    found = loaded(source(content, **more), problems)  # type: ignore[arg-type] # as they are
    assert problems.errors == []
    return found


def errors(content: str, folder: Path | None = None) -> list[str]:
    problems = Problems("SignIn.mjml")
    loaded(source(content, folder=folder), problems)
    where = "\0" if folder is None else f"{folder}/"
    return [
        line.replace(where, "") for text in problems.errors for line in text.split("\n")
    ]


def test_mjml_becomes_html_that_mail_programs_take() -> None:
    html = made(column("<mj-text>Hi {{ name }}</mj-text>")).content
    assert html.startswith("<!doctype html>")
    assert "<!--[if mso | IE]><table" in html
    assert ">Hi {{ name }}</div>" in html
    assert "@media only screen and (min-width:480px)" in html
    assert "<mj-" not in html


def test_a_mail_has_the_values_in_both_parts() -> None:
    text = column(
        '<mj-text>Hi {{ name }}</mj-text><mj-button href="{{link}}">Go</mj-button>'
    )
    template = Template(
        source(text, syntax="simple"), email_address="", missing="reject"
    )
    assert (template.errors, template.warnings, template.dangers) == ([], [], ())
    raw = template.apply(
        parse(b""),
        ENVELOPE,
        {"name": "Ann <&>", "link": "https://acme.example/?a=1&b=2"},
    )
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    html, plain = mail.get_body(("html",)), mail.get_body(("plain",))
    assert html is not None
    assert plain is not None
    assert "Hi Ann &lt;&amp;&gt;</div>" in html.get_content()
    assert 'href="https://acme.example/?a=1&amp;b=2"' in html.get_content()
    assert "Hi Ann <&>" in plain.get_content()
    assert "https://acme.example/?a=1&b=2" in plain.get_content()


@pytest.mark.parametrize(
    "held",
    [
        "{{ name }} {{{ raw }}} {{user.name}}",
        "{{ a | default(\"b < c > & 'd'\") }} {% if a < b and c > d %}x{% endif %}",
        "a < b & c &nbsp; &copy; &#8199; <br> <img src=x> <p>no end",
        '<a href="{{ link }}?a=1&b=2" title=\'"\' {% if x %}class="a"{% endif %}>x</a>',
        "{% raw %}{{ as it is }}{% endraw %}{# <mj-text> #}",
        "<!--[if mso]><b>{{ x }}</b><![endif]-->",
        "\n  日本語 \u00a0\u200b é\n\n<b>\n{{ a\n| b }}</b>",
    ],
)
@pytest.mark.parametrize("element", ["mj-text", "mj-raw", "mj-table", "mj-button"])
def test_what_an_element_holds_comes_out_byte_for_byte(element: str, held: str) -> None:
    html = made(column(f"<{element}>{held}</{element}>")).content
    assert html.count(held) == 1


@pytest.mark.parametrize(
    "value",
    [
        "{{ link }}",
        "https://acme.example/?a=1&b={{ b }}&amp;c=3",
        '{% if a %}https://a.example{% else %}{{ b | default("c") }}{% endif %}',
    ],
)
def test_what_a_value_has_comes_out_byte_for_byte(value: str) -> None:
    html = made(column(f"<mj-button href='{value}'>x</mj-button>")).content
    assert 'href="' + re.sub('(?<![(c])"', "&quot;", value) + '"' in html


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "{{ a }}",
                    "{{{ b }}}",
                    '{{ c|d("<") }}',
                    "{% if a %}",
                    "{% endif %}",
                ),
                *("<p>", "</p>", "<br>", "<!-- x -->", "&", "<", '"', "'", "é", "\n"),
                *(
                    "{# n #}",
                    "{{",
                    "}}",
                    "{%",
                    "m0n0e",
                    "<mj-text>",
                    "</mj-raw",
                    "\x0b",
                ),
            ]
        ),
        max_size=12,
    ).map("".join)
)
def test_nothing_that_a_text_may_hold_is_touched(held: str) -> None:
    html = made(column(f"<mj-text>[{held}]</mj-text>")).content
    assert f"[{held}]" in html


def test_blocks_between_elements_stay_where_they_are() -> None:
    html = made(
        "{% set a = 1 %}\n<mjml><mj-body>\n{% for one in all %}<mj-section>"
        "{% if a %}<mj-column><mj-text>x</mj-text>{{ loose }}</mj-column>{% endif %}"
        "</mj-section>{% endfor %}</mj-body></mjml>\n{# end #}"
    ).content
    found = re.findall(r"\{[%{#].*?[%}#]\}|<div class=\"[^\"]*mj-column|>x<", html)
    assert [each.split(" mj")[0] for each in found] == [
        *("{% set a = 1 %}", "{% for one in all %}", "{% if a %}"),
        *('<div class="mj-outlook-group-fix', ">x<", "{{ loose }}", "{% endif %}"),
        *("{% endfor %}", "{# end #}"),
    ]


def test_the_html_is_in_the_language_of_the_template() -> None:
    assert '<html lang="fr-CA"' in made(column(""), locale="fr-CA").content
    german = column("").replace("<mjml>", '<mjml lang="de">')
    assert '<html lang="de"' in made(german, locale="fr").content


def test_nothing_is_loaded_that_the_template_does_not_name() -> None:
    html = made(column('<mj-text font-family="Roboto">x</mj-text>')).content
    assert "fonts.googleapis.com" not in html
    named = '<mj-font name="Roboto" href="https://acme.example/roboto.css"/>'
    text = column('<mj-text font-family="Roboto">x</mj-text>', named)
    assert "https://acme.example/roboto.css" in made(text).content


def test_messages_have_the_lines_of_the_mjml() -> None:
    content = (
        "<mjml>\n<mj-head>\n<mj-title>{{ message.a }}</mj-title></mj-head><mj-body>\n"
        "<mj-section>\n<mj-column>\n<mj-text>\nHi\n{{ message.b }}\n</mj-text>\n"
        '<mj-button href="{{ message.c }}">x</mj-button>\n'
        "<mj-raw><a href={{ d }}>\n\n</a>\n<{{ e }}></mj-raw>\n"
        "</mj-column></mj-section></mj-body></mjml>\n"
    )
    template = Template(
        source(content, syntax="simple"), email_address="", missing="keep"
    )
    assert sorted({error.partition(": unknown")[0] for error in template.errors}) == [
        "SignIn.mjml.content:10: {{ message.c }}",
        "SignIn.mjml.content:3: {{ message.a }}",
        "SignIn.mjml.content:8: {{ message.b }}",
    ]
    assert [danger.line for danger in template.dangers] == [11, 14]


def test_a_file_counts_its_settings_too(tmp_path: Path) -> None:
    text = "<mjml>\n<mj-body>\n<mj-foo/></mj-body></mjml>"
    assert errors(text, tmp_path)[0].startswith("SignIn.mjml:6: <mj-foo> in <mj-body>")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ["1: has no <mjml>; a layout is what mj-include includes"]),
        (
            "{% extends '_layout.html' %}",
            ["1: has no <mjml>; a layout is what mj-include includes"],
        ),
        ("<p>x</p>", None),
        ("<mjml>\n<mj-body>\n</mjml>", ["2: <mj-body> is not closed before </mjml>"]),
        ("<mjml>\n<mj-body>", None),
        (
            "<mjml><mj-body>\n</mj-section></mj-body></mjml>",
            ["2: </mj-section> closes nothing; <mj-body> is open"],
        ),
        (
            "<mjml>\n<mj-text>\nx",
            [
                "2: <mj-text> may not stand in <mjml>, which holds mj-body, mj-head",
                "2: <mj-text> is not closed; there is no </mj-text>",
                "1: <mjml> is not closed; there is no </mjml>",
            ],
        ),
        (
            column("\n<mj-txt>x</mj-txt>"),
            [
                (
                    "2: <mj-txt> in <mj-column> is no element that the compiler "
                    "has; did you "
                    "mean <mj-text>?"
                ),
                "2: text stands in <mj-txt>, and would be lost; put it into mj-text",
            ],
        ),
        (
            column("\n<div></div>"),
            [
                (
                    "2: <div> in <mj-column> is no element that the compiler has; "
                    "HTML goes "
                    "into mj-raw"
                ),
            ],
        ),
        (
            column("\nHello"),
            ["1: text stands in <mj-column>, and would be lost; put it into mj-text"],
        ),
        (
            "<mjml><mj-body>\n<mj-column></mj-column></mj-body></mjml>",
            [
                (
                    "2: <mj-column> may not stand in <mj-body>, which holds mj-hero, "
                    "mj-section, mj-wrapper"
                ),
            ],
        ),
        (
            column("\n<mj-image src=a.png />"),
            ["2: src of <mj-image> needs quotes around it"],
        ),
        (
            column("<mj-image\nsrc='a' src='b' />"),
            ["1: <mj-image> has src twice"],
        ),
        (
            column('\n<mj-image {% if a %}src="a"{% endif %} />'),
            [
                (
                    "2: {% if a %} stands between the attributes of <mj-image>; "
                    "MJML takes "
                    "it in a value, or between elements"
                ),
                (
                    "2: {% endif %} stands between the attributes of <mj-image>; "
                    "MJML takes "
                    "it in a value, or between elements"
                ),
            ],
        ),
        (
            column('\n<mj-image src="a" width="{{ w }}" />'),
            [
                (
                    "2: MJML leaves {{ w }} out; put it where its element shows it, "
                    "such as "
                    "into its text"
                ),
            ],
        ),
        (
            column("<mj-social>\n{{ x }}</mj-social>"),
            [
                (
                    "2: {{ x }} may not stand in <mj-social>; put it into the text "
                    "or the "
                    "value of an element"
                ),
            ],
        ),
        (column("\n<!-- no end"), None),
        (column("\na < b"), None),
    ],
)
def test_a_mistake_is_named_with_its_line(content: str, said: list[str] | None) -> None:
    found = errors(content)
    if said is None:
        assert re.match(r"SignIn\.mjml\.content:[12]: ", found[0])
    else:
        assert found == [f"SignIn.mjml.content:{each}" for each in said]


def test_without_the_extra_the_message_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mjml", None)
    assert errors(column("")) == [
        "SignIn.mjml: is MJML, which needs the extra: pip install 'ses-relay[mjml]'"
    ]


def test_an_include_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "_head.mjml").write_text(
        '<mj-attributes><mj-all color="red"/></mj-attributes>'
    )
    (tmp_path / "below" / "foot.mjml").write_bytes(
        "\ufeff<mj-section>\r\n<mj-column><mj-include path='_line.mjml'/>"
        "</mj-column></mj-section>".encode()
    )
    (tmp_path / "_line.mjml").write_text("<mj-text>Foot of {{ name }} & <br></mj-text>")
    (tmp_path / "_a.css").write_text(".a { color: {{ color }} }")
    (tmp_path / "_b.html").write_text("<p>raw {{ b }}<br>")
    html = made(
        "<mjml><mj-head><mj-include path='_head.mjml'/>"
        '<mj-include path="_a.css" type="css"></mj-include></mj-head><mj-body>'
        '<mj-include path="below/foot.mjml" /><mj-include path="_b.html" type="html"/>'
        "</mj-body></mjml>",
        folder=tmp_path,
    ).content
    assert ">Foot of {{ name }} & <br></div>" in html
    assert "color:red;" in html
    assert ".a { color: {{ color }} }</style>" in html
    assert "<p>raw {{ b }}<br>" in html


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../out.mjml", "leads out of FOLDER; what a template names is in it or below"),
        ("/etc/passwd", "leads out of FOLDER; what a template names is in it or below"),
        ("link.mjml", "is a link that leads out of FOLDER; copy the file into it"),
        ("none.mjml", "there is no such file in FOLDER"),
        ("self.mjml", "includes itself"),
        ("latin.mjml", "is not UTF-8"),
        (
            "whole.mjml",
            "a file that is included is no whole <mjml>; keep what stands i",
        ),
        ("open.mjml", "<mj-section> is not closed in this file"),
        ("{{ name }}", "mj-include needs a path, a fixed one: it is read once"),
        ("https://acme.example/a.mjml", "there is no such file in FOLDER"),
    ],
)
def test_an_include_stays_inside_the_folder(
    tmp_path: Path, path: str, said: str
) -> None:
    folder = tmp_path / "t"
    folder.mkdir()
    (tmp_path / "out.mjml").write_text("<mj-section></mj-section>")
    (folder / "link.mjml").symlink_to(tmp_path / "out.mjml")
    (folder / "self.mjml").write_text('\n<mj-include path="self.mjml"/>')
    (folder / "latin.mjml").write_bytes(b"\xe9")
    (folder / "whole.mjml").write_text("\n<mjml></mjml>")
    (folder / "open.mjml").write_text("\n<mj-section>")
    content = f'<mjml><mj-body>\n<mj-include path="{path}"/></mj-body></mjml>'
    (found, *_) = errors(content, folder)
    own = path in ("self.mjml", "whole.mjml", "open.mjml")
    place = f"{path}:2: " if own else "SignIn.mjml:5: "
    assert found.startswith(place)
    assert said in found.replace(str(folder), "FOLDER")


def test_without_a_folder_there_is_no_include() -> None:
    (found,) = errors('<mjml><mj-body><mj-include path="a.mjml"/></mj-body></mjml>')
    assert found == (
        "SignIn.mjml.content:1: mj-include a.mjml: there is no folder to look for it; "
        "set templatesDir, or contentFile instead of content"
    )


def test_an_inline_style_is_put_at_its_elements() -> None:
    html = made(
        column(
            '<mj-text css-class="a"><b class="b">{{ x }}</b></mj-text>',
            '<mj-style inline="inline">.b { color: {{ c }} }</mj-style>'
            "<mj-style>.b { margin: 0 }</mj-style>",
        )
    ).content
    assert '<b style="color: {{ c }};" class="b">{{ x }}</b>' in html
    assert ".b { margin: 0 }</style>" in html
    assert html.count("{{ c }}") == 1


def test_an_image_that_is_not_there_is_said_of_its_own_line(tmp_path: Path) -> None:
    text = column('<mj-text>\na</mj-text>\n<mj-image alt="" src="cid:logo.png" />')
    found = source(text, folder=tmp_path)
    problems = Problems(found.place, named=found.at)
    loaded(found, problems)
    [warning] = problems.warnings
    assert warning.startswith(f"{tmp_path}/SignIn.mjml:6: cid:logo.png: there is no")
