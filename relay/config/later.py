"""Settings whose part is not built yet: only their default is true.

Each line goes when its part comes; the file goes with the last.
"""

from __future__ import annotations

from collections.abc import Iterator

from relay.config.explain import Location, explain
from relay.config.models import Config

_TEXT = "comes with a later release; leave it at its default"


def not_yet(config: Config) -> Iterator[tuple[Location, str]]:
    """Each setting that asks for what this release has not."""
    if config.queue.engine == "sqs":
        error = {"type": "value_error", "ctx": {"error": _TEXT}, "input": "sqs"}
        yield ("queue", "engine"), explain(error, secret=False)
