"""Settings from the environment: RELAY_ and the path in capitals, __ between tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from relay.config.explain import Location, unknown

PREFIX = "RELAY_"
# They name where settings are, and are none.
NO_SETTINGS = ("RELAY_CONFIG", "RELAY_DEFAULTS")
Parse = Callable[[str], Any]  # raises ValueError with the cure

# What Kubernetes sets for services whose name begins with "relay".
_KUBERNETES = re.compile(
    r"RELAY_(?:.*SERVICE_HOST|.*SERVICE_PORT.*|.*PORT|.*PORT_.*)", re.DOTALL
)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class Environment(NamedTuple):
    """Values by the path of their setting, the variables' names, and mistakes."""

    values: dict[Location, Any]
    names: dict[Location, str]
    mistakes: list[str]


def read(environ: Mapping[str, str], settings: Mapping[Location, Parse]) -> Environment:
    """Read what is set; `settings` has each path and how its text is read."""
    known = {name_of(path): path for path in settings}
    found = Environment({}, {}, [])
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in NO_SETTINGS:
            continue
        path = known.get(name)
        if path is None:
            if "__" in name or not _KUBERNETES.fullmatch(name):
                meant = _meant(name, known)
                found.mistakes.append(f"{_shown(name)}: {unknown(meant)}")
            continue
        parse = settings[path]
        # An empty variable, as a compose file passes on one that is not set, says
        # something about a text only.
        if not text.strip() and parse is not as_text:
            continue
        found.names[path] = name
        try:
            found.values[path] = parse(text)
        except ValueError as error:
            found.mistakes.append(f"{name}: {error}")
    return found


def _meant(name: str, known: Collection[str]) -> str:
    """A name like this one; of the same table, where there is such a table."""
    import difflib

    start = "".join(name.rpartition("__")[:2])
    if not (start and any(other.startswith(start) for other in known)):
        start = PREFIX
    # What all of them have in common would make any two alike.
    ends = {
        other.removeprefix(start): other for other in known if other.startswith(start)
    }
    close = difflib.get_close_matches(name.removeprefix(start), ends, 1, 0.7)
    return ends[close[0]] if close else ""


def name_of(path: Location) -> str:
    """The variable of a setting; `except_` is a name that Python has itself."""
    return PREFIX + "__".join(str(part).rstrip("_") for part in path).upper()


def as_text(text: str) -> str:
    """The text itself."""
    return text


def as_flag(text: str) -> Any:  # noqa: ANN401 - what is no flag, the model refuses
    """`true` or `false`."""
    return _FLAGS.get(text.strip().lower(), text)


def as_number(text: str) -> Any:  # noqa: ANN401 - what is no number, the model refuses
    """A whole number where it is one, else one with a fraction."""
    text = text.strip().replace("_", "") if text.isascii() else text
    try:
        return int(text) if re.fullmatch(r"[+-]?\d+", text, re.ASCII) else float(text)
    except ValueError:
        return text


def as_json(text: str) -> Any:  # noqa: ANN401 - any JSON, which the model judges
    """A list or a table."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("is not JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:
        raise ValueError("is not JSON: a number of too many digits") from None


def _shown(name: str) -> str:
    return name if name.isprintable() else repr(name)
