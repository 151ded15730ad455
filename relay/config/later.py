"""Settings whose part is not built yet: only their default is true.

Each line goes when its part comes; the file goes with the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.config.explain import Location, explain
from relay.config.models import Config, Listener, Table

_TEXT = "comes with a later release; leave it at its default"
_LATER: tuple[Location, ...] = (
    ("tls",),
    ("users",),
    ("limits", "connections_per_client"),
    ("limits", "messages_per_minute"),
    ("web",),
    ("intake",),
)
_LISTENER = ("tls", "require_tls", "auth", "insecure_auth", "proxies")


def not_yet(config: Config) -> Iterator[tuple[Location, str]]:
    """Each setting that asks for what this release has not."""
    defaults = Config()
    if config.queue.engine == "sqs":
        yield ("queue", "engine"), _words("sqs")
    for location in _LATER:
        mine: Any = config
        default: Any = defaults
        for name in location:
            mine, default = getattr(mine, str(name)), getattr(default, str(name))
        if not isinstance(mine, Table):
            if mine != default:
                yield location, _words(mine)
            continue
        for name in type(mine).model_fields:
            value = getattr(mine, name)
            if value != getattr(default, name):
                yield (*location, name), _words(value)
    for number, listener in enumerate(config.listeners):
        for name in _LISTENER:
            value = getattr(listener, name)
            if value != Listener.model_fields[name].default:
                yield ("listeners", number, name), _words(value)


def _words(value: object) -> str:
    # A SecretStr is no scalar to `explain`, so no secret is shown.
    error = {"type": "value_error", "ctx": {"error": _TEXT}, "input": value}
    return explain(error, secret=False)
