"""Templates: what they compile to, which one is chosen, what they make of values."""

from __future__ import annotations

import email
from contextlib import suppress
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest

from relay.content.header import parse
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates import samples
from relay.templates.catalog import TemplateError, Templates
from relay.templates.lint import problems
from relay.templates.source import Source
from tests.worst_input import is_linear, repeated

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))
ORIGINAL = (
    b"From: App <app@acme.example>\r\nTo: ann@example.net\r\n"
    b"Subject: old =?utf-8?q?=C3=A9?=\r\n\r\nold <body>\r\n"
)


def source(
    content: str = "<p>{{code}}</p>",
    subject: str = "Hi",
    **more: Any,  # noqa: ANN401 - fields of any type
) -> Source:
    return Source("SignIn", subject, content, **{"place": "here", **more})


def applied(
    template: Source,
    variables: dict[str, Any] | None = None,
    *,
    original: bytes = ORIGINAL,
    envelope: Envelope = ENVELOPE,
    email_address: str = "",
    missing: str = "reject",
) -> EmailMessage:
    templates = Templates([template], email_address=email_address, missing=missing)
    content = templates.choose("SignIn", "").apply(
        parse(original), envelope, variables or {}
    )
    made = email.message_from_bytes(content, policy=default)
    assert isinstance(made, EmailMessage)
    return made


def body(made: EmailMessage, kind: str) -> str:
    part = made.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


def refusal(template: Source, variables: dict[str, Any], **more: Any) -> str:  # noqa: ANN401
    with pytest.raises(Refused) as caught:
        applied(template, variables, **more)
    return str(caught.value.reply)


def problem(*sources: Source) -> str:
    with pytest.raises(TemplateError) as caught:
        Templates(sources)
    return str(caught.value)


def test_trap_19_values_are_escaped_in_html_and_never_in_text_or_headers() -> None:
    made = applied(
        source("<p>Hi {{user.name}}</p>", "Hi {{user.name}}"),
        {"user": {"name": "<b>&\"'"}},
    )
    assert body(made, "html") == "<p>Hi &lt;b&gt;&amp;&quot;&#x27;</p>"
    assert body(made, "plain") == "Hi <b>&\"'"
    assert made["Subject"] == "Hi <b>&\"'"


def test_three_braces_put_a_value_unescaped() -> None:
    made = applied(source("<p>{{{ code }}}</p>"), {"code": "<i>1</i>"})
    assert body(made, "html") == "<p><i>1</i></p>"


def test_trap_19_a_value_is_never_rendered_again() -> None:
    made = applied(source("{{a}}{{b}}", "{{a}}"), {"a": "{{b}}", "b": "{{a}}"})
    assert body(made, "html") == "{{b}}{{a}}"
    assert body(made, "plain") == "{{b}}{{a}}"
    assert made["Subject"] == "{{b}}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (None, ""),
        (1.0, "1"),
        (1e2, "100"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (0.00001, "0.00001"),
        (1.5e-7, "1.5e-7"),
        (1e21, "1e+21"),
        (1.25e25, "1.25e+25"),
        (12345678901234567890123, "12345678901234567890123"),
        pytest.param(10**5000, "1" + "0" * 5000, id="5001 digits"),
        ("", ""),
    ],
)
def test_values_print_as_in_javascript(value: object, text: str) -> None:
    made = applied(source("{{x}}.", content_type="text/plain"), {"x": value})
    assert str(made.get_content()).strip() == f"{text}."


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.0", "a"),
        ("list.1.b", "c"),
        ("list.00", ""),
        ("list.9", ""),
        ("list.99999999999999999999", ""),
        ("list.length", ""),
        ("text.0", ""),
        ("none.x", ""),
        ("list.0.", ""),
    ],
)
def test_a_leaf_that_is_not_there_is_empty(name: str, text: str) -> None:
    values = {"list": ["a", {"b": "c"}], "text": "abc", "none": None}
    made = applied(source(f"[{{{{{name}}}}}]", content_type="text/plain"), values)
    assert str(made.get_content()).strip() == f"[{text}]"


@pytest.mark.parametrize("value", [{"a": "SECRET"}, ["SECRET"]])
def test_an_object_as_a_leaf_is_refused_without_its_value(value: object) -> None:
    reply = refusal(source("{{x}}"), {"x": value})
    assert reply.startswith("550 5.6.0 ")
    assert "x" in reply
    assert "SECRET" not in reply


def test_missing_variables_are_all_named_once() -> None:
    reply = refusal(
        source("{{b}}{{c}}{{b}}", "{{a.b}}", send_from="{{d}}"), {"c": "SECRET"}
    )
    assert reply.startswith("550 5.6.0 ")
    assert {"a", "b", "d"} <= set(reply.replace(",", " ").split())
    assert "SECRET" not in reply


def test_missing_variables_stay_or_go_as_the_setting_says() -> None:
    template = source(
        "[{{ code }}][{{{ x }}}]", "[{{code}}]", content_type="text/plain"
    )
    kept = applied(template, missing="keep")
    assert str(kept.get_content()).strip() == "[{{ code }}][{{{ x }}}]"
    assert kept["Subject"] == "[{{code}}]"
    emptied = applied(template, missing="empty")
    assert str(emptied.get_content()).strip() == "[][]"
    assert emptied["Subject"] == "[]"


def test_what_is_no_variable_stays_and_is_a_warning() -> None:
    template = source(
        "{{.code}} {{#if x}} {{user-name}} {a}", content_type="text/plain"
    )
    made = applied(template)
    assert str(made.get_content()).strip() == "{{.code}} {{#if x}} {{user-name}} {a}"
    warnings = "\n".join(Templates([template]).warnings)
    for odd in ("{{.code}}", "{{#if x}}", "{{user-name}}"):
        assert odd in warnings


def test_names_are_ascii() -> None:
    made = applied(source("{{é}}", content_type="text/plain"), {"é": "no"})
    assert str(made.get_content()).strip() == "{{é}}"


def test_unclosed_braces_are_refused_with_the_place() -> None:
    text = problem(source("<p>\n  {{code</p>", subject="{{x"))
    assert "here" in text
    assert "2:3" in text
    assert "1:1" in text
    assert len(text.splitlines()) == 2


def test_an_unknown_message_variable_is_refused_with_the_known_ones() -> None:
    text = problem(source("{{message.body}}"))
    assert "message.body" in text
    assert "message.html" in text


def test_message_without_a_dot_is_the_clients_own() -> None:
    made = applied(source("{{message}}"), {"message": "mine"})
    assert body(made, "html") == "mine"
    assert "message" in refusal(source("{{message}}"), {})


def test_what_is_built_in_cannot_be_overridden() -> None:
    template = source(
        "{{message.from}}|{{message.to}}|{{message.subject}}|{{message.text}}|"
        "{{message.html}}",
        content_type="text/plain",
    )
    made = applied(template, {"message": {"from": "X", "text": "Y"}})
    assert " ".join(str(made.get_content()).split()) == (
        "App <app@acme.example>|ann@example.net|old é|old <body> |old &lt;body&gt;"
        + ("<br>" if "<br>" in str(made.get_content()) else "")
    )


def test_two_templates_for_one_usage_and_locale_are_refused() -> None:
    text = problem(source(locale="fr_CA"), source(locale="fr-ca"))
    assert "SignIn" in text
    assert "fr" in text


def test_every_problem_is_listed() -> None:
    text = problem(source("{{a"), source("{{b"), source(attachments="perhaps"))
    assert len(text.splitlines()) >= 3


@pytest.mark.parametrize(
    ("setting", "value"),
    [("content_type", "text/rtf"), ("attachments", "perhaps"), ("usage_type", "")],
)
def test_settings_without_meaning_are_refused(setting: str, value: str) -> None:
    fields: dict[str, Any] = {"usage_type": "A", "subject": "s", "content": "c"}
    with pytest.raises(TemplateError):
        Templates([Source(**{**fields, setting: value})])


def chosen(locale: str, *locales: str, usage: str = "SignIn") -> str:
    sources = [source(subject=tag, locale=tag) for tag in locales]
    sources.append(Source("Generic", "g", "g", locale="de", place="g"))
    sources.append(Source("Generic", "g", "g", place="g"))
    template = Templates(sources).choose(usage, locale)
    return f"{template.usage} {template.locale}".strip()


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("fr-CA", "SignIn fr-CA"),
        ("FR_ca", "SignIn fr-CA"),
        ("fr-BE", "SignIn fr"),
        ("fr-CA-x-one", "SignIn fr-CA"),
        ("de", "Generic de"),
        ("en", "Generic"),
        ("", "Generic"),
        ("-" * 500, "Generic"),
    ],
)
def test_the_best_locale_is_chosen_then_generic(locale: str, expected: str) -> None:
    assert chosen(locale, "fr", "fr-CA") == expected


def test_a_template_without_a_locale_goes_before_generic() -> None:
    assert chosen("de", "fr", "") == "SignIn"


def test_usage_names_are_compared_exactly() -> None:
    assert chosen("", "", usage="signin") == "Generic"


def test_an_unknown_usage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refused) as caught:
        Templates([source()]).choose("Nö\r\n" + "x" * 2000, "")
    reply = str(caught.value.reply)
    assert reply.startswith("550 5.6.0 ")
    assert "N?" in reply
    assert "SignIn" in reply
    assert len(reply) < 500


def test_a_usage_with_locales_only_and_absent_standard_usages_are_warnings() -> None:
    warnings = "\n".join(Templates([source(locale="fr")]).warnings)
    for usage in ("Register", "ForgotPassword", "Generic", "SignIn"):
        assert usage in warnings


def test_validity_and_supersedes_are_the_templates() -> None:
    template = Templates([source(valid_for=600, supersedes=True)]).choose("SignIn", "")
    assert (template.valid_for, template.supersedes) == (600, True)


# From and Reply-To.


@pytest.mark.parametrize(
    ("send_from", "email_address", "expected"),
    [
        ("", "", "App <app@acme.example>"),
        ("", "Acme.io <n@acme.example>", '"Acme.io" <n@acme.example>'),
        ("", "<n@acme.example>", "n@acme.example"),
        ("Desk", "Acme <n@acme.example>", "Desk <n@acme.example>"),
        ("Desk", "", "Desk <app@acme.example>"),
        ("Ac, me <x@y.example>", "n@acme.example", '"Ac, me" <x@y.example>'),
        ("{{name}} <x@y.example>", "", '"a@evil.example" <x@y.example>'),
        ("{{name}}", "n@acme.example", '"a@evil.example" <n@acme.example>'),
        ("{{empty}}", "n@acme.example", "n@acme.example"),
        (" {{empty}} ", "", "App <app@acme.example>"),
        ("{{local}}@y.example", "", "desk@y.example"),
    ],
)
def test_from(send_from: str, email_address: str, expected: str) -> None:
    values = {"name": '<a@evil.example>"', "empty": "", "local": "desk"}
    made = applied(
        source("x", send_from=send_from), values, email_address=email_address
    )
    assert made["From"] == expected


def test_a_display_name_outside_ascii_is_encoded() -> None:
    made = applied(source("x"), email_address="Été, Ac.me <n@acme.example>")
    assert made["From"].addresses[0].display_name == "Été, Ac.me"
    assert made["From"].addresses[0].addr_spec == "n@acme.example"


@pytest.mark.parametrize("setting", ["send_from", "reply_to"])
@pytest.mark.parametrize("value", ["", "no address", "a@b@c", "a@b, c@d", "x@-"])
def test_a_wrong_address_is_refused_and_names_the_setting(
    setting: str, value: str
) -> None:
    template = source("x", **{setting: "Desk <{{address}}>"})
    reply = refusal(template, {"address": value})
    assert reply.startswith("550 5.6.0 ")
    assert {"send_from": "sendFrom", "reply_to": "replyTo"}[setting] in reply
    assert not value or value not in reply


def test_no_from_at_all_is_the_sender_and_a_null_sender_is_refused() -> None:
    made = applied(source("x"), original=b"Subject: s\r\n\r\nx\r\n")
    assert made["From"] == "app@acme.example"
    null = Envelope(None, ("ann@example.net",))
    reply = refusal(source("x"), {}, original=b"Subject: s\r\n\r\n", envelope=null)
    assert reply.startswith("550 5.6.0 ")


def test_a_name_alone_takes_the_first_address_of_the_original() -> None:
    original = b"From: A <a@x.example>, B <b@x.example>\r\n\r\nx\r\n"
    made = applied(source("x", send_from="Desk"), original=original)
    assert made["From"] == "Desk <a@x.example>"
    made = applied(
        source("x", send_from="Desk"), original=b"From: a@x.example (Ann)\r\n\r\n"
    )
    assert made["From"] == "Desk <a@x.example>"
    name = b"=?utf-8?q?=3Cb=40x.example=3E?="  # whatever it looks like
    made = applied(
        source("x", send_from="Desk"),
        original=b"From: " + name + b" <a@x.example>\r\n\r\n",
    )
    assert made["From"] == "Desk <a@x.example>"


def test_line_ends_in_settings_and_values_make_no_header() -> None:
    made = applied(
        source(
            "x",
            "a\n{{v}}",
            send_from="De\r\nsk <a@b.example>",
            reply_to="{{v}} <c@d.example>",
        ),
        {"v": "x\r\nBcc: evil@example.net\r\n\r\nbody"},
    )
    assert made["Bcc"] is None
    assert made["Subject"] == "a x  Bcc: evil@example.net    body"
    assert made["Reply-To"].addresses[0].addr_spec == "c@d.example"


def test_reply_to_is_the_templates_or_the_originals() -> None:
    original = ORIGINAL.replace(b"Subject", b"Reply-To: r@x.example\r\nSubject", 1)
    assert applied(source("x"), original=original)["Reply-To"] == "r@x.example"
    template = source("x", reply_to="{{r}}")
    assert applied(template, {"r": ""}, original=original)["Reply-To"] == "r@x.example"
    made = applied(template, {"r": "z@x.example"}, original=original)
    assert made.get_all("Reply-To") == ["z@x.example"]


def test_sender_goes_with_the_from_that_it_belonged_to() -> None:
    original = ORIGINAL.replace(b"Subject", b"Sender: s@x.example\r\nSubject", 1)
    assert applied(source("x"), original=original)["Sender"] == "s@x.example"
    made = applied(source("x"), original=original, email_address="n@acme.example")
    assert made["Sender"] is None


# Bodies.


def test_own_text_goes_before_the_text_of_the_html() -> None:
    made = applied(source("<p>{{code}}</p>", text="Code: {{code}}"), {"code": "<1>"})
    assert body(made, "plain") == "Code: <1>"
    assert body(made, "html") == "<p>&lt;1&gt;</p>"


def test_a_value_in_a_link_is_in_the_text_as_it_is() -> None:
    made = applied(source('<a href="{{u}}">Go</a>'), {"u": "https://x.example/?a=1&b"})
    assert body(made, "plain") == "Go <https://x.example/?a=1&b>"


def test_plain_text_makes_a_single_part() -> None:
    made = applied(source("a & {{x}}", content_type="text/plain"), {"x": "<b>"})
    assert made.get_content_type() == "text/plain"
    assert str(made.get_content()).strip() == "a & <b>"


def test_a_template_wraps_the_legacy_mail() -> None:
    made = applied(source("<h1>Acme</h1>{{message.html}}"))
    assert "old &lt;body&gt;" in body(made, "html")
    assert body(made, "plain").strip() == "Acme\n\nold <body>"


def test_an_empty_original_has_its_recipient_only() -> None:
    template = source("[{{message.to}}][{{message.subject}}][{{message.text}}]")
    made = applied(template, original=b"", email_address="n@acme.example")
    assert body(made, "html") == "[ann@example.net][][]"
    assert made["To"] == "ann@example.net"


def test_there_is_a_sample_for_each_of_logtos_usages() -> None:
    templates = Templates(samples.sources(), email_address="n@acme.example")
    assert set(templates.usages) == {
        "SignIn",
        "Register",
        "ForgotPassword",
        "OrganizationInvitation",
        "Generic",
        "UserPermissionValidation",
        "BindNewIdentifier",
        "MfaVerification",
        "BindMfa",
    }
    assert templates.warnings == ()
    values = {"link": "https://x.example/i", "organization": {"name": "Acme"}}
    for usage in templates.usages:
        content = templates.choose(usage, "en").apply(
            parse(b""), ENVELOPE, {**values, "code": "123456"}
        )
        made = email.message_from_bytes(content, policy=default)
        assert isinstance(made, EmailMessage)
        invitation = usage == "OrganizationInvitation"
        expected = "https://x.example/i" if invitation else "123456"
        assert expected in body(made, "plain")
        assert expected in body(made, "html")


@pytest.mark.parametrize("setting", ["send_from", "reply_to"])
def test_an_idn_domain_becomes_a_labels(setting: str) -> None:
    template = source("x", **{setting: "Desk <desk@bücher.example>"})
    made = applied(template, email_address="n@bücher.example")
    name = {"send_from": "From", "reply_to": "Reply-To"}[setting]
    assert made[name] == "Desk <desk@xn--bcher-kva.example>"
    assert applied(source("x"), email_address="n@bücher.example")["From"] == (
        "n@xn--bcher-kva.example"
    )


def test_braces_written_as_entities_are_no_variable_in_the_text_either() -> None:
    made = applied(source("<p>&#123;&#123;code}} {{x}}</p>"), {"x": "1"})
    assert body(made, "plain") == "{{code}} 1"


def test_a_long_thing_in_braces_is_a_warning_too() -> None:
    (warning, _) = Templates([source("{{#if " + "x" * 500 + "}}")]).warnings
    assert "{{#if xxx" in warning
    assert len(warning) < 200


def test_javascripts_blanks_may_stand_in_the_braces() -> None:
    for (
        blank
    ) in "\t\n\v\f\r \u00a0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff":
        template = source(f"<p>{{{{{blank}code{blank}}}}}</p>", f"{{{{{blank}code}}}}")
        made = applied(template, {"code": "123456"})
        assert body(made, "html") == "<p>123456</p>"
        assert made["Subject"] == "123456"
    for other in "\x1c\x85\u180e\u200b":
        template = source(f"{{{{{other}code}}}}", content_type="text/plain")
        assert f"{{{{{other}code}}}} is no variable" in " ".join(
            Templates([template]).warnings
        )


@pytest.mark.parametrize(
    "piece",
    ["{{", "{{ ", "{{{a}}", "{{#}}", "<a {{x}} ", "<img ", "<p style='url(", "<{{x}}"],
)
def test_twice_the_template_takes_twice_the_time(piece: str) -> None:
    def compiled(content: str) -> None:
        try:
            [template] = Templates([source(content)], missing="keep").all
        except TemplateError:
            return
        problems(template, None)

    assert is_linear(compiled, repeated(piece, "", "{{code}}>"))


@pytest.mark.parametrize(
    "piece", ["=?x", "<a@b", '\\"', "(\\(", "@", " ", "é ", "<", '"']
)
def test_twice_the_value_takes_twice_the_time(piece: str) -> None:
    template = source(
        '<a href="{{v}}">{{v}}</a>', "{{v}}", send_from="{{v}}", reply_to="{{v}}"
    )
    [made] = Templates([template], email_address="n@acme.example").all
    bare = source("{{v}}", "{{v}}", send_from="Desk")
    [from_original] = Templates([bare]).all

    def rendered(value: str) -> None:
        original = f"From: {value} <a@b.example>\r\n\r\n".encode()
        for one in (made, from_original):
            with suppress(Refused):
                one.apply(parse(original), ENVELOPE, {"v": value})

    assert is_linear(rendered, repeated(piece))
