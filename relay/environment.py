"""Settings from the environment: RELAY_ and the path in capitals, __ between tables."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PREFIX = "RELAY_"
Location = tuple[str | int, ...]

# What Kubernetes sets for services whose name begins with "relay".
_KUBERNETES = re.compile(
    r"RELAY_(?:.*SERVICE_HOST|.*SERVICE_PORT.*|.*PORT|.*PORT_.*)", re.DOTALL
)


@dataclass(slots=True)
class Environment:
    """Values by the path of their setting, the variables' names, and mistakes."""

    values: dict[Location, Any] = field(default_factory=dict)
    names: dict[Location, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    @classmethod
    def read(
        cls, environ: Mapping[str, str], settings: Mapping[Location, bool]
    ) -> Environment:
        """Read what is set; `settings` tells for each path whether it comes as JSON."""
        known = {PREFIX + "__".join(map(str, path)).upper(): path for path in settings}
        found = cls()
        for name, text in environ.items():
            if not name.startswith(PREFIX) or name == "RELAY_CONFIG":
                continue
            path = known.get(name)
            if path is None:
                if "__" in name or not _KUBERNETES.fullmatch(name):
                    close = difflib.get_close_matches(name, known, 1)
                    hint = f"; did you mean {close[0]}?" if close else ""
                    found.mistakes.append(f"{name}: unknown setting{hint}")
                continue
            found.names[path] = name
            if settings[path]:
                try:
                    found.values[path] = json.loads(text)
                except (ValueError, RecursionError) as error:
                    reason = getattr(error, "msg", "nested too deeply")
                    found.mistakes.append(f"{name}: not JSON: {reason}")
            else:
                found.values[path] = text
        return found
