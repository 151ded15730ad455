"""`relay templates lint|preview|test`, as who writes templates runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server.test_life import relay_command

SETTINGS = """\
templatesDir = "templates"

[ses]
region = "eu-west-1"
emailAddress = "Acme <noreply@acme.example>"
"""
GOOD = """\
+++
subject = "Your code is {{code}}"
+++
<p>Hello,</p>
<p>{{code}}</p>
"""
BAD = """\
+++
subject = "Welcome {{nmae}}"
+++
<p style="float:left">{{code}}</p>
<a href="http://acme.example/{{code}}">Go</a>
<img src="cid:logo.png">
"""
FIRST = '{"usage": "SignIn", "variables": {"code": "123456"}}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with settings, and in `templates` one good template."""
    (tmp_path / "config.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "templates" / "tests").mkdir(parents=True)
    (tmp_path / "templates" / "SignIn.html").write_text(GOOD, "utf-8")
    return tmp_path


def test_lint_of_good_templates_ends_with_0(folder: Path) -> None:
    done = relay_command("templates", "lint", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "0 errors and 0 warnings in 1 template\n",
        "",
    )


def test_lint_says_file_line_column_and_rule(folder: Path) -> None:
    (folder / "templates" / "Register.fr.html").write_text(BAD, "utf-8")
    inline = SETTINGS + (
        '[[templates]]\nusageType = "Order"\nsubject = "Order"\n'
        'content = """<p>\n{{ord.number}} {{prodcut}}"""\n'
        '[[rules]]\nusage = "Order"\nvariables = { product = "Shop" }\n'
    )
    (folder / "config.toml").write_text(inline, "utf-8")

    done = relay_command("templates", "lint", cwd=folder)

    assert done.stderr == ""
    order = "config.toml: templates[0] (Order).content"
    register = "templates/Register.fr.html"
    assert done.stdout.splitlines() == [
        (
            f"{order}:1:1: warning: Order has no template in fr, as others have; such "
            "mail gets the one without a locale (locale)"
        ),
        (
            f"{order}:2:1: error: {{{{ord.number}}}}: nothing is known to pass it with "
            "Order; if your app does, a kept test that has it says so (variable)"
        ),
        (
            f"{order}:2:16: error: {{{{prodcut}}}}: nothing is known to pass it with "
            "Order; did you mean product? (variable)"
        ),
        (
            f"{register}:2:1: error: subject: {{{{nmae}}}}: Logto passes no such "
            "variable with Register; if your app does, a kept test that has it says so "
            "(variable)"
        ),
        (
            f"{register}:4:1: warning: Register has no template without a locale; mail "
            "in any other language gets Generic's, or is refused (locale)"
        ),
        f"{register}:4:11: warning: float: not taken by Outlook for Windows (support)",
        (
            f"{register}:5:10: error: http://acme.example/…: is not encrypted on its "
            "way; use https:// (link)"
        ),
        (
            f"{register}:6:1: error: an image without alt: readers with images off see "
            "nothing (image)"
        ),
        (
            f"{register}:6:1: warning: cid:logo.png: there is no such file in "
            "templates; mail shows a gap there, unless what it wraps brings that part "
            "(syntax)"
        ),
        (
            "templates/SignIn.html:4:1: warning: SignIn has no template in fr, as "
            "others have; such mail gets the one without a locale (locale)"
        ),
        "5 errors and 5 warnings in 3 templates",
    ]
    assert done.returncode == 1


def test_lint_has_the_same_as_json(folder: Path) -> None:
    (folder / "templates" / "SignIn.html").write_text(f"{GOOD}<img>\n", "utf-8")
    done = relay_command("templates", "lint", "--json", cwd=folder)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "problems": [
            {
                "file": "templates/SignIn.html",
                "line": 6,
                "column": 1,
                "level": "error",
                "rule": "image",
                "text": "an image without alt: readers with images off see nothing",
            }
        ],
        "errors": 1,
        "warnings": 0,
        "templates": 1,
    }


def test_a_kept_test_makes_its_variables_known(folder: Path) -> None:
    content = GOOD.replace("Hello", "Hello {{nickname}}")
    (folder / "templates" / "SignIn.html").write_text(content, "utf-8")
    assert relay_command("templates", "lint", cwd=folder).returncode == 1
    test = '{"usage": "SignIn", "variables": {"nickname": "Ann", "pet": "Tom"}}'
    (folder / "templates" / "tests" / "a.json").write_text(test, "utf-8")
    done = relay_command("templates", "lint", cwd=folder)
    assert (done.returncode, done.stdout) == (
        0,
        (
            "templates/tests/a.json:1:54: warning: pet: no template of SignIn uses it "
            "(unused)\n0 errors and 1 warning in 1 template\n"
        ),
    )


def test_what_is_not_closed_is_found_with_all_else(folder: Path) -> None:
    (folder / "templates" / "Register.html").write_text(
        '+++\nsubject = "x"\n+++\n<p>\n{{code\n', "utf-8"
    )
    done = relay_command("templates", "lint", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "templates/Register.html:5:1: error: {{ is not closed (syntax)"
    )


@pytest.mark.parametrize("command", [("lint",), ("preview", "out"), ("test",)])
def test_settings_that_cannot_be_read_end_with_2(
    command: tuple[str, ...], folder: Path
) -> None:
    (folder / "templates" / "tests" / "a.json").write_text("{\n oops", "utf-8")
    done = relay_command("templates", *command, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("templates/tests/a.json:2:2: Expecting property name")
    (folder / "config.toml").write_text("templatesDirs = 1\n", "utf-8")
    done = relay_command("templates", *command, cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "config.toml: templatesDirs: unknown setting; did you"
    )
    done = relay_command("templates", *command, "-c", "none.toml", cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_test_is_made_kept_and_compared(folder: Path) -> None:
    tests = folder / "templates" / "tests"
    done = relay_command("templates", "test", cwd=folder)
    assert done.returncode == 1
    assert "templates/tests: no tests yet. To make the first, write" in done.stdout

    (tests / "signin.json").write_text(FIRST, "utf-8")
    done = relay_command("templates", "test", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()[0]) == (
        1,
        (
            "signin: templates/tests/signin.eml is not there; relay templates test "
            "--update makes it"
        ),
    )
    for words, said in (
        (("--update",), "signin: new, kept\n1 of 1 as kept\n"),
        ((), "signin: same\n1 of 1 as kept\n"),
        (("--update", "signin"), "signin: same\n1 of 1 as kept\n"),
    ):
        done = relay_command("templates", "test", *words, cwd=folder)
        assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
    kept = (tests / "signin.eml").read_bytes()
    assert b"Subject: Your code is 123456\r\n" in kept


def test_what_differs_is_shown_part_by_part(folder: Path) -> None:
    tests = folder / "templates" / "tests"
    (tests / "signin.json").write_text(FIRST, "utf-8")
    assert relay_command("templates", "test", "--update", cwd=folder).returncode == 0
    changed = GOOD.replace("Hello,", "Good day,").replace("Your code is", "Code")
    (folder / "templates" / "SignIn.html").write_text(changed, "utf-8")

    done = relay_command("templates", "test", cwd=folder)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "signin: differs",
        "--- signin.eml: header, kept",
        "+++ signin.eml: header, now",
        "@@ -1,3 +1,3 @@",
        " From: Acme <noreply@acme.example>",
        " To: Ann Example <ann@example.com>",
        "-Subject: Your code is 123456",
        "+Subject: Code 123456",
        "--- signin.eml: text, kept",
        "+++ signin.eml: text, now",
        "@@ -1,3 +1,3 @@",
        "-Hello,",
        "+Good day,",
        " ",
        " 123456",
        "--- signin.eml: HTML, kept",
        "+++ signin.eml: HTML, now",
        "@@ -1,3 +1,3 @@",
        "-<p>Hello,</p>",
        "+<p>Good day,</p>",
        " <p>123456</p>",
        " ",
        "0 of 1 as kept",
    ]
    done = relay_command("templates", "test", "--update", cwd=folder)
    assert (done.returncode, done.stdout) == (
        0,
        "signin: changed, kept\n1 of 1 as kept\n",
    )
    assert relay_command("templates", "test", cwd=folder).returncode == 0


def test_a_test_whose_mail_is_refused_fails_alone(folder: Path) -> None:
    tests = folder / "templates" / "tests"
    (tests / "a.json").write_text('{"usage": "SignIn"}', "utf-8")
    (tests / "b.json").write_text(FIRST, "utf-8")
    done = relay_command("templates", "test", "--update", cwd=folder)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("a: refused: 550 5.6.0 ")
    assert done.stdout.splitlines()[1:] == ["b: new, kept", "1 of 2 as kept"]
    done = relay_command("templates", "test", "c", cwd=folder)
    assert (done.returncode, done.stderr) == (2, "no test c; there are: a, b\n")


def test_a_preview_is_written_to_a_directory_of_its_own(folder: Path) -> None:
    (folder / "templates" / "SignIn.fr.html").write_text(GOOD, "utf-8")
    done = relay_command("templates", "preview", "out/preview", cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "2 mails: out/preview/index.html\n",
        "",
    )
    out = folder / "out" / "preview"
    names = sorted(
        str(file.relative_to(out)) for file in out.rglob("*") if file.is_file()
    )
    assert names == [
        "gallery.css",
        "gallery.js",
        "index.html",
        *(
            f"mails/SignIn.{name}.html"
            for name in ("dark", "fr.dark", "fr.light", "light")
        ),
        "relay-preview.json",
    ]
    # What is gone from the templates goes from there; a file of others stays.
    (folder / "templates" / "SignIn.fr.html").unlink()
    (out / "mine.txt").write_text("mine", "utf-8")
    again = relay_command("templates", "preview", "out/preview", cwd=folder)
    assert again.returncode == 0
    assert not (out / "mails" / "SignIn.fr.dark.html").exists()
    assert (out / "mine.txt").exists()


def test_a_preview_overwrites_nothing_of_others(folder: Path) -> None:
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("mine", "utf-8")
    done = relay_command("templates", "preview", "site", cwd=folder)
    assert (done.returncode, done.stderr) == (
        2,
        (
            "site: is not empty, and no preview was written there; name another "
            "directory\n"
        ),
    )
    assert (folder / "site" / "index.html").read_text("utf-8") == "mine"
    done = relay_command("templates", "preview", "config.toml", cwd=folder)
    assert (done.returncode, done.stderr) == (
        2,
        "config.toml: is a file; name a directory\n",
    )
    # Nor by a list that was tampered with.
    (folder / "victim").write_text("mine", "utf-8")
    (folder / "out").mkdir()
    (folder / "out" / "relay-preview.json").write_text('["../victim"]', "utf-8")
    done = relay_command("templates", "preview", "out", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("out/relay-preview.json: is not as it was written")
    assert (folder / "victim").exists()


def test_a_mail_that_cannot_be_made_is_shown_as_such(folder: Path) -> None:
    content = GOOD + '<a href="{{link}}">Go</a>\n'
    (folder / "templates" / "SignIn.html").write_text(content, "utf-8")
    test = '{"usage": "SignIn", "variables": {"link": "javascript:alert(1)"}}'
    (folder / "templates" / "tests" / "a.json").write_text(test, "utf-8")
    done = relay_command("templates", "preview", "out", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("SignIn: 550 5.6.0 Variable link leads to something")
    page = (folder / "out" / "index.html").read_text("utf-8")
    assert "No mail: 550 5.6.0 Variable link leads" in page


LAYOUT = """\
<!doctype html><html><body><h1>{{ title }}</h1>{% block body %}{% endblock %}
{% if organization is defined %}<p>{{ organization.name }}</p>{% endif %}
</body></html>
"""
ORDER = """\
+++
subject = "{{ lines|length }} things"
syntax = "jinja"
+++
{% extends "_layout.html" %}
{% set title = "Your order" %}
{% block body %}
<ul>{% for line in lines %}<li>{{ line.name }}</li>{% endfor %}</ul>
<p>{{ at|date("long") }}</p>
{% endblock %}
"""


def test_all_three_know_jinja(folder: Path) -> None:
    templates = folder / "templates"
    (templates / "_layout.html").write_text(LAYOUT, "utf-8")
    (templates / "Order.html").write_text(ORDER, "utf-8")
    (templates / "SignIn.fr.html").write_text(GOOD, "utf-8")
    given = {"lines": [{"name": "Tea"}, {"name": "<Cup>"}], "at": "2026-12-24"}
    test = {"usage": "Order", "locale": "fr", "variables": given}
    (templates / "tests" / "order.json").write_text(json.dumps(test), "utf-8")

    lint = relay_command("templates", "lint", cwd=folder)
    assert (lint.returncode, lint.stdout.splitlines()) == (
        0,
        [
            (
                "templates/Order.html:5:1: warning: Order has no template in fr, as "
                "others have; such mail gets the one without a locale (locale)"
            ),
            "0 errors and 1 warning in 3 templates",
        ],
    )
    assert relay_command("templates", "test", "--update", cwd=folder).returncode == 0
    again = relay_command("templates", "test", cwd=folder)
    assert (again.returncode, again.stdout) == (0, "order: same\n1 of 1 as kept\n")
    kept = (templates / "tests" / "order.eml").read_text("utf-8")
    assert "24 d=C3=A9cembre 2026" in kept
    assert "<li>&lt;Cup&gt;</li>" in kept

    preview = relay_command("templates", "preview", "out", cwd=folder)
    assert (preview.returncode, preview.stdout) == (0, "4 mails: out/index.html\n")
    # One template for all languages is shown in each that the others have.
    for locale, date in (("", "December 24, 2026"), (".fr", "24 décembre 2026")):
        file = folder / "out" / "mails" / f"Order{locale}.light.html"
        assert date in file.read_text("utf-8")
