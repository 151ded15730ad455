"""Settings whose part is not built yet: only their default is true.

Each line goes when its part comes; the file goes with the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from relay.config.explain import Location, explain
from relay.config.models import Config, Table

_TEXT = "comes with a later release; leave it at its default"
_LATER: tuple[Location, ...] = (
    ("web",),
    ("intake",),
)


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


def _words(value: object) -> str:
    # A SecretStr is no scalar to `explain`, so no secret is shown.
    error = {"type": "value_error", "ctx": {"error": _TEXT}, "input": value}
    return explain(error, secret=False)
