"""What mail programs make of a captured mail is said before anybody opens it."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any

from tests.web.site import Site, mail

HTML = (
    '<p><a href="http://shop.example/a">a</a> <a href="https://shop.example/b">b</a>'
    '<a href="https://SHOP.example/c">c</a>'
    '<a href="mailto:help@acme.example">d</a></p>'
    '<img src="https://cdn.example/a.png" alt="A">\n<img src="cid:logo" alt="">\n'
    '<img src="data:image/png;base64,AAAA">\n<div style="display: grid">x</div>'
)


def checks(site: Site, message: EmailMessage) -> dict[str, Any]:
    assert site.submit(message).startswith("250")
    [one, *_] = site.get("/api/v1/mails").json["mails"]
    return dict(site.get(f"/api/v1/mails/{one['id']}/checks").json)


def with_html(html: str) -> EmailMessage:
    message = mail()
    message.add_alternative(html, subtype="html")
    return message


def texts(found: dict[str, Any], kind: str) -> list[str]:
    return [one["text"] for one in found["problems"] if one["kind"] == kind]


def test_links_images_and_what_programs_do_not_show_are_named(site: Site) -> None:
    found = checks(site, with_html(HTML))
    assert found["images"] == {"remote": 1, "embedded": 1, "inline": 1}
    assert found["hosts"] == [
        {"host": "shop.example", "links": 2, "secure": True},
        {"host": "shop.example", "links": 1, "secure": False},
        {"host": "acme.example", "links": 1, "secure": True},
    ]
    assert texts(found, "link") == [
        "http://shop.example/a: is not encrypted on its way; use https://"
    ]
    assert texts(found, "image") == [
        "1 image is remote: many programs show it only when their reader asks",
        "an image without alt: readers with images off see nothing",
    ]
    [grid] = [text for text in texts(found, "support") if "grid" in text]
    assert "Outlook for Windows" in grid
    [line] = [one["line"] for one in found["problems"] if one["text"] == grid]
    assert line == 4
    assert found["size"] > found["html"] > len(HTML)
    assert texts(found, "size") == []


def test_a_mail_that_is_cut_off_says_so_once_and_first(site: Site) -> None:
    rows = '<p><img src="cid:a"></p>\n' * 6000
    found = checks(site, with_html(rows))
    assert found["problems"][0]["text"].endswith("of HTML: Gmail cuts it off at 102 kB")
    [missing] = texts(found, "image")
    assert missing.endswith("(6000 ×)")


def test_a_plain_text_is_looked_at_too(site: Site) -> None:
    found = checks(site, mail(text="See http://shop.example/x\n"))
    assert (found["html"], len(found["problems"])) == (0, 1)
    assert texts(found, "link")[0].startswith("http://shop.example/x")


def test_what_is_not_kept_is_not_looked_at(site: Site) -> None:
    assert site.get("/api/v1/mails/nosuchmail/checks").status == 404
