"""The file, the environment over it, the secrets' files: one checked `Config`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic_core import ValidationError

from relay.config import environment
from relay.config.checks import contradictions
from relay.config.environment import Environment, Parse
from relay.config.explain import (
    Given,
    Location,
    at,
    dotted,
    explain,
    to_camel,
    unknown,
)
from relay.config.generated import GENERATE, with_password
from relay.config.layers import Layers
from relay.config.models import Config
from relay.config.table import Table
from relay.model.mail import RECIPIENTS_PER_CALL
from relay.system import files

_AT_LINE = re.compile(r"(?<=\(at line )[0-9]+")
# What `serve --capture` says, over file and environment.
CAPTURE: Mapping[Location, str] = {
    ("transport",): "capture",
    ("queue", "engine"): "none",
}
_SECRETS = frozenset(
    {"access_key_id", "access_key_secret", "password_hash", "token", "secret"}
)


Note = Callable[[Path], None]  # is told of each file before it is read


def _is_secret(item: Mapping[str, Any]) -> bool:
    """Tell whether a mistake's value must not be shown; a URL may hold a password."""
    names = item["loc"]
    return not _SECRETS.isdisjoint(names) or (
        "endpoint_url" in names and "@" in str(item["input"])
    )


class ConfigError(Exception):
    """The settings cannot be used. The text is for the operator, a line a mistake."""


def find(option: str | None, environ: Mapping[str, str]) -> Path | None:
    """The option, else $RELAY_CONFIG, else ./config.toml if it is there.

    Raises ConfigError where the working directory may not be looked into.
    """
    if option or environ.get("RELAY_CONFIG"):
        return Path(option or environ["RELAY_CONFIG"])
    default = Path("config.toml")
    try:
        default.stat()
    except PermissionError as error:
        raise ConfigError(
            f"./config.toml: {error.strerror}: user {os.geteuid()} may not look into "
            "the working directory; name the settings with -c FILE or RELAY_CONFIG, "
            "or start in another directory"
        ) from error
    except OSError:
        return None
    return default


def any_settings(file: Path | None, environ: Mapping[str, str]) -> bool:
    """Tell whether anything at all is set; RELAY_CONFIG and Kubernetes' do not count.

    A misspelt name counts: its owner wants to hear of it.
    """
    found = _environment(environ)
    return file is not None or bool(found.names or found.mistakes)


def variables(environ: Mapping[str, str]) -> Mapping[Location, str]:
    """The variables that set something, by the path of what they set."""
    return _environment(environ).names


def load(
    file: Path | None,
    environ: Mapping[str, str],
    *,
    capture: bool = False,
    note: Note = lambda path: None,
) -> Config:
    """Read the file, then the environment over it; `capture` as `serve --capture`.

    `note` is told of each file before it is read. Raises ConfigError, one line for
    each mistake.
    """
    return load_layers(file, environ, capture=capture, note=note)[0]


def load_layers(
    file: Path | None,
    environ: Mapping[str, str],
    *,
    capture: bool = False,
    note: Note = lambda path: None,
) -> tuple[Config, Layers]:
    """The same, with who said what."""
    layers, mistakes = _layers(file, environ, capture=capture, note=note)
    table, where = layers.table, layers.where
    mistakes += [where(*each) for each in _read_secrets(table, file, note)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    try:
        config = Config(**table, file=file)
    except ValidationError as error:
        items = error.errors(include_url=False)
        lines = [
            where(item["loc"], explain(item, secret=_is_secret(item)))
            for item in items
            # A list whose only entry is wrong counts as empty with pydantic, too.
            if item["type"] != "too_short" or not _has_more(item["loc"], items)
        ]
        raise ConfigError("\n".join(lines)) from None
    given = "recipients" in table.get("limits", {})
    wrong = list(contradictions(config, recipients_given=given))
    if wrong:
        raise ConfigError("\n".join(where(*each) for each in wrong))
    if config.queue.engine == "none" and not given:
        limits = config.limits.replaced(recipients=RECIPIENTS_PER_CALL)
        config = config.replaced(limits=limits)
    return with_password(config), layers


def _layers(
    file: Path | None, environ: Mapping[str, str], *, capture: bool, note: Note
) -> tuple[Layers, list[str]]:
    """All that is said, the weakest first, and what cannot be read of it."""
    layers = Layers(Config, unsaid=file or Path("settings"))
    found = _environment(environ)
    mistakes = list(found.mistakes)
    files = [*package_files(environ, capture=capture), *([file] if file else [])]
    for path in files:
        note(path)
        table, wrong = field_names(Config, toml(_read(path), path), ())
        mistakes += [at(path, location, text) for location, text in wrong]
        layers.lay(table, path)
    for location, value in found.values.items():
        named, wrong = _renamed(location, value)
        layers.put(location, named, found.names[location])
        mistakes += [layers.where(*each) for each in wrong]
    if capture:
        for location, value in CAPTURE.items():
            layers.put(location, value, "--capture")
    return layers, mistakes


def package_files(environ: Mapping[str, str], *, capture: bool) -> Iterator[Path]:
    """The files of $RELAY_DEFAULTS: what a package, such as the image, has by itself.

    Weaker than all that its user says; `capture.toml` is for `serve --capture` alone.
    """
    if directory := environ.get("RELAY_DEFAULTS"):
        yield Path(directory) / "settings.toml"
        if capture:
            yield Path(directory) / "capture.toml"


def _has_more(location: Location, items: Sequence[Any]) -> bool:
    return any(
        item["loc"][: len(location)] == location and item["loc"] != location
        for item in items
    )


def read_text(
    path: Path, *, limit: int = files.TEXT_BYTES, streams: bool = False
) -> str:
    """The file's text, its line ends as they are. Raises ValueError saying why not.

    A byte order mark at its start, which editors on Windows write, is no text.
    """
    data = files.read(path, limit=limit, streams=streams)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("is UTF-16; save it as UTF-8")
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"is not UTF-8 (byte {error.start + 1}); save it as UTF-8"
        ) from error


def _read(file: Path) -> str:
    try:
        # A pipe too: `relay serve -c <(sops -d config.toml)`.
        return read_text(file, streams=True)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None


def toml(text: str, file: Path, *, line: int = 0) -> dict[str, Any]:
    """What `text` of `file` says; before it are so many lines. Raises ConfigError."""
    try:
        return tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        said = _AT_LINE.sub(lambda match: str(int(match[0]) + line), str(error))
        hint = "; a text stands in quotes" if said.startswith("Invalid value") else ""
        raise ConfigError(f"{file}: is not TOML: {said}{hint}") from None
    except RecursionError:
        raise ConfigError(f"{file}: is not TOML: nested too deeply") from None
    except ValueError as error:
        reason = "a number of too many digits" if "digits" in str(error) else error
        raise ConfigError(f"{file}: {reason}") from None


def _environment(environ: Mapping[str, str]) -> Environment:
    return environment.read(environ, dict(_leaves(Config, ())))


def _leaves(model: type[Table], path: Location) -> Iterator[tuple[Location, Parse]]:
    """Each setting's path, and how its text in the environment is read."""
    for name, kind in model.kinds().items():
        if (*path, name) == ("file",):
            continue
        if isinstance(kind, type) and issubclass(kind, Table):
            yield from _leaves(kind, (*path, name))
        elif get_origin(kind) in (tuple, dict):
            yield (*path, name), environment.as_json
        elif kind is bool:
            yield (*path, name), environment.as_flag
        elif kind in (int, float) or float in get_args(kind):
            yield (*path, name), environment.as_number
        else:
            yield (*path, name), environment.as_text


def _inner(annotation: Any) -> type[Table] | None:  # noqa: ANN401
    """The model in `tuple[Model, ...]`."""
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return inner if isinstance(inner, type) and issubclass(inner, Table) else None


def field_names(
    model: type[Table], table: Mapping[str, Any], path: Location
) -> tuple[dict[str, Any], list[tuple[Location, str]]]:
    """The table with the models' own names, and what is wrong with the given ones."""
    kinds = model.kinds()
    fields = [name for name in kinds if (*path, name) != ("file",)]
    names = {to_camel(name): name for name in fields} | {name: name for name in fields}
    found: dict[str, Any] = {}
    wrong: list[tuple[Location, str]] = []
    for key, value in table.items():
        name = names.get(key)
        if name is None:
            import difflib

            close = difflib.get_close_matches(key, names, 1)
            meant = dotted((*path, names[close[0]])) if close else ""
            if not (meant or path):
                meant = " or ".join(_in_tables(key))
            wrong.append(((*path, Given(key)), unknown(meant)))
        elif name in found:
            both = f"given as {to_camel(name)} and as {name}; keep one"
            wrong.append(((*path, name), both))
        else:
            found[name], more = _inside(kinds[name], value, (*path, name))
            wrong += more
    return found, wrong


def _in_tables(key: str) -> Iterator[str]:
    """Where a name belongs that stands above the first table of the file."""
    for location, _ in _leaves(Config, ()):
        if len(location) > 1 and key in (location[-1], to_camel(str(location[-1]))):
            yield dotted(location)


def _inside(
    kind: Any,  # noqa: ANN401 - an annotation
    value: Any,  # noqa: ANN401 - what the file has
    path: Location,
) -> tuple[Any, list[tuple[Location, str]]]:
    """A setting's value with the models' own names, where it holds tables of ours."""
    if isinstance(value, dict) and isinstance(kind, type):
        if issubclass(kind, Table):
            return field_names(kind, value, path)
    elif isinstance(value, list) and (inner := _inner(kind)) is not None:
        items = [_inside(inner, item, (*path, n)) for n, item in enumerate(value)]
        return [item for item, _ in items], [each for _, more in items for each in more]
    return value, []


def _renamed(location: Location, value: Any) -> tuple[Any, list[tuple[Location, str]]]:  # noqa: ANN401
    """The same for a value of the environment."""
    model: Any = Config
    for name in location[:-1]:
        model = model.kinds()[str(name)]
    return _inside(model.kinds()[str(location[-1])], value, location)


def _read_secrets(
    table: dict[str, Any], file: Path | None, note: Note
) -> Iterator[tuple[Location, str]]:
    """Put the content of each secret's file in the secret's place."""
    places: list[tuple[Location, Any, str]] = [
        (("ses",), table.get("ses"), "access_key_id"),
        (("ses",), table.get("ses"), "access_key_secret"),
        (("web",), table.get("web"), "password_hash"),
        (("intake",), table.get("intake"), "token"),
    ]
    for name, secrets in (
        ("users", ("password_hash",)),
        ("accounts", ("access_key_id", "access_key_secret")),
        ("webhooks", ("secret",)),
    ):
        entries = table.get(name)
        if isinstance(entries, list):
            places += [
                ((name, n), entry, secret)
                for n, entry in enumerate(entries)
                for secret in secrets
            ]
    for path, place, name in places:
        named = place.get(f"{name}_file") if isinstance(place, dict) else None
        if not named or not isinstance(named, str):
            continue  # what is no text, the model refuses
        location = (*path, f"{name}_file")
        if place.get(name) and place[name] != GENERATE:
            yield location, f"is given beside {to_camel(name)}; keep one"
            continue
        secret = (file.parent if file else Path()) / named
        note(secret)
        try:
            text = read_text(secret, limit=files.SECRET_BYTES)
        except ValueError as error:
            yield location, f"= {named!r}: {error}"
            continue
        place[name] = text.removesuffix("\n").removesuffix("\r")
        if not place[name]:
            yield location, f"= {named!r}: is empty"
