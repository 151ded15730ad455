"""The settings' names, types and defaults; camelCase in the file, or snake_case."""

# The annotations are read when a class is made, so they must not be texts: no
# `from __future__ import annotations` here.

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from relay.config import values as v
from relay.config.table import Secret, Table, limited
from relay.model.mail import SES_HEADERS


class Listener(Table):
    """Where clients connect, and who may."""

    name: v.Name = "local"
    address: v.HostPort = "localhost:1025"
    tls: Literal["off", "starttls", "implicit"] = "off"
    require_tls: v.Flag = False
    auth: Literal["off", "optional", "required", "any"] = "off"
    insecure_auth: v.Flag = False
    allow: tuple[v.AllowedNetwork, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    proxies: tuple[v.AllowedNetwork, ...] = ()
    usage: str = ""


class Tls(Table):
    """The listeners' certificate."""

    cert_file: str = ""
    key_file: str = ""
    self_signed: v.Flag = False


class User(Table):
    """A client that logs in."""

    name: v.Name
    password_hash: Secret = Secret("")
    password_hash_file: str = ""
    senders: tuple[str, ...] = ()
    usage: str = ""


class Limits(Table):
    """What a client may ask of the relay."""

    message_size: v.Count = 40_000_000
    recipients: v.Recipients = 1000
    line_length: v.LineLength = 1_000_000
    connections: v.Count = 1000
    connections_per_client: v.CountOrNone = 0
    messages_per_minute: v.CountOrNone = 0
    timeout: v.Seconds = 300
    memory: v.Count = 100_000_000


class Ses(Table):
    """The connector's own names, and how SES is called."""

    access_key_id: Secret = Secret("")
    access_key_id_file: str = ""
    access_key_secret: Secret = Secret("")
    access_key_secret_file: str = ""
    region: v.Region = ""
    email_address: v.Email = ""
    email_address_identity_arn: v.Arn = ""
    feedback_forwarding_email_address: v.Email = ""
    feedback_forwarding_email_address_identity_arn: v.Arn = ""
    configuration_set_name: v.SetName = ""
    role_arn: v.Arn = ""
    endpoint_url: v.Url = ""
    tags: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    usage_tag: v.TagName = "usage"
    tenant_name: v.SetName = ""
    feedback_to_sender: v.Flag = False
    client_headers: tuple[v.ClientHeader, ...] = SES_HEADERS[:3]
    reencode: Literal["auto", "never"] = "auto"
    connect_timeout: v.Seconds = 5
    attempt_timeout: v.Seconds = 20
    concurrency: v.Count = 50


class Account(Ses):
    """Another identity, role or region; what it does not say, [ses] says."""

    name: v.AccountName
    domains: tuple[v.Domain, ...] = ()
    fallback: str = ""
    rate: v.Rate = "auto"
    share: v.Share = 0.9


class Pace(Table):
    """How fast mail leaves."""

    rate: v.Rate = "auto"
    share: v.Share = 0.9


Delays = Annotated[tuple[v.Seconds, ...], limited(min_length=1)]


class Queue(Table):
    """Where mail waits, and for how long."""

    engine: Literal["sqlite", "none", "sqs"] = "sqlite"
    path: v.Name = "relay-spool.db"
    answer_within: v.Seconds = 3
    retry_delays: Delays = (5, 10, 30, 120, 600, 1200)
    slow_delays: Delays = (30, 120, 600, 1800)
    unseen_delays: Delays = (30, 300, 3600, 21600)
    give_up_after: v.Seconds = 345_600
    keep_sent: v.SecondsOrNone = 3600
    keep_failed: v.SecondsOrNone = 1_209_600
    keep_keys: v.Seconds = 86_400
    report_from: v.Email = ""
    report_to: v.Email = ""


class Guard(Table):
    """Who may get mail at all, as in staging."""

    recipients: tuple[v.AddressPattern, ...] = ()
    others: Literal["reject", "redirect", "capture"] = "reject"
    redirect_to: v.Email = ""


class Template(Table):
    """What a usage's mail looks like."""

    usage_type: v.Name
    subject: str
    content: str = ""
    content_file: str = ""
    content_type: Literal["text/html", "text/plain"] = "text/html"
    text: str = ""
    locale: str = ""
    send_from: str = ""
    reply_to: str = ""
    valid_for: v.Seconds | None = None
    supersedes: v.Flag = False
    priority: Literal["", "high", "normal", "low"] = ""
    attachments: Literal["keep", "drop"] = "keep"
    tracking: v.Flag = True
    unsubscribe: str = ""
    per_recipient: v.PerRecipient = ""
    over_limit: Literal["reject", "drop"] = "reject"


class Rule(Table):
    """Which mail of an app that sets no header it is about, and what becomes of it."""

    name: v.RuleName = ""
    listener: v.Patterns = ()
    user: v.Patterns = ()
    client: v.AllowedNetworks = ()
    sender: v.Patterns = ()
    from_: v.Patterns = ()
    recipient: v.Patterns = ()
    subject: v.Patterns = ()
    body: v.Patterns = ()
    header: dict[str, v.Patterns] = {}  # noqa: RUF012 - nobody changes it
    usage: v.Word = ""
    locale: v.Word = ""
    variables: v.Variables = {}  # noqa: RUF012 - nobody changes it
    variables_from: Literal["", "text", "json"] = ""
    extract: tuple[str, ...] = ()
    account: str = ""
    not_found: v.Name = "pass"
    configuration_set_name: v.SetName = ""
    tags: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    priority: Literal["", "high", "normal", "low"] = ""
    set_from: v.Email = ""
    keep_from: Literal["reply-to", "name", "drop"] = "reply-to"
    tracking: v.Flag = True


class Web(Table):
    """The page for people."""

    listen: v.HostPort = "127.0.0.1:8025"
    user: str = ""
    password_hash: Secret = Secret("")
    password_hash_file: str = ""
    hosts: tuple[str, ...] = ()


class Intake(Table):
    """Mail by HTTP."""

    token: Secret = Secret("")
    token_file: str = ""


class Health(Table):
    """Probes for machines."""

    listen: v.HostPort = ""


class Log(Table):
    """The log on stderr."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    addresses: Literal["full", "masked"] = "full"


Vendor = Literal["mandrill", "mailgun", "sendgrid", "postmark"]


class Config(Table):
    """All settings."""

    transport: Literal["ses", "capture"] = "ses"
    usage_header: v.HeaderName = "X-Relay-Usage"
    without_usage: v.Name = "pass"
    missing_variables: Literal["reject", "keep", "empty"] = "reject"
    headers_of: tuple[Vendor, ...] = ()
    grace: v.Seconds = 25
    listeners: Annotated[tuple[Listener, ...], limited(min_length=1)] = (Listener(),)
    tls: Tls = Tls()
    users: tuple[User, ...] = ()
    limits: Limits = Limits()
    ses: Ses = Ses()
    accounts: tuple[Account, ...] = ()
    pace: Pace = Pace()
    guard: Guard = Guard()
    queue: Queue = Queue()
    templates: tuple[Template, ...] = ()
    rules: tuple[Rule, ...] = ()
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
