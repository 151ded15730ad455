"""Files with secrets that every user of the machine may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from relay.config.explain import Location, dotted
from relay.config.generated import generated_password
from relay.config.models import Config, revealed
from relay.config.read import variables
from relay.config.table import Table
from relay.system import files

_CURE = (
    "every user of this machine may read it; chmod 600 it as the relay's user, or 640 "
    "with its group"
)


def exposed(config: Config, environ: Mapping[str, str]) -> list[str]:
    """A warning for each such file: the settings, secrets' files, the TLS key."""
    from_environment = variables(environ)
    found: list[str] = []
    inside: list[str] = []
    for path, table, name in _secrets(config):
        if named := getattr(table, f"{name}_file"):
            file = config.directory / named
            if files.open_to_others(file):
                setting = dotted((*path, f"{name}_file"))
                found.append(f"{setting} = {str(file)!r}: {_CURE}")
        elif revealed(getattr(table, name)) and name != "access_key_id":
            location = (*path, name)
            if not any(
                location[:length] in from_environment
                for length in range(1, len(location) + 1)
            ):
                inside.append(dotted(location))
    key = config.directory / config.tls.key_file
    if config.tls.key_file and files.open_to_others(key):
        found.append(f"tls.keyFile = {str(key)!r}: {_CURE}")
    if inside and config.file and files.open_to_others(config.file):
        some = ", ".join(inside[:3]) + (", …" if len(inside) > 3 else "")
        found.append(f"{config.file}: holds a secret ({some}), and {_CURE}")
    return found


def _secrets(config: Config) -> Iterator[tuple[Location, Table, str]]:
    yield ("ses",), config.ses, "access_key_id"
    yield ("ses",), config.ses, "access_key_secret"
    for number, account in enumerate(config.accounts):
        yield ("accounts", number), account, "access_key_id"
        yield ("accounts", number), account, "access_key_secret"
    if not generated_password(config):
        yield ("web",), config.web, "password_hash"
    yield ("intake",), config.intake, "token"
    for number, user in enumerate(config.users):
        yield ("users", number), user, "password_hash"
    for number, webhook in enumerate(config.webhooks):
        yield ("webhooks", number), webhook, "secret"
