"""Templates to try the relay with, one for each of Logto's usages, and variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.templates.template import Source

_CODE = (
    '<p style="font-size:28px;letter-spacing:6px;margin:24px 0"><b>{{code}}</b></p>'
    "<p>It is good for 10 minutes. If you did not ask for it, do nothing.</p>"
)
_WHAT = {
    "SignIn": ("Your sign-in code", "Use this code to sign in:"),
    "Register": ("Welcome", "Use this code to finish your registration:"),
    "ForgotPassword": ("Your new password", "Use this code to reset your password:"),
    "Generic": ("Your code", "Use this code:"),
    "UserPermissionValidation": ("Confirm it is you", "Use this code to go on:"),
    "BindNewIdentifier": ("Confirm your address", "Use this code to confirm it:"),
    "MfaVerification": ("Your second factor", "Use this code as second factor:"),
    "BindMfa": ("Set up your second factor", "Use this code to set it up:"),
}


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{title}</title></head>"
        '<body style="margin:0;background:#f4f5f7;color:#1c1e21;'
        'font-family:sans-serif">'
        '<div style="max-width:480px;margin:0 auto;padding:32px 24px;background:#fff">'
        f'<h1 style="font-size:20px">{title}</h1>{body}</div></body></html>'
    )


def sources() -> tuple[Source, ...]:
    """The nine samples, as the settings would give them."""
    codes = [
        Source(
            usage_type=usage,
            subject=f"{title}: {{{{code}}}}",
            content=_page(title, f"<p>{text}</p>{_CODE}"),
            place=f"sample {usage}",
        )
        for usage, (title, text) in _WHAT.items()
    ]
    invitation = Source(
        usage_type="OrganizationInvitation",
        subject="You are invited to {{organization.name}}",
        content=_page(
            "An invitation",
            "<p>You are invited to join <b>{{organization.name}}</b>.</p>"
            '<p><a href="{{link}}">Accept the invitation</a></p>',
        ),
        place="sample OrganizationInvitation",
    )
    return (*codes, invitation)


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
