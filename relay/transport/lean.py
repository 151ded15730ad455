"""The SDK's data files without what nobody here reads: 6 MB of memory (measured).

Its list of endpoints has those of 300 services, its models a page of text for each
operation, all of it in OrderedDicts that live as long as the client.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, create_loader

# Whom the SDK asks for us: SES, and who gives credentials. The rules of a partition
# for services that it does not list hold for those left out.
SERVICES = frozenset({"email", "sts", "sso", "portal.sso", "oidc"})


class LeanLoader(JSONFileLoader):  # type: ignore[misc] # the SDK has no types
    """Reads the SDK's files as the SDK does, and keeps a part of them."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON
        """The file's content; None where there is no such file."""
        return _read(file_path)


def read_ahead() -> None:
    """Read the list of endpoints, which takes 5 MB until it is cut.

    Before the SDK is imported, which then fills what became free; and not on the event
    loop, which would stand still for 30 ms (measured).
    """
    loader = create_loader()
    loader.file_loader = LeanLoader()
    loader.load_data("endpoints")


@cache
def _read(file_path: str) -> Any:  # noqa: ANN401 - any JSON
    keep = _partition if Path(file_path).name == "endpoints" else _without_texts
    for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
        if Path(file_path + suffix).is_file():
            with opened(file_path + suffix, "rb") as file:
                return json.load(file, object_pairs_hook=keep)
    return None


def _without_texts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A member of a shape may have that name too, and is a table.
    return {
        name: value
        for name, value in pairs
        if name != "documentation" or not isinstance(value, str)
    }


def _partition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if isinstance(services := found.get("services"), dict):
        for name in services.keys() - SERVICES:
            del services[name]
    return found
