"""A mail's HTML as a light or a dark mail program shows it, whatever the viewer has."""

from __future__ import annotations

import re

_ASKED = re.compile(
    r"\(\s*+prefers-color-scheme\s*+:\s*+(light|dark)\s*+\)", re.IGNORECASE
)
_DECLARED = re.compile(r"(?<![\w-])(color-scheme\s*+:)([^;}\"']*+)", re.IGNORECASE)
_META = re.compile(
    r"<meta\b[^>]{0,200}?\bname\s*+=\s*+[\"']?color-scheme\b[^>]{0,200}+", re.IGNORECASE
)
_DARK = re.compile(r"(?<![\w-])dark(?![\w-])", re.IGNORECASE)


def has_dark(source: str) -> bool:
    """Whether a mail says how it looks in the dark."""
    return (
        any(match[1].lower() == "dark" for match in _ASKED.finditer(source))
        or any(_DARK.search(match[2]) for match in _DECLARED.finditer(source))
        or _meta_has_dark(source)
    )


def scheme(source: str, shade: str) -> str:
    """What a mail's canvas is where a viewer prefers `shade`."""
    return "dark" if shade == "dark" and _meta_has_dark(source) else "light"


def shaded(html: str, shade: str) -> str:
    """`html` as for a viewer who prefers `shade`, whatever this one prefers.

    A mail that says nothing of the dark looks the same in it.
    """
    html = _ASKED.sub(
        lambda match: (
            "(min-width: 0)" if match[1].lower() == shade else "(max-width: 0)"
        ),
        html,
    )
    known = re.compile(rf"(?<![\w-]){shade}(?![\w-])", re.IGNORECASE)
    return _DECLARED.sub(
        lambda match: f"{match[1]} {shade}" if known.search(match[2]) else match[0],
        html,
    )


def _meta_has_dark(source: str) -> bool:
    return any(_DARK.search(match[0]) for match in _META.finditer(source))
