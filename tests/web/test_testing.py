"""The examples of docs/testing.md, run as they stand there, and the plug-in."""

from __future__ import annotations

import os
import re
import shutil
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from relay.password import hashed
from relay.pytest_plugin import CapturedRelay, NoMail, captured_relay
from tests.server.relay_process import ROOT
from tests.server.tools import need
from tests.web.browser import LAUNCH, need_chromium
from tests.web.site import mail, submit, templated

EXAMPLES = re.findall(
    r"```(\w+)\n(.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), re.DOTALL
)
APP = """
import smtplib
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import sync_playwright

MAIL = 'X-Relay-Usage: SignIn\\nX-Relay-Variables: {"code": "271828"}\\n\\n'
FORM = "<form method=post><input name={}><button>Go</button></form>"


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**LAUNCH)
        yield browser.new_page()
        browser.close()


@pytest.fixture
def app_url(relay):
    class App(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(FORM.format("email"))

        def do_POST(self):
            size = int(self.headers["Content-Length"])
            [(name, [value])] = parse_qs(self.rfile.read(size).decode()).items()
            if name == "code":
                self.answer("Welcome" if value == "271828" else "Wrong")
                return
            with smtplib.SMTP(relay.host, relay.port) as client:
                client.sendmail("app@acme.example", value, MAIL)
            self.answer(FORM.format("code"))

        def answer(self, html):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *words):
            pass

    with HTTPServer(("127.0.0.1", 0), App) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()
"""


def example(kind: str, word: str) -> str:
    """The example of this kind that has this word."""
    [found] = [text for name, text in EXAMPLES if name == kind and word in text]
    return str(found)


def run_pytest(directory: Path, *files: tuple[str, str]) -> None:
    for name, text in files:
        (directory / name).write_text(text, "utf-8")
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 passed" in found.stdout


def test_the_example_for_pytest(tmp_path: Path) -> None:
    run_pytest(
        tmp_path,
        ("conftest.py", example("python", "pytest_plugins")),
        ("test_sign_in.py", example("python", "smtplib")),
    )


def test_the_example_for_playwright(tmp_path: Path) -> None:
    need_chromium()
    run_pytest(
        tmp_path,
        (
            "conftest.py",
            example("python", "pytest_plugins") + APP + f"\nLAUNCH = {LAUNCH!r}\n",
        ),
        ("test_sign_in.py", example("python", "app_url")),
    )


def test_the_example_for_curl(relay: CapturedRelay, tmp_path: Path) -> None:
    need("curl")
    shell = shutil.which("sh")
    assert shell is not None
    script = example("sh", "curl").replace(
        "send_a_mail_to ann@example.com",
        f"{sys.executable} -m relay send --to ann@example.com --usage SignIn "
        f"--var code=314159 --from app@acme.example --server 127.0.0.1:{relay.port}",
    )
    found = subprocess.run(
        [shell, "-e", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "RELAY": relay.url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert '{"code": "314159"}' in found.stdout
    assert b"314159" in (tmp_path / "mail.eml").read_bytes()


PRODUCTION = """
[[listeners]]
name = "mail"
address = "0.0.0.0:25"
auth = "required"
tls = "implicit"
[tls]
certFile = "/nowhere/cert.pem"
keyFile = "/nowhere/key.pem"
[[users]]
name = "app"
passwordHashFile = "/nowhere/app"
[limits]
messagesPerMinute = 1
connectionsPerClient = 1
[ses]
region = "eu-west-1"
accessKeyIdFile = "/nowhere/id"
accessKeySecretFile = "/nowhere/secret"
emailAddress = "Acme <noreply@acme.example>"
[pace]
rate = 0.1
[queue]
path = "/nowhere/spool.db"
[web]
listen = "0.0.0.0:80"
user = "ann"
{secret}
[intake]
tokenFile = "/nowhere/token"
[health]
listen = "0.0.0.0:8026"
[log]
level = "{level}"
format = "text"
[[templates]]
usageType = "SignIn"
subject = "Production's own {{{{code}}}}"
content = "{{{{code}}}}"
"""


@pytest.mark.parametrize("level", ["debug", "warning", "error"])
@pytest.mark.parametrize("secret", ["passwordHash", "passwordHashFile"])
def test_any_settings_file_will_do(tmp_path: Path, level: str, secret: str) -> None:
    """As that of production: its templates count, its secrets are not missed."""
    value = hashed("pass") if secret == "passwordHash" else "/nowhere/hash"
    file = tmp_path / "relay.toml"
    file.write_text(PRODUCTION.format(level=level, secret=f'{secret} = "{value}"'))
    with captured_relay(file) as relay:
        for code in ("111111", "222222", "333333"):
            submit(relay.port, templated(code))
        assert relay.wait(subject="333333").subject == "Production's own 333333"
        assert len(relay.mails()) == 3
        relay.clear()


def test_each_test_begins_without_mail(relay: CapturedRelay) -> None:
    assert relay.mails() == []


def test_a_test_sees_what_its_app_sent(relay: CapturedRelay) -> None:
    first = mail("ann@example.com", "First")
    first["X-Thing"] = "x"
    submit(relay.port, first)
    one = relay.wait(to="ann@example.com", subject="first")
    assert one.header("x-thing") == "x"
    assert one.text.strip() == "hello"
    submit(relay.port, templated("161803", "ann@example.com"))
    two = relay.wait(after=one)
    assert (two.code, two.usage) == ("161803", "SignIn")
    assert b"161803" in relay.raw(two)
    assert [each["id"] for each in relay.mails()] == [two.id, one.id]
    relay.clear()
    with pytest.raises(NoMail, match=r"no mail to bob@b\.example within 0\.1 s"):
        relay.wait(to="bob@b.example", timeout=0.1)


def test_the_app_hears_what_ses_would_say(relay: CapturedRelay) -> None:
    with (
        smtplib.SMTP(relay.host, relay.port) as client,
        pytest.raises(smtplib.SMTPDataError) as caught,
    ):
        client.sendmail("a@b.example", "throttle@relay.test", "\r\n")
    assert caught.value.smtp_code == 454
