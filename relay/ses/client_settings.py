"""Who asks SES, and where: the settings' part of it; nothing is opened here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a connection to SES is made of; empty: as AWS' own settings say."""

    access_key_id: str = ""
    access_key_secret: str = field(default="", repr=False)
    region: str = ""
    role_arn: str = ""
    endpoint_url: str = field(default="", repr=False)  # it may hold a password
    connect_timeout: float = 5
    attempt_timeout: float = 20
    concurrency: int = 50
