"""Which settings are in force, and what became of those that were read last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class SettingsRead:
    """`hash` and `at`, in Unix seconds, are those in force's.

    `mistake` says what keeps the latest from being taken, `needs_restart` names those
    of the latest that wait for one.
    """

    hash: str
    at: float
    mistake: str = ""
    needs_restart: tuple[str, ...] = ()
