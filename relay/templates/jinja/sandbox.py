"""What filters may ask of the environment that they run in."""

from __future__ import annotations

from typing import Any, Protocol

from relay.templates.jinja.run import Run


class Sandbox(Protocol):
    """`environment.MailEnvironment`, which knows all filters."""

    html: bool
    filters: Any
    tests: Any

    @property
    def run(self) -> Run: ...

    def getitem(self, obj: Any, argument: Any) -> Any: ...

    def call(
        self, context: Any, function: Any, /, *args: Any, **kwargs: Any
    ) -> Any: ...
