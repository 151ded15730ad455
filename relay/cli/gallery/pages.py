"""The files of a gallery: an index of all mails, and each mail for its frames.

It works from a disk, without a network or a server, and under a strict policy: styles
and the script are files, and no template's content is in the index but as text. A mail
is in a frame that runs nothing, and has a policy of its own that loads nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files

from relay import __version__
from relay.cli.gallery.shade import has_dark, scheme, shaded
from relay.cli.gallery.shown import Shown

SHADES = ("light", "dark")
WIDTHS = (("Phone", 375), ("Desktop", 640))

# From a disk, 'self' is nothing in some browsers; from a server, file: is nothing.
_POLICY = (
    "default-src 'none'; style-src 'self' file:; script-src 'self' file:; "
    "frame-src 'self' file:; img-src data:; base-uri 'none'; form-action 'none'"
)
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "form-action 'none'"
)
_PLAIN = (
    "font:14px/21px ui-monospace,monospace;white-space:pre-wrap;padding:12px;margin:0"
)
_DOCTYPE = re.compile(r"\s*+<!doctype[^>]*+>", re.IGNORECASE)


def pages(mails: Sequence[Shown]) -> dict[str, str]:
    """Each file of the gallery by its name."""
    assets = files("relay.cli.gallery")
    made = {
        name: assets.joinpath(name).read_text("utf-8")
        for name in ("gallery.css", "gallery.js")
    }
    keys = _keys(mails)
    for mail, key in zip(mails, keys, strict=True):
        for shade in SHADES:
            made[f"mails/{key}.{shade}.html"] = _document(mail, shade)
    made["index.html"] = _index(mails, keys)
    return made


def _keys(mails: Sequence[Shown]) -> list[str]:
    """A name for each mail: for its files, and for its place in the index."""
    keys: list[str] = []
    for mail in mails:
        name = f"{mail.usage}.{mail.locale}" if mail.locale else mail.usage
        key = base = re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:80].strip(".") or "mail"
        number = 1
        # Some disks tell no capitals from small letters.
        while key.lower() in (other.lower() for other in keys):
            number += 1
            key = f"{base}-{number}"
        keys.append(key)
    return keys


def _document(mail: Shown, shade: str) -> str:
    """A mail as the document of a frame: its policy before all that could load."""
    if mail.html is None:
        canvas = shade
        text = escape(mail.text or mail.refused)
        html = f'<!doctype html><pre style="{_PLAIN}">{text}</pre>'
    else:
        canvas = scheme(mail.source, shade)
        html = shaded(mail.html, shade)
    doctype = _DOCTYPE.match(html)  # it decides how a browser measures, so it is first
    start = doctype.end() if doctype else 0
    return (
        f'{html[:start]}<meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_MAIL_POLICY}">'
        f'<base target="_blank"><style>:root{{color-scheme:{canvas}}}</style>'
        f"{html[start:]}"
    )


def _index(mails: Sequence[Shown], keys: Sequence[str]) -> str:
    usages: dict[str, list[tuple[str, str]]] = {}
    for mail, key in zip(mails, keys, strict=True):
        usages.setdefault(mail.usage, []).append((mail.locale, key))
    contents = "".join(
        f"<li><b>{escape(usage)}</b> <span>"
        + " ".join(
            f'<a href="#{key}">{escape(locale or "default")}</a>'
            for locale, key in entries
        )
        + "</span></li>"
        for usage, entries in usages.items()
    )
    sections = "".join(map(_section, mails, keys))
    count = f"{len(mails)} mail{'' if len(mails) == 1 else 's'}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Templates</title>
<link rel="stylesheet" href="gallery.css">
<script src="gallery.js" defer></script>
</head>
<body>
<a class="skip" href="#_mails">To the mails</a>
<nav aria-label="Templates">
<h1>Templates</h1>
<p>{count}, ses-relay {escape(__version__)}</p>
<p class="keys"><kbd>j</kbd> <kbd>k</kbd> next, previous</p>
<ul>{contents}</ul>
</nav>
<main id="_mails">{sections}</main>
</body>
</html>
"""


def _section(mail: Shown, key: str) -> str:
    title = escape(mail.usage)
    locale = escape(mail.locale or "default")
    head = (
        f'<section id="{key}" aria-labelledby="{key}-title" tabindex="-1">'
        f'<h2 id="{key}-title"><a href="#{key}">{title}</a> '
        f"<small>{locale}</small></h2>"
    )
    variables = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(value) or '–'}</td></tr>"
        for name, value in mail.variables.items()
    )
    table = (
        f"<details><summary>Variables ({len(mail.variables)})</summary>"
        f"<table>{variables}</table></details>"
        if variables
        else ""
    )
    if mail.refused:
        refused = f'<p class="bad">No mail: {escape(mail.refused)}</p>'
        return f"{head}{_problems(mail)}{refused}{table}</section>"
    size = f" · {mail.size / 1000:.1f} kB of HTML" if mail.html is not None else ""
    views = "".join(_views(mail, key, shade) for shade in SHADES)
    return (
        f'{head}<p class="subject" dir="auto">{escape(mail.subject)}</p>'
        f'<p class="soft">{escape(mail.sender)}{size}</p>{_problems(mail)}'
        f'<div class="shades">{views}</div>'
        f"<details><summary>Text part</summary>"
        f'<pre dir="auto">{escape(mail.text)}</pre></details>{table}</section>'
    )


def _problems(mail: Shown) -> str:
    lines = "".join(
        f'<li class="{one.level}">{"✖" if one.level == "error" else "⚠"} '
        f"{escape(one.text)} <small>{escape(one.file)}:{one.row}</small></li>"
        for one in mail.problems
    )
    return f'<ul class="problems">{lines}</ul>' if lines else ""


def _views(mail: Shown, key: str, shade: str) -> str:
    said = ""
    if shade == "dark" and mail.html is not None and not has_dark(mail.source):
        said = ' <span class="soft">(it has no dark styles of its own)</span>'
    label = escape(f"{mail.usage} {mail.locale}".strip())
    frames = "".join(
        f'<figure class="{name.lower()}"><iframe sandbox loading="lazy" '
        f'src="mails/{key}.{shade}.html" title="{label}, {name.lower()}, {shade}">'
        f"</iframe><figcaption>{name}, {width} px</figcaption></figure>"
        for name, width in WIDTHS
    )
    return (
        f'<div class="shade {shade}"><h3>{shade.title()}{said}</h3>'
        # It scrolls where the window is narrow, by keys too.
        f'<div class="views" role="group" tabindex="0" aria-label="{label}, {shade}">'
        f"{frames}</div></div>"
    )
