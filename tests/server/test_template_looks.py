"""MJML, styles and images of a templates folder, as SES gets them from a real relay."""

from __future__ import annotations

import base64
import email
import re
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.fake_ses import FakeSes, Request
from tests.server.relay_process import RelayProcess
from tests.server.test_traps import submit, with_relay
from tests.unit.templates.pictures import GIF, PNG

MJML = """+++
subject = "Your code"
+++
<mjml>
<mj-body>
<mj-section><mj-column>
<mj-image src="cid:logo.png" alt="Acme" width="80px" />
<mj-text>Hi {{ user.name }}, your code is <b>{{ code }}</b></mj-text>
<mj-include path="_foot.mjml" />
</mj-column></mj-section>
</mj-body>
</mjml>
"""
WRAPPING = """+++
subject = "From Acme: {{message.subject}}"
inlineCss = true
+++
<style>.bar{background:#eee}
@media (prefers-color-scheme: dark){.bar{background:#222 !important}}</style>
<div class="bar"><img src="cid:logo.png" alt="Acme"></div>
{{message.html}}
"""
LEGACY = (
    b"From: app@acme.example\r\nTo: ann@example.net\r\nSubject: Invoice\r\n"
    b"X-Relay-Usage: Wrap\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=m\r\n\r\n"
    b"--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
    b'--r\r\nContent-Type: text/html\r\n\r\n<p>old <img src="cid:logo.png"></p>\r\n'
    b"--r\r\nContent-Type: image/gif\r\nContent-ID: <logo.png>\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(GIF)
    + b"\r\n--r--\r\n"
    b'--m\r\nContent-Type: application/pdf; name="a.pdf"\r\n'
    b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"JVBERi0=\r\n--m--\r\n"
)


def folder(directory: Path) -> str:
    (directory / "SignIn.mjml").write_text(MJML, "utf-8")
    (directory / "_foot.mjml").write_text("<mj-text>Acme & Co</mj-text>", "utf-8")
    (directory / "Wrap.html").write_text(WRAPPING, "utf-8")
    (directory / "logo.png").write_bytes(PNG)
    return str(directory)


def as_sent(request: Request) -> EmailMessage:
    raw = base64.b64decode(request.json["Content"]["Raw"]["Data"])
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    made = email.message_from_bytes(raw, policy=default)
    assert isinstance(made, EmailMessage)
    return made


def shape(part: EmailMessage) -> str:
    kind = part.get_content_type()
    if not part.is_multipart():
        return kind
    inner = ", ".join(shape(each) for each in part.iter_parts())  # type: ignore[arg-type] # policy default
    return f"{kind.partition('/')[2]}({inner})"


def html_of(made: EmailMessage) -> str:
    body = made.get_body(("html",))
    assert body is not None
    return str(body.get_content())


async def test_mails_have_the_looks_of_their_templates(tmp_path: Path) -> None:
    code = (
        b"From: app@acme.example\r\nTo: ann@example.net\r\nX-Relay-Usage: SignIn\r\n"
        b'X-Relay-Variables: {"code": "123456", "user": {"name": "Ann & <b>"}}\r\n'
        b"\r\n-\r\n"
    )

    def use(relay: RelayProcess) -> None:
        for mail in (code, LEGACY):
            _, reply = submit(relay, mail)
            assert reply.startswith("250 2.0.0 Ok "), reply

    async with FakeSes() as ses:
        await with_relay(ses, use, RELAY_TEMPLATES_DIR=folder(tmp_path))
        assert [request.wrong for request in ses.sent] == ["", ""]
        compiled, wrapped = map(as_sent, ses.sent)

    assert shape(compiled) == "alternative(text/plain, related(text/html, image/png))"
    html = html_of(compiled)
    assert "Hi Ann &amp; &lt;b&gt;, your code is <b>123456</b></div>" in html
    assert ">Acme & Co</div>" in html
    assert '<html lang="und"' in html

    assert shape(wrapped) == (
        "mixed(alternative(text/plain, related(text/html, image/png, image/gif)), "
        "application/pdf)"
    )
    html = html_of(wrapped)
    assert '<div style="background: #eee;" class="bar">' in html
    assert "@media (prefers-color-scheme: dark){.bar{background:#222" in html
    images = {
        str(part["Content-ID"]).strip("<>"): part.get_content()
        for part in wrapped.walk()
        if part["Content-ID"] and isinstance(part, EmailMessage)
    }
    shown = [images[cid] for cid in re.findall(r'src="cid:([^"]+)"', html)]
    assert shown == [PNG, GIF]
    assert wrapped["Subject"] == "From Acme: Invoice"
