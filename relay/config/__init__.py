"""The settings: one TOML file and the environment, checked, with every mistake named.

The only package that knows pydantic. `models` holds names, types and defaults,
`values` what one value may be, `checks` what several say together; `table` hands all
that to pydantic's engine, and `read` brings file and environment together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from relay.config.accounts import Sending, accounts
from relay.config.checks import warnings
from relay.config.entry import front_matter, one_rule
from relay.config.exposed import exposed
from relay.config.generated import generated_password
from relay.config.models import Config, revealed
from relay.config.places import host_and_port, is_loopback, unix_path
from relay.config.read import (
    ConfigError,
    Note,
    any_settings,
    find,
    load,
    read_text,
)
from relay.content.address import mailbox
from relay.model.mail import DEFAULT

__all__ = [
    "DEFAULT",
    "Config",
    "ConfigError",
    "Note",
    "Sending",
    "accounts",
    "address_of",
    "any_settings",
    "exposed",
    "find",
    "front_matter",
    "generated_password",
    "host_and_port",
    "is_loopback",
    "load",
    "one_rule",
    "read_text",
    "revealed",
    "schema",
    "spool_path",
    "unix_path",
    "warnings",
]


def schema() -> dict[str, Any]:
    """The JSON schema of a settings file."""
    from relay.config.json_schema import json_schema

    whole = json_schema(Config)
    whole["properties"].pop("file", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "Settings of ses-relay",
    }


def spool_path(config: Config) -> Path:
    """Where the queue's file is: relative to the settings file, else to here."""
    return config.directory / config.queue.path


def address_of(setting: str) -> str:
    """The address alone of a setting such as `Acme <noreply@acme.example>`."""
    return mailbox(setting).address if setting else ""
