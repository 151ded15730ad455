"""The settings' names, types and defaults; camelCase in the file, or snake_case.

Here is what is about no mail, and the whole; the large tables have a module each.
A text below a setting is its description wherever people read of it: see described.
"""

# The annotations are read when a class is made, so they must not be texts: no
# `from __future__ import annotations` here.

from pathlib import Path
from typing import Annotated, Literal

from relay.config import values as v
from relay.config.events import Events
from relay.config.listener import Limits, Listener, Tls, User
from relay.config.queue import Queue
from relay.config.rule import Rule
from relay.config.ses import Account, Guard, Pace, Ses
from relay.config.suppression import Suppression
from relay.config.table import Secret, Table, limited
from relay.config.template import Template
from relay.config.webhooks import Webhook

# The door to all tables.
__all__ = [
    "Account",
    "Config",
    "Guard",
    "Health",
    "Intake",
    "Limits",
    "Listener",
    "Log",
    "Pace",
    "Queue",
    "Rule",
    "Ses",
    "Template",
    "Tls",
    "User",
    "Web",
    "revealed",
]


class Web(Table):
    """The page for people."""

    listen: v.HostPort = "127.0.0.1:8025"
    """Where the page, its API, /livez, /readyz and /metrics are; "" for none."""
    user: str = ""
    """HTTP basic's user, with a password; needed off loopback.

    Example: "ops"
    """
    password_hash: Secret = Secret("")
    """What `relay password` prints. "generate", in capture mode alone: made at each
    start, and printed there.

    Example: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
    """
    password_hash_file: str = ""
    """Instead of passwordHash: the file that holds it, relative to this one.

    Example: "secrets/page.hash"
    """
    hosts: tuple[str, ...] = ()
    """Further Host names that may ask.

    Example: ["relay.acme.example"]
    """


class Intake(Table):
    """Mail by HTTP."""

    token: Secret = Secret("")
    """What Authorization must hold, at least 16 characters; off without.

    Example: "a-long-random-text"
    """
    token_file: str = ""
    """Instead of token: the file that holds it, relative to this one.

    Example: "secrets/intake-token"
    """


class Health(Table):
    """Probes for machines."""

    listen: v.HostPort = ""
    """"0.0.0.0:8026": /livez, /readyz and /metrics, without a password.

    Example: "0.0.0.0:8026"
    """


class Log(Table):
    """The log on stderr."""

    format: Literal["auto", "json", "text"] = "auto"
    """auto: text on a terminal, else json."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """debug, info, warning or error."""
    addresses: Literal["full", "masked"] = "full"
    """full or masked."""


Vendor = Literal["mandrill", "mailgun", "sendgrid", "postmark"]


class Config(Table):
    """All settings."""

    transport: Literal["ses", "capture"] = "ses"
    """ses, or capture: nothing leaves the machine."""
    usage_header: v.HeaderName = "X-Relay-Usage"
    """The header that names a mail's usage."""
    without_usage: v.Name = "pass"
    """Mail without a usage: pass, reject, or a usage such as "Generic"."""
    missing_variables: Literal["reject", "keep", "empty"] = "reject"
    """A variable that is not given: reject (550 5.6.0), keep ("{{code}}" stays, as
    Logto does), empty."""
    templates_dir: str = ""
    """A folder of template files (docs/templates.md), relative to this one; "" for
    none.

    Example: "templates"
    """
    syntax: Literal["simple", "jinja"] = "simple"
    """The templates' syntax: simple ("{{code}}" alone), or jinja (loops, conditions,
    layouts)."""
    timezone: v.TimeZone = "UTC"
    """The time zone in which templates show dates and times, such as "Europe/Berlin".
    """
    inline_css: v.Flag = False
    """true: the rules of <style> are put at the elements that they are for, for mail
    programs that read no <style>. Needs ses-relay[css]; a template may say otherwise.
    """
    headers_of: tuple[Vendor, ...] = ()
    """Whose headers count beside the relay's own: "mandrill", "mailgun", "sendgrid",
    "postmark".

    Example: ["mandrill"]
    """
    grace: v.Seconds = 25
    """Seconds that a stop may take; longer than ses.attemptTimeout."""
    reload: Literal["auto", "signal", "never"] = "auto"
    """When these settings are read again (docs/reload.md): auto (at SIGHUP, and when a
    file that they were read from changes), signal (at SIGHUP alone), never."""
    listeners: Annotated[tuple[Listener, ...], limited(min_length=1)] = (Listener(),)
    """One or more listeners; the default is one, on localhost:1025."""
    tls: Tls = Tls()
    users: tuple[User, ...] = ()
    """Who logs in, on listeners with auth = "optional" or "required"."""
    limits: Limits = Limits()
    ses: Ses = Ses()
    accounts: tuple[Account, ...] = ()
    """Further identities, roles or regions, as docs/senders.md has them. An account
    takes any key of [ses] as well; what it does not say, [ses] says. Keys and role come
    together."""
    pace: Pace = Pace()
    guard: Guard = Guard()
    queue: Queue = Queue()
    suppression: Suppression = Suppression()
    events: Events = Events()
    templates: tuple[Template, ...] = ()
    """A template for each usage, and for each locale where they differ."""
    rules: tuple[Rule, ...] = ()
    """What an app that sets no header gets by its mail (docs/rules.md). The first rule
    whose conditions all hold is the mail's; what is not given holds."""
    webhooks: tuple[Webhook, ...] = ()
    """Who is told by HTTP of what became of mail (docs/feedback.md)."""
    web: Web = Web()
    intake: Intake = Intake()
    health: Health = Health()
    log: Log = Log()
    # No setting: the file that they came from.
    file: Path | None = None

    @property
    def directory(self) -> Path:
        """What paths in the settings are relative to."""
        return self.file.parent if self.file else Path()


def revealed(secret: Secret) -> str:
    """The secret itself, for the one who needs it."""
    return secret.reveal()
