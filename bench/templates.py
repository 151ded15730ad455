"""What templates cost: to render and to build a mail of 20 kB, in processor time.

`python -m bench.templates` prints microseconds a mail, the best of some rounds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from relay.content.header import parse
from relay.model.submission import Envelope
from relay.templates.catalog import Templates
from relay.templates.source import Folder, Source
from relay.templates.template import Template

ROUNDS, MAILS = 20, 200
ENVELOPE = Envelope("app@acme.example", ("ann@example.net",))
ORIGINAL = parse(
    b"From: App <app@acme.example>\r\nTo: ann@example.net\r\n"
    b"Date: Sun, 29 Nov 2026 06:19:12 +0000\r\nMessage-ID: <1@acme.example>\r\n"
    b"Subject: old\r\n\r\nold\r\n"
)
_ROW = '<tr><td style="padding:8px;font-family:sans-serif;color:#1c1e21">{}</td></tr>\n'


def row(text: str) -> str:
    """A row as layouts have them."""
    return _ROW.format(text)


_FILLER = "".join(row(f"Line {number} of a letter.") for number in range(210))
_LAYOUT = (
    "<!doctype html><html><body><table>\n"
    + row("Hello {{ user.name }}")
    + "{% block content %}{% endblock %}"
    + _FILLER
    + '<a href="{{ link }}">Open</a></table></body></html>\n'
)
_LINES = (
    "{% for line in lines %}"
    + row("{{ line.name }}: {{ line.price }}")
    + "{% endfor %}"
)
VALUES: dict[str, Any] = {
    "code": "123456",
    "user": {"name": "Ann Example"},
    "link": "https://acme.example/a?b=1&c=2",
    "lines": [{"name": f"Thing {n}", "price": "12.50"} for n in range(5)],
}


def templates() -> dict[str, Template]:
    """What is measured, by its name."""
    page = _LAYOUT.replace("{% block content %}{% endblock %}", row("{{code}}"))
    child = (
        "{% extends '_layout.html' %}{% block content %}" + _LINES + "{% endblock %}"
    )
    folder = Folder(Path("templates"), {"_layout.html": _LAYOUT})
    jinja = {"syntax": "jinja", "folder": folder}
    return {
        "simple": _template(page),
        "jinja, the same": _template(page, **jinja),
        "jinja, layout and loop": _template(child, **jinja),
    }


def _template(content: str, **more: Any) -> Template:  # noqa: ANN401 - any setting
    source = Source("SignIn", "Your code is {{ code }}", content, **more)
    return Templates([source]).choose("SignIn", "")


def microseconds(template: Template, mails: int = MAILS, rounds: int = ROUNDS) -> float:
    """Processor time to make a mail of it."""
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(mails):
            template.apply(ORIGINAL, ENVELOPE, VALUES)
        best = min(best, time.thread_time() - start)
    return best / mails * 1e6


def main() -> None:
    """Measure all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=MAILS)
    options = parser.parse_args()
    for name, template in templates().items():
        size = len(template.apply(ORIGINAL, ENVELOPE, VALUES))
        cost = microseconds(template, options.mails)
        print(f"{name:24} {size:6} bytes {cost:7.1f} µs")


if __name__ == "__main__":
    main()
