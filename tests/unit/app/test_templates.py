"""The templates that the settings name: of the file itself, and of a folder."""

from __future__ import annotations

import email
import os
import re
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from relay import config
from relay.app.templates import sources, templates
from relay.config import ConfigError
from relay.content.header import parse
from relay.model.mail import Priority
from relay.model.submission import Envelope
from relay.templates.catalog import TemplateError
from relay.templates.loaded import loaded
from relay.templates.placeholder import Problems
from relay.templates.source import Folder, Source
from tests.unit.templates.pictures import GIF, PNG

HTML = '+++\nsubject = "Your code is {{code}}"\n+++\n<p>{{code}}</p>\n'


def settings(
    directory: Path, files: dict[str, str], toml: str = 'templatesDir = "t"\n'
) -> config.Config:
    folder = directory / "t"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    file = directory / "config.toml"
    file.write_text(toml, "utf-8")
    return config.load(file, {})


def read(directory: Path, files: dict[str, str]) -> tuple[Source, ...]:
    return sources(settings(directory, files))


def refusal(directory: Path, files: dict[str, str], toml: str | None = None) -> str:
    chosen = settings(directory, files, *([] if toml is None else [toml]))
    with pytest.raises((ConfigError, TemplateError)) as caught:
        templates(chosen)
    return str(caught.value).replace(f"{directory}/", "")


def test_a_file_is_the_template_of_the_usage_and_locale_in_its_name(
    tmp_path: Path,
) -> None:
    french = (
        '+++ \r\nsubject = "Code"\r\nvalidFor = "10m"\r\nsend_from = "Acme"\r\n'
        "+++\r\n<p>\r\n</p>"
    )
    found = read(tmp_path, {"SignIn.html": HTML, "SignIn.fr-CA.html": french})

    folder = Folder(tmp_path / "t")
    assert found == (
        Source(
            "SignIn",
            "Code",
            "<p>\r\n</p>",
            locale="fr-CA",
            send_from="Acme",
            valid_for=600,
            priority=Priority.HIGH,
            place=f"{tmp_path}/t/SignIn.fr-CA.html",
            file=tmp_path / "t" / "SignIn.fr-CA.html",
            folder=folder,
            first_line=6,
            setting_lines={"subject": 2, "validFor": 3, "sendFrom": 4},
        ),
        Source(
            "SignIn",
            "Your code is {{code}}",
            "<p>{{code}}</p>\n",
            place=f"{tmp_path}/t/SignIn.html",
            file=tmp_path / "t" / "SignIn.html",
            folder=folder,
            first_line=4,
            setting_lines={"subject": 2},
        ),
    )


def test_a_text_beside_an_html_is_its_text_part_and_alone_a_template(
    tmp_path: Path,
) -> None:
    found = read(
        tmp_path,
        {
            "SignIn.html": HTML,
            "SignIn.txt": "Code: {{code}}\n",
            "SignIn.de.txt": '+++\nsubject = "Code"\n+++\nIhr Code: {{code}}\n',
            "SignIn.fr.html": HTML,
        },
    )

    german, french, plain = found
    assert (german.locale, german.content_type, german.content, german.text) == (
        *("de", "text/plain", "Ihr Code: {{code}}\n", ""),
    )
    assert (french.locale, french.content_type, french.text) == ("fr", "text/html", "")
    assert (plain.locale, plain.text) == ("", "Code: {{code}}\n")
    assert plain.text_file == tmp_path / "t" / "SignIn.txt"


def test_other_files_folders_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "t" / "old.html").mkdir(parents=True)
    (tmp_path / "t" / "tests").mkdir()
    (tmp_path / "t" / "tests" / "Register.html").write_text("no template")
    for name, text in {
        "SignIn.html": HTML,
        "SignIn.html~": "x",
        ".SignIn.html": "x",
        "logo.png": "x",
        "README": "x",
        "_layout.html": "<html>",
        "_note.txt": "note",
        "_other.css": "x",
    }.items():
        (tmp_path / "t" / name).write_text(text)
    file = tmp_path / "config.toml"
    file.write_text('templatesDir = "t"')

    [found] = sources(config.load(file, {}))

    assert found.usage_type == "SignIn"
    assert found.folder == Folder(
        tmp_path / "t", {"_layout.html": "<html>", "_note.txt": "note"}
    )


def test_a_folder_of_links_as_kubernetes_makes_it_is_read(tmp_path: Path) -> None:
    data = tmp_path / "t" / "..2026"
    data.mkdir(parents=True)
    (data / "SignIn.html").write_text(HTML)
    (tmp_path / "t" / "..data").symlink_to("..2026")
    (tmp_path / "t" / "SignIn.html").symlink_to("..data/SignIn.html")
    file = tmp_path / "config.toml"
    file.write_text('templatesDir = "t"')

    [found] = sources(config.load(file, {}))

    assert found.file == tmp_path / "t" / "SignIn.html"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "SignIn.html",
            "<p>{{code}}</p>",
            (
                "t/SignIn.html:1: must begin with its settings between two lines +++, "
                'such as subject = "Your code"'
            ),
        ),
        ("SignIn.html", "", "t/SignIn.html:1: must begin with its settings"),
        (
            "SignIn.html",
            '+++\nsubject = "x"\n<p>',
            "t/SignIn.html:1: the settings have no end; close them by a line +++",
        ),
        ("SignIn.html", "+++\n+++\n<p>", "t/SignIn.html:1: subject: is missing"),
        (
            "SignIn.html",
            '+++\nsubject = "x"\n\nsubject = "y"\n+++\n',
            "t/SignIn.html: is not TOML: Cannot overwrite a value (at line 4, ",
        ),
        (
            "SignIn.html",
            '+++\nsubject = "x"\nvalidFor = -1\n+++\n<p>',
            "t/SignIn.html:3: validFor = -1: must be a number of seconds",
        ),
        (
            "SignIn.html",
            '+++\nsubject = "x"\nsendFron = ""\n+++\n<p>',
            "t/SignIn.html:3: sendFron: unknown setting; did you mean sendFrom?",
        ),
        (
            "SignIn.html",
            '+++\nsubject = "x"\nlocale = "fr"\n+++\n<p>',
            (
                "t/SignIn.html:3: locale: is what the file's name has before its "
                "ending; leave it out"
            ),
        ),
        (
            "SignIn.html",
            '+++\nusage_type = "x"\nsubject = "x"\n+++\n<p>',
            (
                "t/SignIn.html:2: usage_type: is what the file's name begins with; "
                "leave it out"
            ),
        ),
        (
            "SignIn.html",
            '+++\nsubject = "x"\n\n+++\n<p>\n  {{ code }</p>\n',
            "t/SignIn.html:6:3: {{ is not closed",
        ),
        (
            "SignIn.html",
            '+++\n\nsubject = "{{message.code}}"\n+++\n<p>',
            "t/SignIn.html:3: subject: {{message.code}}: unknown; there are ",
        ),
        (
            "SignIn.fr_CA.html",
            HTML,
            (
                "t/SignIn.fr_CA.html: between the usage and the ending stands the "
                "locale, and 'fr_CA' is none, such as fr or fr-CA; did you mean "
                "SignIn.fr-CA.html?"
            ),
        ),
        ("SignIn.html.txt", HTML, "and 'html' is none, such as fr or fr-CA"),
        ("SignIn..html", HTML, "and '' is none, such as fr or fr-CA"),
        (
            "_layout.html",
            HTML,
            (
                "t/_layout.html:1: has settings, which only a template has; this file, "
                "whose name begins with _, is for extends, include and import"
            ),
        ),
    ],
)
def test_a_mistake_names_file_line_and_cure(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    assert said in refusal(tmp_path, {name: text})


def test_a_text_part_has_no_settings_and_no_second_place(tmp_path: Path) -> None:
    files = {
        "A.html": HTML,
        "A.txt": HTML,
        "B.html": '+++\nsubject = "x"\ntext = "y"\n+++\n<p>',
        "B.txt": "y",
        "C.html": HTML,
        "C.txt": " \n",
    }
    assert refusal(tmp_path, files).splitlines() == [
        (
            "t/A.txt:1: is the text part of the template beside it, whose settings "
            "count; take those at its top away"
        ),
        "t/C.txt: is empty; without it the text part is made of the HTML",
    ]
    for name in ("A.txt", "C.txt"):
        (tmp_path / "t" / name).unlink()
    with pytest.raises(ConfigError) as caught:
        sources(config.load(tmp_path / "config.toml", {}))
    assert str(caught.value) == (
        f"{tmp_path}/t/B.html:3: text: is given beside B.txt; keep one"
    )


def test_the_text_part_s_mistakes_have_its_own_lines(tmp_path: Path) -> None:
    files = {"A.html": HTML, "A.txt": "one\n{{code"}
    assert refusal(tmp_path, files) == "t/A.txt:2:1: {{ is not closed"


def test_a_usage_and_locale_that_stands_twice_is_refused_with_both_places(
    tmp_path: Path,
) -> None:
    toml = (
        'templatesDir = "t"\n[[templates]]\nusageType = "SignIn"\nlocale = "FR_ca"\n'
        'subject = "x"\ncontent = "y"\n'
    )
    assert refusal(tmp_path, {"SignIn.fr-CA.html": HTML}, toml) == (
        "t/SignIn.fr-CA.html: a second template for usage SignIn, locale fr-CA, "
        "beside config.toml: templates[0] (SignIn); keep one"
    )


def test_an_html_and_an_mjml_of_one_name_are_two_templates(tmp_path: Path) -> None:
    text = '+++\nsubject = "x"\ncontentType = "text/html"\n+++\n<p>'
    said = refusal(tmp_path, {"A.html": text, "A.mjml": text})
    assert said == (
        "t/A.mjml: a second template for usage A, beside t/A.html; keep one"
    )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, {}, 'templatesDir = "mails"') == (
        "config.toml: templatesDir = 'mails': mails is no directory that can be read"
    )


def test_what_is_wrong_with_several_files_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "B.html").write_bytes(b"\xff\xfe")
    (tmp_path / "t" / "C.html").symlink_to("nowhere.html")
    (tmp_path / "t" / "A.html").write_text("+++\n+++\n")
    file = tmp_path / "config.toml"
    file.write_text('templatesDir = "t"')
    with pytest.raises(ConfigError) as caught:
        sources(config.load(file, {}))
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "t/B.html: is UTF-16; save it as UTF-8",
        (
            "t/C.html: No such file or directory; must be a file that user "
            f"{os.geteuid()} may read"
        ),
    ]


def test_a_content_file_s_mistakes_have_its_own_lines(tmp_path: Path) -> None:
    toml = (
        '[[templates]]\nusageType = "SignIn"\nsubject = "x"\ncontentFile = "t/a.html"\n'
    )
    assert refusal(tmp_path, {"a.html": "\n\n {{ code"}, toml) == (
        "t/a.html:3:2: {{ is not closed"
    )


LAYOUT = (
    "<html><head><style>.a{color:red}\n.a:hover{top:0}</style></head><body>\n"
    '<img src="cid:logo.png" alt="Acme">{% block page %}{% endblock %}\n'
    '{% include "_foot.html" %}</body></html>\n'
)


def test_a_layout_s_images_and_styles_are_its_templates_too(tmp_path: Path) -> None:
    top = '+++\nsubject = "x"\ninlineCss = true\n+++\n'
    chosen = settings(
        tmp_path,
        {
            "_layout.html": LAYOUT,
            "_foot.html": '<p class="a">Foot</p><img src="cid:foot.gif">',
            "_other.html": '<img src="cid:none.png">',
            "A.html": f'{top}{{% extends "_layout.html" %}}<p class="a">x</p>',
            "B.html": top.replace("true", "false") + "{% extends '_layout.html' %}",
            "C.html": top + "<p>alone</p>",
        },
    )
    (tmp_path / "t" / "logo.png").write_bytes(PNG)
    (tmp_path / "t" / "foot.gif").write_bytes(GIF)
    found = {each.usage_type: each for each in sources(chosen)}
    problems = {name: Problems(name) for name in found}
    made = {name: loaded(found[name], problems[name]) for name in found}

    assert [problems[name].errors + problems[name].warnings for name in found] == [
        *([], [], [])
    ]
    kinds = {
        name: [image.split(b"\r\n")[0] for image in each.images]
        for name, each in made.items()
    }
    both = [b"Content-Type: image/png", b"Content-Type: image/gif"]
    assert kinds == {"A": both, "B": both, "C": []}
    assert '<p style="color: red;" class="a">x</p>' in made["A"].content
    folder, plain = found["A"].folder, found["B"].folder
    assert folder is not None
    assert plain is not None
    assert '<p style="color: red;" class="a">Foot</p>' in folder.shared["_foot.html"]
    assert ".a{color:red}" in folder.shared["_layout.html"]
    assert '<p class="a">Foot</p>' in plain.shared["_foot.html"]
    assert "cid:foot.gif" not in plain.shared["_foot.html"]


def test_what_is_wrong_in_a_layout_is_said_once_and_by_who_names_it(
    tmp_path: Path,
) -> None:
    page = '+++\nsubject = "x"\n+++\n{% extends "_layout.html" %}'
    files = {
        "_layout.html": LAYOUT.replace("logo.png", "../logo.png"),
        "_foot.html": '<img src="cid:none.png">',
        "_other.html": '<img src="cid:/none.png">',
        "A.html": page,
        "B.html": page,
    }
    assert refusal(tmp_path, files) == (
        "t/_layout.html:3: cid:../logo.png: leads out of t; what a template names is "
        "in it or below it"
    )


def test_inline_css_is_for_all_but_those_that_say_otherwise(tmp_path: Path) -> None:
    top = '+++\nsubject = "x"\n{}+++\n<style>p{{top:0}}</style><p>x</p>'
    chosen = settings(
        tmp_path,
        {"A.html": top.format(""), "B.html": top.format("inlineCss = false\n")},
        'templatesDir = "t"\ninlineCss = true\n',
    )
    assert [each.inline_css for each in sources(chosen)] == [True, False]


def test_what_has_no_effect_in_a_file_is_a_warning(tmp_path: Path) -> None:
    text = '+++\nsubject = "x"\noverLimit = "drop"\n+++\n<p>'
    found = templates(settings(tmp_path, {"A.html": text}))
    assert found.warnings[0] == (
        f'{tmp_path}/t/A.html:3: overLimit = "drop": has no effect without perRecipient'
    )


def test_the_syntax_and_the_time_zone_are_the_template_s_else_the_top_level_s(
    tmp_path: Path,
) -> None:
    files = {
        "_foot.html": "{{ name }}",
        "A.html": '+++\nsubject = "x"\nsyntax = "simple"\n+++\n{{ code }}',
        "B.html": '+++\nsubject = "x"\ntimezone = "Asia/Tokyo"\n+++\n{{ t|date }}',
        "c.html": "{% include '_foot.html' %}",
    }
    toml = (
        'syntax = "jinja"\ntimezone = "Europe/Berlin"\ntemplatesDir = "t"\n'
        '[[templates]]\nusageType = "C"\nsubject = "x"\ncontentFile = "t/c.html"\n'
    )
    (tmp_path / "t").mkdir()
    for name, text in files.items():
        (tmp_path / "t" / name).write_text(text)
    (tmp_path / "t" / "c.html").rename(tmp_path / "t" / "c.txt.in")
    file = tmp_path / "config.toml"
    file.write_text(toml.replace("t/c.html", "t/c.txt.in"))

    found = templates(config.load(file, {})).all

    assert [
        (one.usage, one.source.syntax, one.source.timezone, one.variables)
        for one in found
    ] == [
        ("C", "jinja", "Europe/Berlin", ("name",)),
        ("A", "simple", "Europe/Berlin", ("code",)),
        ("B", "jinja", "Asia/Tokyo", ("t",)),
    ]


def test_a_content_file_includes_what_stands_beside_it(tmp_path: Path) -> None:
    toml = (
        '[[templates]]\nusageType = "C"\nsubject = "x"\nsyntax = "jinja"\n'
        'contentFile = "t/c.html"\n'
    )
    files = {
        "_foot.html": "{{ name }}",
        "c.html": "\n{% include '_foot.html' %}{{ a|b }}",
    }
    assert refusal(tmp_path, files, toml) == "t/c.html:2: b: no such filter"


def test_a_time_zone_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be a time zone, such as"):
        settings(tmp_path, {}, 'timezone = "Mars/Base"')


def test_jinja_mjml_styles_and_images_go_together(tmp_path: Path) -> None:
    top = '+++\nsubject = "x"\n+++\n'
    chosen = settings(
        tmp_path,
        {
            "_layout.html": LAYOUT,
            "_foot.html": '<p class="a">Foot {{ code }}</p>',
            "A.html": top + '{% extends "_layout.html" %}{% block page %}<p class="a">'
            "{% for one in all %}<b>{{ one }}</b>{% endfor %}</p>{% endblock %}",
            "B.mjml": top + "<mjml><mj-body><mj-section>{% for one in all %}"
            "<mj-column><mj-text>{% if one > 1 %}{{ one|number }}{% endif %}</mj-text>"
            "</mj-column>{% endfor %}</mj-section></mj-body></mjml>",
        },
        'templatesDir = "t"\nsyntax = "jinja"\ninlineCss = true\n',
    )
    (tmp_path / "t" / "logo.png").write_bytes(PNG)
    made = templates(chosen)

    def html(usage: str) -> str:
        raw = made.choose(usage, "").apply(
            parse(b"From: a@acme.example\r\n\r\n"),
            Envelope("a@acme.example", ("ann@example.net",)),
            {"code": "1<2", "all": [1, 2000]},
        )
        mail = email.message_from_bytes(raw, policy=default)
        assert isinstance(mail, EmailMessage)
        body = mail.get_body(("html",))
        assert body is not None
        return str(body.get_content())

    styled = '<p style="color: red;" class="a">'
    assert f"{styled}<b>1</b><b>2000</b></p>" in html("A")
    assert f"{styled}Foot 1&lt;2</p>" in html("A")
    assert "@ses-relay.invalid" in html("A")
    compiled = html("B")
    # In either order of the classes: the compiler's versions differ in it.
    assert len(re.findall('class="[^"]*mj-column-per-100', compiled)) == 2
    assert "></div>" in compiled
    assert ">2,000</div>" in compiled
