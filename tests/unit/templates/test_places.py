"""Places of a template where a value does harm: what is named, and what is refused."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default

import pytest

from relay.content.header import parse
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.catalog import Templates
from relay.templates.lint import problems
from relay.templates.source import Source

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))


def templates(content: str, *, missing: str = "reject") -> Templates:
    return Templates([Source("Generic", "s", content, place="here")], missing=missing)


def html_of(content: str, value: object, *, missing: str = "reject") -> str:
    template = templates(content, missing=missing).choose("Generic", "")
    variables = {} if value is None else {"x": value}
    made = email.message_from_bytes(
        template.apply(parse(b""), ENVELOPE, variables), policy=default
    )
    assert isinstance(made, EmailMessage)
    html = made.get_body(("html",))
    assert html is not None
    return str(html.get_content()).strip()


def refusal(content: str, value: str) -> str:
    with pytest.raises(Refused) as caught:
        html_of(content, value)
    return str(caught.value.reply)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<a href={{x}}>", ["1: {{x}} in an attribute without quotes"]),
        (
            "<p>\n<b title={{ x }}y {{z}}>",
            ["2: {{ x }} in an ", "2: {{z}} in a "],
        ),
        ("<a href=\"javascript:f('{{x}}')\">", ["1: {{x}} in a javascript: link"]),
        ("<a href=' JavaScript&colon;f()'>", ["1: a javascript: link"]),
        ('\n<p style="background:URL( {{x}})">', ["2: {{x}} in a CSS url()"]),
        ("<style>\na{b:url('{{x}}')}</style>", ["2: {{x}} in a CSS url()"]),
        ('<p onclick="f({{x}})">', ["1: {{x}} in a script"]),
        ("<script>f({{x}})</script>", ["1: {{x}} in a script"]),
        ("<{{x}}>", ["1: {{x}} as the name of a tag"]),
        ("</{{x}}><h{{y}}>", ["1: {{x}} as the name", "1: {{y}} in the name"]),
        # All of these keep a value in its place.
        ('<a href="{{x}}" title=\'{{y}}\' style="color:{{z}}">{{x}} < {{y}}', []),
        ("<style>a{color:{{x}}}</style><p>{{y}}</p>", []),
        ("<!-- <p {{x}}> -->", []),
    ],
)
def test_lint_and_start_name_the_place(content: str, said: list[str]) -> None:
    made = templates(content)
    template = made.choose("Generic", "")
    errors = [
        f"{problem.line}: {problem.text}"
        for problem in problems(template, None)
        if (problem.kind, problem.level) == ("place", "error")
    ]
    assert len(errors) == len(said)
    assert all(map(str.startswith, errors, said))
    for error in errors:
        assert f"here.content:{error}" in made.warnings


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        " \x01JAVAscript:alert(1)",
        "java\nscript:alert(1)",
        "\ufeffjavascript:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "tel:112",
        "acme-app://reset",
        "httpx://a.example",
    ],
)
@pytest.mark.parametrize("place", ["href", "HREF", "action", "formaction"])
def test_a_link_to_another_scheme_is_refused_without_its_value(
    value: str, place: str
) -> None:
    reply = refusal(f'<a {place}=" {{{{ x }}}}">Go</a>', value)
    assert reply == (
        "550 5.6.0 Variable x leads to something other than http:, https:, mailto:"
    )


@pytest.mark.parametrize(
    "value",
    [
        "https://a.example/?a=1&b=javascript:x",
        "HTTP://a.example",
        "mailto:ann@example.net",
        "/reset?at=12:30",
        "reset?u=javascript:x",
        "#a:b",
        "//a.example",
        "?x:y",
        "",
        None,
    ],
)
def test_usual_and_relative_links_pass(value: str | None) -> None:
    html = html_of('<a href="{{x}}">Go</a>', value, missing="keep")
    shown = "{{x}}" if value is None else value.replace("&", "&amp;")
    assert html == f'<a href="{shown}">Go</a>'


@pytest.mark.parametrize(
    "content",
    [
        '<a href="https://a.example/{{x}}">',
        '<a href="/go?to={{x}}">',
        '<a href="#{{x}}">',
        '<a href="mailto:{{x}}">',
        '<p title="{{x}}">',
        '<a href="{{{x}}}">',
        "<a>{{x}}</a>",
    ],
)
def test_a_value_elsewhere_may_be_anything(content: str) -> None:
    value = "javascript:alert(1)"
    assert html_of(content, value) == content.replace("{{{x}}}", value).replace(
        "{{x}}", value
    )


def test_a_scheme_that_is_put_together_counts() -> None:
    for content in (
        '<a href="java{{x}}">',
        '<a href="{{x}}{{x}}">',
        "<!--[if mso]><v:rect href='{{x}}'><![endif]-->",
        "<a href={{x}}>",
    ):
        assert refusal(content, "script:x").startswith("550 5.6.0 Variable x leads")


def test_an_image_may_come_with_the_mail() -> None:
    for value in (
        "cid:logo",
        "data:image/png;base64,AA",
        "https://a.example/x",
        "x.png",
    ):
        assert html_of('<img src="{{x}}">', value) == f'<img src="{value}">'
    for value in ("javascript:x", "data:text/html,x", "file:///x", "mailto:a@b"):
        assert refusal('<iframe src="{{x}}">', value).startswith(
            "550 5.6.0 Variable x leads to something other than http:, https:, cid:"
        )


def test_a_template_of_another_kind_has_no_such_place() -> None:
    source = Source("Generic", "s", "{{x}}", content_type="text/plain", place="here")
    template = Templates([source]).choose("Generic", "")
    assert b"javascript:" in template.apply(parse(b""), ENVELOPE, {"x": "javascript:"})
    assert template.dangers == ()


@pytest.mark.parametrize(
    ("usage", "content", "missing", "said"),
    [
        ("OrganizationInvitation", "{{code}}", "reject", "is refused"),
        ("OrganizationInvitation", "{{code}}", "keep", "shows the placeholder"),
        ("OrganizationInvitation", "{{code}}", "empty", "has a gap"),
        ("MfaVerification", "{{ link }}", "reject", "is refused"),
    ],
)
def test_a_fallback_that_lacks_its_variable_is_a_warning(
    usage: str, content: str, missing: str, said: str
) -> None:
    start = f"no template for {usage}:"
    warnings = templates(content, missing=missing).warnings
    [found] = [each for each in warnings if each.startswith(start)]
    assert "Generic" in found
    assert content.replace(" ", "") in found
    assert found.endswith(said + (" there" if missing == "empty" else ""))
    own = Source(usage, "s", "hi", place="own")
    generic = Source("Generic", "s", content, place="here")
    for sources in ([own, generic], [Source("Generic", "s", "{{user.name}}")], []):
        others = Templates(sources, missing=missing).warnings
        assert not any(start in each for each in others)
