"""Mail that is asked for instead of handed over, as by HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """A templated mail that is asked for without an original, as by HTTP.

    `defaults` stand in for variables that are not given.
    """

    usage: str
    variables: Mapping[str, Any] = field(repr=False)
    locale: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
