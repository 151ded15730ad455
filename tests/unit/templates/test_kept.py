"""Kept tests: what their files may say, and when two mails are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.templates.catalog import Templates
from relay.templates.kept import (
    KeptError,
    KeptTest,
    differences,
    kept_tests,
    seen,
    stable,
)
from relay.templates.source import Source


def read(file: Path) -> str:
    return file.read_text("utf-8")


def read_tests(directory: Path, **texts: str) -> tuple[KeptTest, ...]:
    for name, text in texts.items():
        (directory / f"{name}.json").write_text(text, "utf-8")
    return kept_tests(directory, read)


def test_a_test_is_a_usage_a_locale_and_variables(tmp_path: Path) -> None:
    assert kept_tests(tmp_path / "none", read) == ()
    text = '{"usage": "SignIn", "locale": "fr", "variables": {"code": "1"}}'
    [b, test] = read_tests(tmp_path, signin=text, b='{"usage": "Generic"}')
    assert test == KeptTest(
        "signin", tmp_path / "signin.json", "SignIn", "fr", {"code": "1"}, text
    )
    assert test.kept == tmp_path / "signin.eml"
    assert (b.locale, b.variables) == ("", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"usage": "SignIn",\n oops}', ":2:2: Expecting property name enclosed"),
        ("[]", ": must be one object, such as"),
        ('{"usge": "SignIn"}', ": usge: unknown; there are usage, locale, variables; "),
        ("{}", ": usage: must name the usage, as in"),
        ('{"usage": 1}', ": usage: must name the usage, as in"),
        ('{"usage": "A", "locale": 1}', ": locale: must be a text, such as"),
        ('{"usage": "A", "variables": []}', ": variables: must be an object, such as"),
        ("[" * 90_000, ": is nested too deeply"),
    ],
)
def test_what_is_no_test_is_said_with_its_file(
    text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(KeptError) as caught:
        read_tests(tmp_path, a=text, b=text)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{tmp_path / 'a.json'}{said}")
    assert second.startswith(f"{tmp_path / 'b.json'}{said}")


def test_the_same_test_makes_the_same_bytes(tmp_path: Path) -> None:
    templates = Templates(
        [
            Source("SignIn", "Code {{code}}", "<p>{{code}} {{locale}}</p>"),
            Source("SignIn", "Code {{code}}", "<p>Voici</p>", locale="fr"),
        ],
        email_address="Acme <a@acme.example>",
    )
    text = '{"usage": "SignIn", "locale": "fr-CA", "variables": {"code": "1"}}'
    [test] = read_tests(tmp_path, a=text)
    made = test.mail(templates)
    assert made == test.mail(templates)
    assert b'boundary="=_1"' in made
    assert seen(made) == {
        "header": "From: Acme <a@acme.example>\nTo: Ann Example <ann@example.com>\n"
        "Subject: Code 1",
        "text": "Voici\n",
        "HTML": "<p>Voici</p>\n",
        "files": "",
    }


def test_each_boundary_has_its_own_number() -> None:
    one, other = b"=_" + b"a" * 24, b"=_" + b"b" * 24
    assert stable(one + other + one + b"=_" + b"a" * 23) == b"=_1=_2=_1=_" + b"a" * 23


MAIL = (
    b"Subject: =?utf-8?q?Code_1?=\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: %s\r\n\r\n%s"
)


def test_what_nobody_sees_is_no_difference() -> None:
    quoted = MAIL % (b"quoted-printable", b"<p>=\r\nx</p>\r\n")
    plain = MAIL % (b"7bit", b"<p>x</p>\r\n")
    assert list(differences("a.eml", quoted, plain)) == []


def test_each_part_that_differs_has_a_diff() -> None:
    kept = MAIL % (b"7bit", b"<p>a</p>\r\n<p>x</p>\r\n")
    made = kept.replace(b"Code_1", b"Code_2").replace(b"<p>x", b"<p>y")
    assert list(differences("a.eml", kept, made)) == [
        "--- a.eml: header, kept",
        "+++ a.eml: header, now",
        "@@ -1 +1 @@",
        "-Subject: Code 1",
        "+Subject: Code 2",
        "--- a.eml: text, kept",
        "+++ a.eml: text, now",
        "@@ -1,3 +1,3 @@",
        " a",
        " ",
        "-x",
        "+y",
        "--- a.eml: HTML, kept",
        "+++ a.eml: HTML, now",
        "@@ -1,2 +1,2 @@",
        " <p>a</p>",
        "-<p>x</p>",
        "+<p>y</p>",
    ]
