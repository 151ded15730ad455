"""`[[webhooks]]`: who is told by HTTP of what became of mail (docs/feedback.md)."""

# The annotations are read when a class is made, so they must not be texts: no
# `from __future__ import annotations` here.

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from relay.config import values as v
from relay.config.explain import Location
from relay.config.table import Secret, Table

Word = Literal[
    "queued",
    "sent",
    "captured",
    "deferred",
    "failed",
    "superseded",
    "dropped",
    "refused",
    # What SES says later, where [events] is set.
    "confirmed",
    "delivered",
    "bounced",
    "complained",
    "delayed",
    "rejected",
    "opened",
    "clicked",
    "not_rendered",
    "subscription_changed",
]

PREFIX = "whsec_"
# Bytes of a secret, as Standard Webhooks wants them.
SHORTEST, LONGEST = 24, 64
_MAKES_ONE = 'echo "whsec_$(openssl rand -base64 32)" makes one'
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?\.?")


class Webhook(Table):
    """Who is told by HTTP of what became of mail."""

    name: v.NameOrNone = ""
    """For the log, the metrics and the page; "": the url's host.

    Example: "app"
    """
    url: str = ""
    """Where events are sent to, by POST; http:// with allowPrivate alone.

    Example: "https://app.acme.example/hooks/mail"
    """
    secret: Secret = Secret("")
    """What signs: echo "whsec_$(openssl rand -base64 32)" makes one. Two with a space
    between both sign, so that one can be replaced.

    Example: "whsec_Zm91ciBhbmQgdHdlbnR5IGJ5dGVzIQ=="
    """
    secret_file: str = ""
    """Or the file that holds it, relative to this one.

    Example: "secrets/app.hook"
    """
    events: tuple[Word, ...] = ()
    """Which are sent, those from confirmed on with [events] alone; empty: all.

    Example: ["failed", "bounced", "complained"]
    """
    addresses: Literal["none", "full"] = "none"
    """full: sender, recipients and replies are told, too."""
    allow_private: v.Flag = False
    """Let it be at a private address, and by http://."""


class Place(NamedTuple):
    """What a URL says; `host` without the brackets of IPv6."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.secure else 80
        return host if self.port == usual else f"{host}:{self.port}"


def place(url: str) -> Place:
    """Where a webhook goes. Raises ValueError, whose text shows no more than the host.

    For many services the path is a secret.
    """
    from urllib.parse import urlsplit

    if not (url.isascii() and url.isprintable() and " " not in url):
        raise ValueError("must be ASCII without spaces; write others as %C3%A9")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http"):
        raise ValueError("must be a URL, https://…")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or a password; the signature tells")
    if parts.fragment:
        raise ValueError("must not have a part behind #, which no server would see")
    host, port = parts.hostname or "", parts.port  # ValueError: no number
    if not (_HOST.fullmatch(host) or _is_address(host)):
        raise ValueError(f"must name a host, such as https://app.example: {host!r}")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    usual = 443 if secure else 80
    return Place(secure, host, usual if port is None else port, path)


def keys(secret: str) -> list[bytes]:
    """The keys of a secret: one, or several with spaces between. Raises ValueError."""
    found = []
    for text in secret.split():
        if not text.startswith(PREFIX):
            raise ValueError(f"must begin with {PREFIX}; {_MAKES_ONE}")
        try:
            key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"is no base64 after {PREFIX}; {_MAKES_ONE}") from None
        if not SHORTEST <= len(key) <= LONGEST:
            raise ValueError(
                f"holds {len(key)} bytes, and must have {SHORTEST} to {LONGEST}; "
                f"{_MAKES_ONE}"
            )
        found.append(key)
    return found


def name_of(webhook: Webhook) -> str:
    """Its name in log, metrics and on the page: the host's, where it has none."""
    return webhook.name or place(webhook.url).host


def mistakes(webhooks: Sequence[Webhook]) -> Iterator[tuple[Location, str]]:
    """What is wrong with them, and what they cannot be together."""
    names: list[str] = []
    for number, webhook in enumerate(webhooks):
        here: Location = ("webhooks", number)
        if not webhook.url:
            yield (*here, "url"), "must be given: where events are sent to, https://…"
            continue
        try:
            found = place(webhook.url)
        except ValueError as error:
            yield (*here, "url"), str(error)
            continue
        if not found.secure and not webhook.allow_private:
            yield (
                (*here, "url"),
                (
                    f"= http://{found.authority}/…: must be https://; http:// is for "
                    "private addresses alone, with allowPrivate = true"
                ),
            )
        if not webhook.allow_private and _is_address(found.host):
            from relay.system.public import is_public

            if not is_public(found.host):
                yield (
                    (*here, "url"),
                    (
                        f"= https://{found.authority}/…: is a private address; set "
                        "allowPrivate = true where that is meant"
                    ),
                )
        setting = "secret_file" if webhook.secret_file else "secret"
        secret = webhook.secret.reveal()
        if not secret.strip():
            yield here, f"needs secret or secretFile; {_MAKES_ONE}"
        else:
            try:
                keys(secret)
            except ValueError as error:
                yield (*here, setting), str(error)
        name = name_of(webhook)
        if name in names:
            first = names.index(name)
            yield (
                (*here, "name"),
                f'= "{name}": webhooks[{first}] has it, too; give each its own',
            )
        names.append(name)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
