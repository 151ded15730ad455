"""A rule as the settings have it, before anything of it is compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from relay.model.mail import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One rule; empty: not given. `place` is for messages about it."""

    name: str
    place: str = ""
    # Conditions; of several entries one is enough.
    listener: Sequence[str] = ()
    user: Sequence[str] = ()
    client: Sequence[IPv4Network | IPv6Network] = ()
    sender: Sequence[str] = ()
    from_: Sequence[str] = ()
    recipient: Sequence[str] = ()
    subject: Sequence[str] = ()
    body: Sequence[str] = ()
    header: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # What it does.
    usage: str = ""
    locale: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    variables_from: str = ""  # "", "text", "json"
    extract: Sequence[str] = ()
    not_found: str = "pass"
    account: str = ""
    configuration_set: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    priority: Priority | None = None
    set_from: str = ""
    keep_from: str = "reply-to"
    tracking: bool = True
