"""What of changed settings a relay takes over while it runs, and what it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from relay.config.checks import unsafe
from relay.config.explain import at, to_camel
from relay.config.models import Config, Listener
from relay.config.read import ConfigError
from relay.model.mail import RECIPIENTS_PER_CALL

# Tables whose settings are bound to what a start opened.
_BOUND = {
    "queue": ("engine", "path", "url", "bucket", "prefix", "region", "endpoint_url"),
    "suppression": ("enabled",),
    "events": ("url", "region", "endpoint_url"),
    "web": ("listen",),
    "health": ("listen",),
}


class TakenOver(NamedTuple):
    """The settings as they are in force from now on, and why not all of them are.

    `needs_restart` names the settings that stay as they were, `detail` says more.
    """

    settings: Config
    needs_restart: tuple[str, ...] = ()
    detail: str = ""


def taken_over(running: Config, new: Config) -> TakenOver:
    """All of `new` but for what needs a restart. Raises ConfigError.

    That is where the new settings are safe with a new address alone, say.
    """
    needs: list[str] = []
    kept = new
    if new.transport != running.transport:
        needs.append("transport")
        kept = kept.replaced(transport=running.transport)
    for table, names in _BOUND.items():
        before, now = getattr(running, table), getattr(new, table)
        old = {
            name: getattr(before, name)
            for name in names
            if getattr(before, name) != getattr(now, name)
        }
        if old:
            needs += [f"{table}.{name}" for name in old]
            kept = kept.replaced(**{table: now.replaced(**old)})
    listeners, moved = _same_addresses(running.listeners, new.listeners)
    if moved:
        needs.append("listeners")
    kept = kept.replaced(listeners=listeners)
    if not needs:
        return TakenOver(kept)
    if kept.queue.engine == "none" and kept.limits.recipients > RECIPIENTS_PER_CALL:
        limits = kept.limits.replaced(recipients=RECIPIENTS_PER_CALL)
        kept = kept.replaced(limits=limits)
    file = new.file or "settings"
    until = f"until a restart, which {', '.join(needs)} waits for"
    if wrong := [
        f"{at(file, location, text)} ({until})" for location, text in unsafe(kept)
    ]:
        raise ConfigError("\n".join(wrong))
    return TakenOver(kept, tuple(needs), "; ".join(moved))


def _same_addresses(
    running: tuple[Listener, ...], new: tuple[Listener, ...]
) -> tuple[tuple[Listener, ...], list[str]]:
    """The listeners that run, as they are from now on; and what cannot be done."""
    rest = list(new)
    found: dict[int, Listener] = {}
    for names_too in (True, False):
        for number, one in enumerate(running):
            if number in found:
                continue
            for other in rest:
                same_name = other.name == one.name
                if other.address == one.address and (same_name or not names_too):
                    found[number] = other
                    rest.remove(other)
                    break
    moved = []
    for number, other in found.items():
        mode = running[number].socket_mode
        if other.socket_mode != mode:
            found[number] = other.replaced(socket_mode=mode)
            moved.append(f"listener {other.name}: socketMode stays as it is")
    moved += [
        f"listener {one.name}: {one.address} stays as it is"
        for number, one in enumerate(running)
        if number not in found
    ]
    moved += [f"listener {one.name}: {one.address} is not served yet" for one in rest]
    return tuple(found.get(number, one) for number, one in enumerate(running)), moved


def changed(before: Config, now: Config) -> Iterator[str]:
    """The names of the settings at the top level that differ."""
    for name in Config.kinds():
        if name != "file" and getattr(before, name) != getattr(now, name):
            yield to_camel(name)
