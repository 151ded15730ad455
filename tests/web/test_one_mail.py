"""What the API says of one captured mail: its files, its HTML, what it was, its end."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

import pytest

from relay.password import hashed
from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.site import TEMPLATE, Site, fake_ses, mail, sending_site, templated
from tests.web.test_safety import basic

ANN = basic("ann", "pass")

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0\x1f\x15\xc4\x89"
    b"\0\0\0\rIDATx\x9cc\xfc\xcf\xc0P\x0f\0\4\x85\1\x80\x84\xa9\x8c!"
    b"\0\0\0\0IEND\xaeB`\x82"
)
SCRIPT = b"<script>alert(1)</script>"


def with_files(*files: tuple[str, str, bytes]) -> EmailMessage:
    message = mail(subject="Files")
    for name, kind, data in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message


def newest(site: Site) -> str:
    return str(site.get("/api/v1/mails").json["mails"][0]["id"])


def test_a_file_is_downloaded_as_what_it_says_and_shown_only_where_that_is_safe(
    site: Site,
) -> None:
    site.submit(
        with_files(
            ("dot.png", "image/png", PNG),
            ("notes.txt", "text/plain", SCRIPT),
            ("page.html", "text/html", SCRIPT),
            ("logo.svg", "image/svg+xml", b"<svg onload=alert(1) />"),
            ("paper.pdf", "application/pdf", b"%PDF-1.4"),
        )
    )
    one = newest(site)
    files = site.get(f"/api/v1/mails/{one}/content").json["attachments"]
    assert [(file["name"], file["shown"]) for file in files] == [
        ("dot.png", "image"),
        ("notes.txt", "text"),
        ("page.html", "text"),
        ("logo.svg", ""),
        ("paper.pdf", ""),
    ]
    shown = {}
    for number, file in enumerate(files, start=1):
        path = f"{one}/attachments/{number}"
        kept = site.get(f"/api/v1/mails/{path}")
        seen = site.get(f"/view/{path}")
        assert kept.headers["content-type"] == file["type"]
        assert kept.headers["content-disposition"].startswith("attachment; ")
        assert f'filename="{file["name"]}"' in kept.headers["content-disposition"]
        assert len(kept.body) == file["size"]
        for answer in (kept, seen):
            assert answer.headers["x-content-type-options"] == "nosniff"
            policy = answer.headers["content-security-policy"]
            if answer.status == 200:
                assert policy.startswith("sandbox; default-src 'none'")
        shown[file["name"]] = (seen.status, seen.headers["content-type"])
    assert shown == {
        "dot.png": (200, "image/png"),
        "notes.txt": (200, "text/plain; charset=utf-8"),
        "page.html": (200, "text/plain; charset=utf-8"),
        "logo.svg": (404, "application/json; charset=utf-8"),
        "paper.pdf": (404, "application/json; charset=utf-8"),
    }
    assert site.get(f"/api/v1/mails/{one}/attachments/1").body == PNG
    for wrong in ("0", "6", "-1", "1.0", "x", "9" * 30, "%D9%A1"):
        assert site.get(f"/api/v1/mails/{one}/attachments/{wrong}").status == 404
    assert site.get("/api/v1/mails/nosuch/attachments/1").status == 404


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ('a"; filename="b.exe', 'attachment; filename="a__ filename__b.exe"'),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("ünï.png", "attachment; filename=\"_n_.png\"; filename*=UTF-8''%C3%BCn%C3%AF"),
        ("fdp\u202egnp.exe", 'attachment; filename="fdpgnp.exe"'),
        ("", 'attachment; filename="attachment"'),
    ],
)
def test_a_files_name_is_a_name_and_nothing_else(
    site: Site, name: str, said: str
) -> None:
    message = mail()
    message.add_attachment(b"x", maintype="application", subtype="pdf", filename="f")
    [_, part] = message.iter_parts()
    part.set_param("filename", name, header="Content-Disposition", charset="utf-8")
    site.submit(message)
    found = site.get(f"/api/v1/mails/{newest(site)}/attachments/1")
    assert found.headers["content-disposition"].startswith(said)


def test_a_broken_type_is_a_download_of_bytes(site: Site) -> None:
    message = with_files(("x", "application/pdf", b"%PDF"))
    raw = message.as_bytes().replace(b"application/pdf", b"application/p<d>f")
    with smtplib.SMTP("127.0.0.1", site.relay.port(), timeout=WAIT) as client:
        client.sendmail("app@acme.example", ["ann@example.com"], raw)
    one = newest(site)
    found = site.get(f"/api/v1/mails/{one}/attachments/1")
    assert found.headers["content-type"] == "application/octet-stream"
    assert site.get(f"/view/{one}/attachments/1").status == 404


def test_the_html_is_told_as_it_is_in_the_mail_as_a_text(site: Site) -> None:
    message = mail()
    message.add_alternative(f"<p>Grüße{SCRIPT.decode()}</p>", subtype="html")
    site.submit(message)
    found = site.get(f"/api/v1/mails/{newest(site)}/html")
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.body.decode() == f"<p>Grüße{SCRIPT.decode()}</p>\n"
    site.submit(mail())
    assert site.get(f"/api/v1/mails/{newest(site)}/html").status == 404


def test_what_the_client_wrote_is_there_beside_what_the_template_made(
    site: Site,
) -> None:
    message = templated("271828")
    message.add_alternative("<p>What the app wrote</p>", subtype="html")
    site.submit(message)
    one = newest(site)
    assert site.get(f"/api/v1/mails/{one}/content").json["original"] is True
    found = site.get(f"/api/v1/mails/{one}/original").json
    assert (found["subject"], found["text"]) == ("Hello", "hello\n")
    assert found["html"] == "<p>What the app wrote</p>\n"
    assert ["X-Relay-Usage", "SignIn"] in found["headers"]
    view = site.get(f"/view/{one}/original")
    assert b"What the app wrote" in view.body
    assert "sandbox" in view.headers["content-security-policy"]
    site.submit(mail())  # without a template it is the same mail
    other = newest(site)
    assert site.get(f"/api/v1/mails/{other}/content").json["original"] is False
    assert site.get(f"/api/v1/mails/{other}/original").status == 404
    assert site.ask("DELETE", "/api/v1/mails").status == 200
    assert site.get(f"/api/v1/mails/{one}/original").status == 404


def test_one_mail_is_deleted_and_all_others_stay(site: Site) -> None:
    for name in ("one", "two", "three"):
        site.submit(mail(f"{name}@example.com"))
    before = site.get("/api/v1/mails").json
    [_, two, _] = before["mails"]
    assert site.ask("DELETE", f"/api/v1/mails/{two['id']}").json == {"cleared": 1}
    after = site.get("/api/v1/mails").json
    assert [one["to"] for one in after["mails"]] == [
        ["three@example.com"],
        ["one@example.com"],
    ]
    # Who has the list already is told that it is gone, however late it asks.
    changed = site.get(f"/api/v1/mails?changed={before['asOf']}").json
    assert (changed["mails"], changed["gone"]) == ([], [two["seq"]])
    assert after["asOf"] == before["asOf"] + 1
    for path in ("", "/content", "/raw"):
        assert site.get(f"/api/v1/mails/{two['id']}{path}").status == 404
    again = site.ask("DELETE", f"/api/v1/mails/{two['id']}")
    assert again.status == 404
    foreign = {"Origin": "https://evil.example"}
    kept = f"/api/v1/mails/{after['mails'][0]['id']}"
    assert site.ask("DELETE", kept, headers=foreign).status == 403
    assert site.get(kept).status == 200


def test_a_mail_that_waits_is_not_deleted() -> None:
    settings = {
        "RELAY_TRANSPORT": "capture",
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
    }
    with sending_site(settings) as site:
        assert "queued as" in site.submit(mail("throttle@relay.test"))
        one = newest(site)
        until(lambda: site.get(f"/api/v1/mails/{one}").json["attempts"] != [])
        answer = site.ask("DELETE", f"/api/v1/mails/{one}")
        assert answer.status == 409
        assert answer.json["error"] == "It waits in the queue: it can be dropped there"
        assert site.get(f"/api/v1/mails/{one}").status == 200


def test_of_mail_that_is_sent_only_what_the_guard_kept_is_deleted() -> None:
    with fake_ses() as ses:
        settings = through(
            ses,
            RELAY_GUARD__RECIPIENTS='["@acme.example"]',
            RELAY_GUARD__OTHERS="capture",
            RELAY_TEMPLATES=TEMPLATE,
            RELAY_WEB__USER="ann",
            RELAY_WEB__PASSWORD_HASH=hashed("pass"),
        )
        with sending_site(settings) as site:
            site.submit(templated("271828", "us@acme.example"))
            site.submit(templated("314159", "you@example.com"))
            kept, sent = site.get("/api/v1/mails", ANN).json["mails"]
            assert (kept["state"], sent["state"]) == ("captured", "sent")
            paths = [f"/api/v1/mails/{one['id']}" for one in (kept, sent)]
            assert site.get(f"{paths[0]}/original", ANN).json["text"].strip() == "hello"
            assert site.get(f"{paths[1]}/original", ANN).status == 404
            refused = site.ask("DELETE", paths[1], headers=ANN)
            assert refused.status == 409
            assert site.ask("DELETE", paths[0], headers=ANN).json == {"cleared": 1}
            assert site.get(f"{paths[0]}/original", ANN).status == 404
            [left] = site.get("/api/v1/mails", ANN).json["mails"]
            assert left["id"] == sent["id"]


def test_a_frame_is_measured_only_inside_the_page(site: Site) -> None:
    message = mail()
    message.add_alternative("<p>Hi</p>", subtype="html")
    site.submit(message)
    path = f"/view/{newest(site)}"

    def sandbox(query: str, dest: str | None) -> str:
        headers = {} if dest is None else {"Sec-Fetch-Dest": dest}
        found = site.get(f"{path}{query}", headers)
        assert found.status == 200
        policy = found.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        return policy[0]

    alone = "sandbox allow-popups allow-popups-to-escape-sandbox"
    assert sandbox("", "iframe") == alone
    assert sandbox("?fit=1", "iframe") == f"{alone} allow-same-origin"
    assert sandbox("?fit=1&remote=1", "iframe") == f"{alone} allow-same-origin"
    assert sandbox("?fit=1", "document") == alone
    assert sandbox("?fit=1", "object") == alone


@pytest.mark.parametrize("asker", ["image", "style", "font", "iframe", "script"])
def test_what_a_mail_loads_cannot_ask_the_api(site: Site, asker: str) -> None:
    ours = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}
    for path in ("/api/v1/wait?timeout=9", "/api/v1/events", "/api/v1/mails"):
        assert site.get(path, {**ours, "Sec-Fetch-Dest": asker}).status == 403
    assert site.get("/api/v1/mails", {**ours, "Sec-Fetch-Dest": "empty"}).status == 200
    assert site.get("/assets/app.js", {**ours, "Sec-Fetch-Dest": asker}).status == 200
