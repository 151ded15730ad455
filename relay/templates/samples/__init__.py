"""Templates to try the relay with, one for each of Logto's usages in four languages.

One layout, and the words of each language: what stands in both are `$names`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template as Form
from typing import Any

from relay.templates.source import Source

LANGUAGES = ("en", "de", "fr", "ja")
_HERE = Path(__file__).parent
_LATIN = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial"
_FONTS = {"ja": f"{_LATIN},'Hiragino Sans','Noto Sans JP','Yu Gothic',Meiryo"}
# Behind the words that a list of mails shows; else it goes on with what follows them.
_FILLING = "&#847;&zwnj;&nbsp;" * 60
_TEXT = Form("$title\n\n$lead\n\n$action\n\n$note\n\n$sent\n")
_CODE_TEXT = Form("{{code}}\n\n$valid")
_LINK_TEXT = Form("$button:\n{{link}}")


def sources() -> tuple[Source, ...]:
    """The samples, as the settings would give them; English is for all others too."""
    layout, code, button = (
        Form((_HERE / f"{name}.html").read_text("utf-8"))
        for name in ("layout", "code", "button")
    )
    made = []
    for language in LANGUAGES:
        shared, usages = words(language)
        locale = "" if language == "en" else language
        for usage, own in usages.items():
            said = {**shared, **own}
            has_code = usage != "OrganizationInvitation"
            preheader = said["valid"] if has_code else said["lead"]
            html = {name: escape(text, quote=False) for name, text in said.items()}
            action = (code if has_code else button).substitute(html)
            content = layout.substitute(
                html,
                lang=language,
                font=_FONTS.get(language, _LATIN),
                preheader=escape(preheader, quote=False),
                filling=_FILLING,
                action=action.rstrip("\n"),
            )
            in_text = (_CODE_TEXT if has_code else _LINK_TEXT).substitute(said)
            made.append(
                Source(
                    usage_type=usage,
                    subject=said["subject"],
                    content=content,
                    text=_TEXT.substitute(said, action=in_text),
                    locale=locale,
                    place=f"sample {usage}" + (locale and f" ({locale})"),
                )
            )
    return tuple(made)


def words(language: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What all mails of the language say, and what those of each usage do."""
    read: dict[str, Any] = tomllib.loads(
        (_HERE / f"{language}.toml").read_text("utf-8")
    )
    shared = {name: text for name, text in read.items() if isinstance(text, str)}
    return shared, {name: own for name, own in read.items() if isinstance(own, dict)}


# What Logto passes, with a value to look at.
VARIABLES: Mapping[str, Any] = {
    "code": "123456",
    "link": "https://acme.example/invitations/k3v9",
    "locale": "en",
    "uiLocales": "en",
    "application": {
        "id": "app-1",
        "name": "Acme Shop",
        "displayName": "Acme Shop",
        "branding": {
            "logoUrl": "https://acme.example/logo.png",
            "darkLogoUrl": "https://acme.example/logo-dark.png",
            "favicon": "https://acme.example/favicon.ico",
            "darkFavicon": "https://acme.example/favicon-dark.ico",
        },
    },
    "organization": {
        "id": "org-1",
        "name": "Acme Inc.",
        "branding": {"logoUrl": "https://acme.example/org.png"},
    },
    "user": {
        "id": "user-1",
        "name": "Ann Example",
        "username": "ann",
        "primaryEmail": "ann@example.com",
        "primaryPhone": "15550100",
        "avatar": "https://acme.example/ann.png",
        "profile": {"givenName": "Ann", "familyName": "Example"},
    },
    "inviter": {
        "id": "user-2",
        "name": "Bob Example",
        "username": "bob",
        "primaryEmail": "bob@example.com",
        "primaryPhone": None,
        "avatar": None,
        "profile": {"givenName": "Bob", "familyName": "Example"},
    },
}
