"""The SDK's data files, read without what nobody here asks for, to save memory.

Its list of endpoints has those of 300 services, SES' model 116 operations with a page
of text for each, all of it in OrderedDicts that live as long as the client.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, create_loader

# Whom the SDK asks for us: SES, and who gives credentials. The rules of a partition
# for services that it does not list hold for those left out.
SERVICES = frozenset({"email", "sts", "sso", "portal.sso", "oidc"})

# What is asked of SES; the SDK makes a method of each.
OPERATIONS = frozenset(
    {
        "GetAccount",
        "GetConfigurationSet",
        "GetEmailIdentity",
        "ListSuppressedDestinations",
        "SendEmail",
    }
)


class LeanLoader(JSONFileLoader):  # type: ignore[misc] # the SDK has no types
    """Reads the SDK's files as the SDK does, and keeps a part of them."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - any JSON
        """The file's content; None where there is no such file."""
        return _read(file_path)


def read_ahead() -> None:
    """Read the list of endpoints and SES' model, which are large until they are cut.

    Before the SDK is imported, which then fills what became free; and not on the event
    loop, which would stand still meanwhile.
    """
    loader = create_loader()
    loader.file_loader = LeanLoader()
    loader.load_data("endpoints")
    version = loader.determine_latest_version("sesv2", "service-2")
    loader.load_data(f"sesv2/{version}/service-2")


@cache
def _read(file_path: str) -> Any:  # noqa: ANN401 - any JSON
    keep = _partition if Path(file_path).name == "endpoints" else _without_texts
    for suffix, opened in ((".json", open), (".json.gz", gzip.open)):
        if Path(file_path + suffix).is_file():
            with opened(file_path + suffix, "rb") as file:
                found = json.load(file, object_pairs_hook=keep)
            is_model = Path(file_path).name == "service-2"
            if is_model and "sesv2" in Path(file_path).parts:
                _cut(found)
            return found
    return None


def _cut(model: dict[str, Any]) -> None:
    """Leave of SES' model what is asked of SES, and the shapes in that."""
    operations, shapes = model["operations"], model["shapes"]
    for name in operations.keys() - OPERATIONS:
        del operations[name]
    wanted: set[str] = set()
    named = set(_shapes_in(operations))
    while named:
        wanted |= named
        named = {s for name in named for s in _shapes_in(shapes[name])} - wanted
    for name in shapes.keys() - wanted:
        del shapes[name]


def _shapes_in(value: object) -> Iterator[str]:
    """The shapes that a part of a model names."""
    if isinstance(value, dict):
        if isinstance(name := value.get("shape"), str):
            yield name
        for inner in value.values():
            yield from _shapes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _shapes_in(inner)


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
