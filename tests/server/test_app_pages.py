"""The pages about apps are true: their settings, and what their mail becomes."""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

import pytest

from relay.password import hashed
from relay.pytest_plugin import CapturedMail, CapturedRelay, captured_relay
from tests.server.test_life import relay_command

DOCS = Path(__file__).parents[2] / "docs"
LINK = "https://acme.example/auth/v1/verify?token=a_b-c&type=recovery&redirect_to=x"


def blocks(page: str, language: str) -> list[str]:
    """What stands between the fences of a page, of one language."""
    text = (DOCS / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@contextmanager
def relay_of(settings: str, directory: Path) -> Iterator[CapturedRelay]:
    file = directory / "config.toml"
    file.write_text(settings, "utf-8")
    with captured_relay(file) as relay:
        yield relay


def sent(relay: CapturedRelay, body: str, subtype: str, **headers: str) -> CapturedMail:
    mail = EmailMessage()
    mail["To"] = "ann@example.com"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body, subtype)
    if subtype == "plain":
        mail.add_alternative("<p>The same.</p>", "html")
    with smtplib.SMTP(relay.host, relay.port) as smtp:
        smtp.send_message(mail)
    return relay.wait("ann@example.com")


@pytest.mark.parametrize(
    "page", ["logto.md", "supabase.md", "keycloak.md", "django.md"]
)
def test_the_settings_of_each_page_are_settings(page: str, tmp_path: Path) -> None:
    (tmp_path / "intake-token").write_text("0123456789abcdef0123\n", "utf-8")
    (tmp_path / "intake-token").chmod(0o600)
    settings = [text for text in blocks(page, "toml") if "[[templates]]" in text]
    assert settings
    for text in settings:
        (tmp_path / "config.toml").write_text(text, "utf-8")
        done = relay_command("check", cwd=tmp_path)
        assert "config.toml: " not in done.stderr, done.stderr


def test_the_templates_for_logto_ask_for_what_logto_passes(tmp_path: Path) -> None:
    (tmp_path / "intake-token").write_text("0123456789abcdef0123\n", "utf-8")
    (tmp_path / "config.toml").write_text(blocks("logto.md", "toml")[0], "utf-8")
    done = relay_command("templates", "lint", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("0 errors and 2 warnings in 4 templates\n")


def test_supabase_names_the_usage_and_a_rule_finds_code_and_link(
    tmp_path: Path,
) -> None:
    escaped = LINK.replace("&", "&amp;")
    said = "From", "Acme <noreply@acme.example>"
    with relay_of(blocks("supabase.md", "toml")[0], tmp_path) as relay:
        for usage, subject, shown in (
            ("recovery", "Your new password", "Choose a new password"),
            ("magic_link", "Your link to sign in", "Sign in"),
            ("email_change", "Confirm your new address", "Confirm it"),
        ):
            mail = sent(
                relay,
                f'<h2>Reset</h2>\n\n<p>Follow.</p>\n<p><a href="{escaped}">Go</a></p>',
                "html",
                Subject="As it comes",
                X_Relay_Usage=usage,
                **dict([said]),
            )
            assert (mail.usage, mail.subject, mail.links) == (usage, subject, (LINK,))
            assert shown in mail.text
            relay.clear()
        body = "<h2>Your code</h2>\n\n<p>Use the code below.</p>\n<p>845712</p>"
        mail = sent(
            relay,
            body,
            "html",
            Subject="845712 is your verification code",
            X_Relay_Usage="reauthenticate",
            **dict([said]),
        )
        assert (mail.subject, mail.code) == ("Your code is 845712", "845712")
        relay.clear()
        mail = sent(
            relay,
            "<p>It was changed.</p>",
            "html",
            Subject="Your password was changed",
            X_Relay_Usage="password_changed_notification",
            **dict([said]),
        )
        assert mail.subject == "Your password was changed"
        assert "It was changed." in (mail.html or "")


def test_a_theme_of_keycloak_says_usage_locale_and_variables(tmp_path: Path) -> None:
    [reset, verify] = blocks("keycloak.md", "ftl")

    def written(template: str, locale: str) -> str:
        """The file as FreeMarker fills it."""
        values = {
            "locale.language": locale,
            "link?json_string": LINK,
            "realmName?json_string": "Acme",
            "(user.firstName!'')?json_string": 'Zoë \\"Z\\" O\'Neil',
        }
        return re.sub(r"\$\{([^}]*)\}", lambda match: values[match[1]], template)

    with relay_of(blocks("keycloak.md", "toml")[0], tmp_path) as relay:
        for template, locale, subject, word in (
            (reset, "fr", "Votre nouveau mot de passe", "Bonjour"),
            (reset, "de", "Your new password", "Hello"),
            (verify, "en", "Confirm your address", "Hello"),
        ):
            mail = sent(
                relay,
                written(template, locale),
                "plain",
                Subject="Anything",
                From="Acme <login@acme.example>",
            )
            assert (mail.subject, mail.links) == (subject, (LINK,))
            assert mail.text.startswith(f'{word} Zoë "Z" O\'Neil,')
            relay.clear()
        mail = sent(
            relay,
            "Someone logged in.",
            "plain",
            Subject="Login",
            From="Acme <login@acme.example>",
        )
        assert (mail.subject, mail.usage) == ("Login", "")


DJANGO = """\
import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    ROOT_URLCONF="__main__", SECRET_KEY="x", ALLOWED_HOSTS=["*"], USE_TZ=True,
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [DIRECTORY], "APP_DIRS": True}],
    EMAIL_HOST=HOST, EMAIL_PORT=PORT,
    DEFAULT_FROM_EMAIL="Acme <noreply@acme.example>",
)
django.setup()
from django.core.management import call_command
from django.urls import path
from django.contrib.auth.views import PasswordResetView, PasswordResetConfirmView

call_command("migrate", verbosity=0)
from django.contrib.auth import get_user_model
get_user_model().objects.create_user("ann", "ann@example.com", "secret")
"""
RESET = """\
confirm = PasswordResetConfirmView.as_view()
urlpatterns = [
    path("reset/<uidb64>/<token>/", confirm, name="password_reset_confirm"),
]
from django.test import RequestFactory

form = FORM({"email": "ann@example.com"})
assert form.is_valid()
form.save(
    request=RequestFactory().get("/"), domain_override="acme.example", use_https=True
)
"""
# The one of the admin, without what the admin alone has.
TEXT = """\
You're receiving this email because you requested a password reset.

Please go to the following page and choose a new password:
{{ protocol }}://{{ domain }}{% url 'password_reset_confirm' uidb64=uid token=token %}

In case you’ve forgotten, you are: {{ user.get_username }}
"""


def run_django(relay: CapturedRelay, directory: Path, *parts: str) -> None:
    values = (
        f"HOST, PORT = {relay.host!r}, {relay.port}\nDIRECTORY = {str(directory)!r}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join((values, DJANGO, *parts))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_django_sends_with_headers_and_by_its_own_form(tmp_path: Path) -> None:
    pytest.importorskip("django")
    python = blocks("django.md", "python")
    [own] = [text for text in python if '"X-Relay-Usage": "Order"' in text]
    [form] = [text for text in python if "class RelayPasswordResetForm" in text]
    folder = tmp_path / "registration"
    folder.mkdir()
    (folder / "password_reset_email.html").write_text(TEXT, "utf-8")
    link = re.compile(r"https://acme\.example/reset/\w+/[\w-]+/")
    with relay_of(blocks("django.md", "toml")[0], tmp_path) as relay:
        run_django(relay, tmp_path, own)
        mail = relay.wait("ann@example.com")
        assert (mail.usage, mail.subject) == ("Order", "Votre commande 17")
        assert "Bonjour Zoë" in mail.text
        relay.clear()
        for code, name in (
            (form, "RelayPasswordResetForm"),
            (
                "from django.contrib.auth.forms import PasswordResetForm",
                "PasswordResetForm",
            ),
        ):
            run_django(relay, tmp_path, code, RESET.replace("FORM", name))
            mail = relay.wait("ann@example.com")
            assert (mail.usage, mail.subject) == ("ForgotPassword", "Your new password")
            assert mail.text.startswith("Hello ann,")
            assert link.fullmatch(mail.links[0]), mail.links
            relay.clear()
        missing = own.replace('"number": 17, ', "")
        with pytest.raises(AssertionError, match=r"550.*5\.6\.0.*number"):
            run_django(relay, tmp_path, missing)


def test_the_headers_of_supabase_are_lists_in_json() -> None:
    [shell] = [text for text in blocks("supabase.md", "sh") if "HEADERS" in text]
    found = re.search(r"GOTRUE_SMTP_HEADERS='(.*)'", shell)
    assert found is not None
    assert json.loads(found[1]) == {"X-Relay-Usage": ["$messageType"]}


def test_an_app_of_mandrill_sends_on_with_its_own_headers(tmp_path: Path) -> None:
    [settings] = [
        text for text in blocks("migrating.md", "toml") if "headersOf" in text
    ]
    settings = settings.replace("$argon2id$…", hashed("the API key"))
    with relay_of(settings, tmp_path) as relay:
        mail = sent(
            relay,
            "-",
            "plain",
            From="app@acme.example",
            Subject="-",
            X_MC_Template="welcome-mail|main",
            X_MC_MergeVars='{"FNAME": "Zoë", "LINK": "https://acme.example/a"}',
            X_MC_Tags="welcome",
        )
    assert (mail.usage, mail.subject) == ("welcome-mail", "Welcome, Zoë")
    assert "https://acme.example/a" in mail.links
    assert not [name for name, _ in mail.headers if name.lower().startswith("x-mc")]


def test_grafana_says_by_a_header_that_a_mail_is_its_own(tmp_path: Path) -> None:
    [rule] = blocks("grafana.md", "toml")
    template = next(
        f"[[templates]]{text}"
        for text in blocks("cookbook.md", "toml")[0].split("[[templates]]")
        if 'usageType = "Alert"' in text
    )
    firing = (DOCS.parent / "tests" / "legacy" / "grafana-firing.eml").read_bytes()
    resolved = firing.replace(b"[FIRING:", b"[RESOLVED:").replace(
        b"From: ", b"X-App: grafana\r\nFrom: ", 1
    )
    with relay_of(rule + template, tmp_path) as relay:
        with smtplib.SMTP(relay.host, relay.port) as smtp:
            smtp.sendmail("grafana@acme.example", "ops@acme.example", resolved)
        mail = relay.wait("ops@acme.example")
    assert mail.usage == "Alert"
    assert mail.subject.startswith("RESOLVED: High CPU: CPU of web01")
