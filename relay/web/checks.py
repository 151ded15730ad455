"""`/api/v1/mails/{id}/checks`: what mail programs make of a captured mail.

Size, links, images, and what some programs do not show: by the rules that templates
are linted with, of the HTML as it is in the mail.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from relay.content.html_tags import Tag, attributes, referenced, tokens
from relay.templates.lint import CLIPPED_AT, MAX_FOUND
from relay.templates.lint_html import Found, html_problems, text_problems
from relay.templates.masked import MARK
from relay.templates.support import support
from relay.web.captured import CapturedMails
from relay.web.preview import MAX_SEARCHED, Preview

MOST_HOSTS = 50
# What the smaller mail servers take; the large ones take 20 MB and more.
TAKEN_BY_MANY = 10_000_000


class Checks:
    """Answers about the content of captured mails."""

    def __init__(self, captured: CapturedMails) -> None:
        self._captured = captured

    @property
    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/v1/mails/{id}/checks", self._checks)]

    async def _checks(self, request: web.Request) -> web.Response:
        content = self._captured.asked(request).mail.content
        return web.json_response(await asyncio.to_thread(checked, content))


def checked(content: bytes) -> dict[str, Any]:
    """What is to be known of a mail before its reader opens it."""
    preview = Preview(content)
    whole = preview.source or ""
    html = whole[:MAX_SEARCHED].replace(MARK, "\ufffd")
    size, html_size = len(content), len(whole.encode("utf-8", "replace"))
    images = Counter(_images(html))
    found = list(html_problems(html) if html else text_problems(preview.text))
    problems = [
        *_of_size(size, html_size),
        *_of_images(images["remote"]),
        *(
            {
                "kind": one.kind,
                "level": one.level,
                "text": one.text,
                "line": html.count("\n", 0, one.position) + 1 if html else 0,
            }
            for one in _once(found)
        ),
    ]
    return {
        "size": size,
        "html": html_size,
        "clippedAt": CLIPPED_AT,
        "hosts": _hosts(preview.links),
        "images": {kind: images[kind] for kind in ("remote", "embedded", "inline")},
        "problems": problems[:MAX_FOUND],
        "problemsLeftOut": max(len(problems) - MAX_FOUND, 0),
        "support": support().date,
    }


def _once(found: Sequence[Found]) -> list[Found]:
    """The worst first; what is said of several places once."""
    first: dict[str, Found] = {}
    counts: Counter[str] = Counter()
    for one in sorted(found, key=lambda one: one.level != "error"):
        first.setdefault(one.text, one)
        counts[one.text] += 1
    return [
        one if counts[text] == 1 else one._replace(text=f"{text} ({counts[text]} ×)")
        for text, one in first.items()
    ]


def _of_size(size: int, html_size: int) -> Iterator[dict[str, Any]]:
    if html_size > CLIPPED_AT:
        text = f"{html_size // 1000} kB of HTML: Gmail cuts it off at 102 kB"
        yield _problem("size", "error", text)
    if size > TAKEN_BY_MANY:
        text = f"{size / 1e6:.0f} MB on the wire: many mail servers take 10 MB at most"
        yield _problem("size", "warning", text)


def _of_images(remote: int) -> Iterator[dict[str, Any]]:
    if remote:
        are = "1 image is" if remote == 1 else f"{remote} images are"
        text = f"{are} remote: many programs show it only when their reader asks"
        yield _problem("image", "warning", text)


def _problem(kind: str, level: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "level": level, "text": text, "line": 0}


def _images(html: str) -> Iterator[str]:
    """Of each image where it is: remote, embedded in the mail, inline in the HTML."""
    kinds = {"http": "remote", "https": "remote", "cid": "embedded", "data": "inline"}
    for tag in tokens(html):
        if not isinstance(tag, Tag) or tag.name != "img" or tag.closing:
            continue
        for attribute in attributes(tag.source):
            if attribute.name.lower() == "src":
                address = referenced(attribute.value).strip().lower()
                yield kinds.get(address.partition(":")[0], "")
                break


def _hosts(links: Sequence[str]) -> list[dict[str, Any]]:
    """Where links lead, the most frequent first."""
    counts: Counter[tuple[str, bool]] = Counter()
    for link in links:
        scheme, _, rest = link.partition(":")
        if scheme.lower() == "mailto":
            host = rest.partition("?")[0].rpartition("@")[2]
        else:
            try:
                host = urlsplit(link).netloc.rpartition("@")[2]
            except ValueError:
                host = ""
        counts[host.lower()[:253], scheme.lower() != "http"] += 1
    return [
        {"host": host, "links": count, "secure": secure}
        for (host, secure), count in counts.most_common(MOST_HOSTS)
    ]
