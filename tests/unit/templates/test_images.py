"""Images that a template names: found in its folder, carried by its mails."""

from __future__ import annotations

import email
import os
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from relay.content.header import parse
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.images import MAX_BYTES, embedded
from relay.templates.source import Folder, Source
from relay.templates.template import Template
from tests.unit.templates.pictures import GIF, JPEG, PNG, SVG, WEBP

ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))


def template(folder: Path | None, html: str) -> Template:
    source = Source(
        "A", "s", html, place="A", folder=None if folder is None else Folder(folder)
    )
    return Template(source, email_address="", missing="reject")


def mail(made: Template, original: bytes = b"") -> EmailMessage:
    message = email.message_from_bytes(
        made.apply(parse(original), ENVELOPE, {}), policy=default
    )
    assert isinstance(message, EmailMessage)
    return message


def said(folder: Path | None, html: str) -> list[str]:
    made = template(folder, html)
    where = "" if folder is None else f"{folder}"
    return [
        f"{level}: {text}".replace(where or "\0", "FOLDER")
        for level, texts in (("error", made.errors), ("warning", made.warnings))
        for text in texts
    ]


def test_an_image_is_embedded_beside_the_html(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    made = mail(template(tmp_path, '<p>Hi</p><img src="cid:logo.png" alt="Acme">'))
    text, related = made.iter_parts()
    assert made.get_content_type() == "multipart/alternative"
    assert text.get_content_type() == "text/plain"
    assert related.get_content_type() == "multipart/related"
    assert isinstance(related, EmailMessage)
    html, image = related.iter_parts()
    assert isinstance(html, EmailMessage)
    assert isinstance(image, EmailMessage)
    assert image.get_content() == PNG
    assert image.get_content_type() == "image/png"
    assert image.get_content_disposition() == "inline"
    assert image.get_filename() == "logo.png"
    cid = image["Content-ID"].strip("<>")
    assert f'<img src="cid:{cid}" alt="Acme">' in html.get_content()
    assert max(map(len, image.as_bytes().split(b"\n"))) <= 78


@pytest.mark.parametrize(
    "html",
    [
        "<img src=cid:a.png>",
        "<img src='cid:a.png'>",
        '<img src="CID:a.png">',
        '<table background="cid:a.png">',
        '<td style="background: url(cid:a.png)">',
        "<td style=\"background: url( 'cid:a.png' )\">",
        '<!--[if mso]><v:fill src="cid:a.png" /><![endif]-->',
        "<style>td { background: url(cid:a.png) }</style>",
        '<img src="cid:%61.png">',
    ],
)
def test_an_image_is_found_wherever_html_names_one(tmp_path: Path, html: str) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    made, images = embedded(html, tmp_path, lambda *_: None)
    assert len(images) == 1
    assert "a.png" not in made
    assert made.count("@ses-relay.invalid") == 1


@pytest.mark.parametrize(
    "html",
    ["<p>Write cid:a.png</p>", '<img src="cid:{{ name }}.png">', '<img src="a.png">'],
)
def test_what_names_no_image_stays_as_it_is(tmp_path: Path, html: str) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    assert embedded(html, tmp_path, lambda *_: None) == (html, ())


def test_an_image_that_is_shown_twice_is_carried_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG)
    html = '<img src="cid:a.png"><img src="cid:a.png"><img src="cid:b.png">'
    made, images = embedded(html, tmp_path, lambda *_: None)
    assert len(images) == 1
    assert len(set(made.split("<img ")[1:])) == 1


def test_the_content_id_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    before, _ = embedded('"cid:a.png"', tmp_path, lambda *_: None)
    again, _ = embedded('"cid:a.png"', tmp_path, lambda *_: None)
    (tmp_path / "a.png").write_bytes(PNG + b"x")
    after, _ = embedded('"cid:a.png"', tmp_path, lambda *_: None)
    assert before == again != after


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.png", PNG, "image/png"),
        ("a.PNG", PNG, "image/png"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.jpeg", JPEG, "image/jpeg"),
        ("a.gif", GIF, "image/gif"),
        ("a.webp", WEBP, "image/webp"),
        ("below/a.png", PNG, "image/png"),
        ("ein%20Bild%20f%C3%BCr%20uns.png", PNG, "image/png"),
    ],
)
def test_an_image_has_its_type(
    tmp_path: Path, name: str, data: bytes, kind: str
) -> None:
    file = tmp_path / name.replace("%20", " ").replace("%C3%BC", "ü")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    html = f'<img src="cid:{name}" alt="">'
    assert said(tmp_path, html) == []
    (image,) = (
        part
        for part in mail(template(tmp_path, html)).walk()
        if not part.is_multipart() and part.get_content_maintype() == "image"
    )
    assert (image.get_content_type(), image.get_filename()) == (kind, file.name)


def test_a_missing_image_is_a_warning_that_names_it(tmp_path: Path) -> None:
    html = '<p>\n<img src="cid:logo.png">'
    assert said(tmp_path, html) == [
        (
            "warning: A.content:2: cid:logo.png: there is no such file in FOLDER; mail "
            "shows a gap there, unless what it wraps brings that part"
        )
    ]
    assert 'src=3D"cid:logo.png"' in mail(template(tmp_path, html)).as_string()
    assert said(None, html) == [
        (
            "warning: A.content:2: cid:logo.png: there is no folder to look for it; "
            "set templatesDir, or contentFile instead of content"
        )
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../a.png", "leads out of FOLDER; what a template names is in it or below it"),
        ("below/../../a.png", "leads out of FOLDER; what a template names is in it or"),
        ("/etc/a.png", "leads out of FOLDER; what a template names is in it or below"),
        ("%2e%2e/a.png", "leads out of FOLDER; what a template names is in it or"),
        ("..%5ca.png", "leads out of FOLDER; what a template names is in it or below"),
        ("out.png", "is a link that leads out of FOLDER; copy the file into it"),
        ("circle.png", ""),
        ("pipe.png", "FOLDER/pipe.png is no file"),
        ("below", "FOLDER/below is no file"),
        ("text.png", "is no image that mail programs show (its content is none); ther"),
        ("a.bmp", "is no image that mail programs show (its name does not end like on"),
    ],
)
def test_what_is_no_image_of_the_folder_is_refused(
    tmp_path: Path, name: str, why: str
) -> None:
    folder = tmp_path / "t"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(PNG)
    (folder / "a.bmp").write_bytes(PNG)
    (folder / "text.png").write_text("not a picture", "utf-8")
    (folder / "out.png").symlink_to(tmp_path / "a.png")
    (folder / "circle.png").symlink_to("circle.png")
    os.mkfifo(folder / "pipe.png")
    (found,) = said(folder, f'<img src="cid:{name}">')
    assert found.startswith("error: A.content:1: cid:")
    assert why in found


def test_links_as_kubernetes_makes_them_are_fine(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_29").mkdir()
    (tmp_path / "..2026_11_29" / "logo.png").write_bytes(PNG)
    (tmp_path / "..data").symlink_to("..2026_11_29")
    (tmp_path / "logo.png").symlink_to("..data/logo.png")
    assert said(tmp_path, '<img src="cid:logo.png" alt="">') == []


def test_a_wrong_ending_and_an_svg_are_warnings(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(JPEG)
    (tmp_path / "b.svg").write_bytes(SVG)
    assert said(tmp_path, '<img src="cid:a.png"><img src="cid:b.svg">') == [
        "warning: A.content:1: cid:a.png: is JPEG, whatever its name says",
        (
            "warning: A.content:1: cid:b.svg: most mail programs show no SVG; make a "
            ".png of it"
        ),
    ]


def test_images_are_bounded_together(tmp_path: Path) -> None:
    half = PNG + bytes(MAX_BYTES // 2 - len(PNG))
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_bytes(half + name.encode())
    assert said(tmp_path, '<img src="cid:a.png">') == []
    (found,) = said(tmp_path, '<img src="cid:a.png"><img src="cid:b.png">')
    assert found == (
        "error: A.content:1: cid:b.png: FOLDER/b.png has 2,500,005 bytes, of which "
        "2,499,995 are allowed here; every mail carries the images of its template, "
        "5 MB together at most"
    )


WRAPPED = b"""From: app@acme.example
To: ann@example.net
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/related; boundary=r

--r
Content-Type: text/html

<p>old <img src="cid:logo.png"></p>
--r
Content-Type: image/gif; name="logo.png"
Content-ID: <logo.png>
Content-Transfer-Encoding: base64

R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=
--r--
--m
Content-Type: application/pdf; name="invoice.pdf"
Content-Disposition: attachment; filename="invoice.pdf"
Content-Transfer-Encoding: base64

JVBERi0=
--m--
""".replace(b"\n", b"\r\n")


def test_a_wrapped_mail_keeps_its_own_image_of_the_same_name(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)
    html = '<img src="cid:logo.png" alt="Acme">{{message.html}}'
    made = mail(template(tmp_path, html), WRAPPED)
    kinds = [part.get_content_type() for part in made.walk()]
    assert kinds == [
        "multipart/mixed",
        *("multipart/alternative", "text/plain", "multipart/related", "text/html"),
        *("image/png", "image/gif", "application/pdf"),
    ]
    by_id = {
        part["Content-ID"].strip("<>"): part.get_content()
        for part in made.walk()
        if part["Content-ID"]
    }
    assert by_id["logo.png"] == GIF
    body = made.get_body(("html",))
    assert body is not None
    shown = [piece.split('"')[0] for piece in body.get_content().split("cid:")[1:]]
    assert [by_id[cid] for cid in shown] == [PNG, GIF]


def test_a_mail_that_images_make_too_long_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG + bytes(4_000_000))
    long = WRAPPED.replace(b"JVBERi0=", b"JVBERi0x" * 4_800_000)
    kept = template(tmp_path, "<p>{{message.html}}</p>")
    assert len(kept.apply(parse(long), ENVELOPE, {})) > 38_000_000
    shown = template(tmp_path, '<img src="cid:logo.png" alt="">')
    with pytest.raises(Refused) as caught:
        shown.apply(parse(long), ENVELOPE, {})
    assert str(caught.value.reply) == (
        "552 5.3.4 Message is too long together with the images of its template"
    )
