"""The tables of the way in: listeners, their certificate, who logs in, what is much.

A text below a setting is its description wherever people read of it: see described.
"""

# No `from __future__ import annotations`: see models.

from ipaddress import IPv4Network, IPv6Network
from typing import Literal

from relay.config import values as v
from relay.config.table import Secret, Table


class Listener(Table):
    """Where clients connect, and who may."""

    name: v.Name = "local"
    """Its name in the log and in rules."""
    address: v.ListenAddress = "localhost:1025"
    """Where it listens: host:port, [v6]:port, or unix:/path for a unix socket, whose
    clients count as one, named unix; allow and proxies are not for it."""
    socket_mode: Literal["0600", "0660", "0666"] = "0660"
    """Of a unix socket: who may open it, its owner, its group too, or all users of this
    machine."""
    tls: Literal["off", "starttls", "implicit"] = "off"
    """off, starttls or implicit; TLS 1.2 or newer."""
    require_tls: v.Flag = False
    """With starttls: refuse MAIL before it."""
    auth: Literal["off", "optional", "required", "any"] = "off"
    """off, optional, required, or any (takes any name and password, also without TLS;
    loopback only)."""
    insecure_auth: v.Flag = False
    """Allow AUTH without TLS, where the network is trusted."""
    allow: tuple[v.AllowedNetwork, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    """Networks of clients; others get 554 5.7.1 at connect."""
    proxies: tuple[v.AllowedNetwork, ...] = ()
    """Networks of load balancers that speak the PROXY protocol, and must; the client
    that they name is held against allow.

    Example: ["10.0.0.0/16"]
    """
    usage: str = ""
    """The usage of mail that names none.

    Example: "Generic"
    """


class Tls(Table):
    """The certificate of the listeners."""

    cert_file: str = ""
    """The certificate of the listeners, PEM, relative to this file; read again when it
    changes.

    Example: "tls/fullchain.pem"
    """
    key_file: str = ""
    """Its key, PEM, without a passphrase.

    Example: "tls/privkey.pem"
    """
    self_signed: v.Flag = False
    """Instead of certFile and keyFile: make both at start, for development. The log has
    the certificate's SHA-256."""


class User(Table):
    """Who logs in, on listeners with auth = "optional" or "required"."""

    name: v.Name
    """The name that the client logs in with.

    Example: "app"
    """
    password_hash: Secret = Secret("")
    """What `relay password` prints.

    Example: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
    """
    password_hash_file: str = ""
    """Instead of passwordHash: the file that holds it, relative to this one.

    Example: "secrets/app.hash"
    """
    senders: tuple[str, ...] = ()
    """Allowed MAIL FROM: "app@acme.example", "*@acme.example", "*@*.acme.example"; a
    domain alone is all of it. Upper and lower case are one. Empty: all. The null sender
    is free.

    Example: ["*@acme.example"]
    """
    usage: str = ""
    """The usage of this user's mail that names none.

    Example: "Generic"
    """


class Limits(Table):
    """What a client may ask of the relay."""

    message_size: v.Count = 40_000_000
    """Bytes of a mail; what SIZE advertises."""
    recipients: v.Recipients = 1000
    """Recipients of a mail, 1 to 999999; with queue.engine = "none" at most 50, which
    is the default then."""
    line_length: v.LineLength = 1_000_000
    """Bytes of a text line; longer: 554 5.6.0."""
    connections: v.Count = 1000
    """Clients at one time; above: 421 4.3.2."""
    connections_per_client: v.CountOrNone = 0
    """Connections of one client address at one time, 0: no limit of its own; above: 421
    4.7.0.

    Example: 20
    """
    messages_per_minute: v.CountOrNone = 0
    """Mails in any 60 seconds, per client address and per user, 0: no limit; above: 450
    4.7.1.

    Example: 60
    """
    timeout: v.Seconds = 300
    """Seconds without a complete command; DATA may take this plus 1 s per 50 kB."""
    memory: v.Count = 100_000_000
    """Bytes of content in hand, all clients together; above: 452 4.3.1."""
