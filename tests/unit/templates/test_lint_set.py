"""What the lint says of templates together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from relay.templates.kept import KeptTest
from relay.templates.lint_set import lint
from relay.templates.source import Folder, Source


def html(usage: str, locale: str = "", content: str = "<p>{{code}}</p>") -> Source:
    file = Path(f"{usage}.{locale}.html" if locale else f"{usage}.html")
    return Source(
        usage,
        "s",
        content,
        locale=locale,
        file=file,
        place=str(file),
        first_line=4,
    )


def kept(usage: str, text: str, variables: dict[str, object]) -> KeptTest:
    return KeptTest("a", Path("tests/a.json"), usage, "", variables, text)


def said(*sources: Source, tests: tuple[KeptTest, ...] = ()) -> list[str]:
    return [
        f"{one.file}:{one.row}:{one.column}: {one.level}: {one.text} ({one.kind})"
        for one in lint(sources, tests, {})
    ]


def test_that_nothing_is_known_of_a_usage_is_said_once() -> None:
    orders = (html("Order"), html("Order", "fr"))
    what = (
        "Order.html:4:1: warning: nothing says which variables Order has, so none of "
        "their names is checked; a kept test does (variable)"
    )
    assert said(*orders) == [what]
    assert said(html("Notice", content="<p>Hi {{message.to}}</p>")) == []
    known = lint(orders, (), {"Order": {"code": None}})
    assert known == []


def test_a_locale_that_others_have_is_missed() -> None:
    found = said(
        html("SignIn"),
        html("SignIn", "fr"),
        html("SignIn", "pt-BR"),
        html("Register"),
        html("Register", "pt"),
        html("Generic", "fr"),
    )
    assert found == [
        (
            "Generic.fr.html:4:1: warning: Generic has no template in pt-BR, pt, as "
            "others have; such mail gets Generic's, or is refused (locale)"
        ),
        (
            "Generic.fr.html:4:1: warning: Generic has no template without a locale; "
            "mail in any other language gets Generic's, or is refused (locale)"
        ),
        (
            "Register.html:4:1: warning: Register has no template in fr, as others "
            "have; such mail gets the one without a locale (locale)"
        ),
        (
            "SignIn.html:4:1: warning: SignIn has no template in pt, as others have; "
            "such mail gets the one without a locale (locale)"
        ),
    ]
    assert said(html("SignIn"), html("Register")) == []
    assert said(html("SignIn"), html("SignIn", "fr")) == []


def test_what_a_test_gives_and_no_template_uses_is_said_where_it_stands() -> None:
    text = '{"usage": "SignIn",\n "variables": {"nickname": "x", "code": "1"}}'
    test = kept("SignIn", text, {"nickname": "x", "code": "1", "application": {}})
    assert said(html("SignIn"), tests=(test,)) == [
        "tests/a.json:2:16: warning: nickname: no template of SignIn uses it (unused)"
    ]
    uses = html("SignIn", "fr", "<p>{{ nickname }}")
    assert said(html("SignIn"), uses, tests=(test,)) == [
        # A kept test makes a name known to `given`, which is not asked for here.
        (
            "SignIn.fr.html:4:4: error: {{nickname}}: Logto passes no such variable "
            "with SignIn; if your app does, a kept test that has it says so (variable)"
        )
    ]


def test_mail_is_measured_with_the_values_and_in_each_locale() -> None:
    lines = "<p>{{code}}{{lines}}</p>"
    test = kept("Order", '{"lines": ""}', {"lines": "x" * 102_000, "code": "1"})
    sizes = [
        line
        for line in said(html("Order", content=lines), tests=(test,))
        if "(size)" in line
    ]
    assert sizes == [
        "Order.html:4:1: warning: 102 kB of HTML: Gmail cuts it off at 102 kB (size)"
    ]
    large = html("SignIn", "fr", f"<p>{'x' * 102_000}{{{{code}}}}")
    assert said(html("SignIn"), large) == [
        (
            "SignIn.fr.html:4:1: warning: 102 kB of HTML in fr: Gmail cuts it off at "
            "102 kB (size)"
        )
    ]


def test_what_keeps_a_template_from_loading_is_an_error_beside_all_else() -> None:
    broken = html("SignIn", content="<p>\n {{code")
    assert said(broken, html("Register", content="<img>")) == [
        (
            "Register.html:4:1: error: an image without alt: readers with images off "
            "see nothing (image)"
        ),
        "SignIn.html:5:2: error: {{ is not closed (syntax)",
    ]
    twice = html("SignIn")
    assert said(twice, html("SignIn"))[0] == (
        "SignIn.html:1:1: error: a second template for usage SignIn, beside "
        "SignIn.html; keep one (syntax)"
    )


def test_what_mjml_includes_is_looked_at_in_its_own_lines(tmp_path: Path) -> None:
    shared = {
        "_foot.mjml": (
            "<mj-section>\n<mj-column>\n<mj-image src='https://a.example/i.png' />\n"
            "<mj-text><a href='http://a.example/{{code}}'>a</a></mj-text>\n"
            "</mj-column>\n</mj-section>\n"
        ),
        "_other.mjml": "<mj-image src='https://a.example/i.png' />",
    }
    for name, text in shared.items():
        (tmp_path / name).write_text(text)
    content = (
        '<mjml><mj-body><mj-section background-url="http://a.example/b.png">\n'
        "<mj-column><mj-text>{{code}}</mj-text></mj-column></mj-section>\n"
        '<mj-include path="_foot.mjml" /></mj-body></mjml>'
    )
    source = replace(
        html("Generic", content=content),
        content_type="text/mjml",
        folder=Folder(tmp_path, shared),
    )
    missing = "an image without alt: readers with images off see nothing (image)"
    insecure = "is not encrypted on its way; use https:// (link)"
    assert [line.removeprefix(f"{tmp_path}/") for line in said(source)] == [
        f"_foot.mjml:3:1: error: {missing}",
        f"_foot.mjml:4:19: error: http://a.example/…: {insecure}",
        f"Generic.html:4:44: error: http://a.example/b.png: {insecure}",
    ]
