"""The accounts that mail leaves by, each put together from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from relay import config
from relay.app.doors import Door
from relay.app.guard import keeps
from relay.app.ses_side import request_settings
from relay.delivery.guarded import GuardedTransport
from relay.delivery.transport import Transport, attempt_seconds
from relay.model.guard import KEPT, Guard
from relay.model.mail import Mail
from relay.ses.parameters import RequestSettings

if TYPE_CHECKING:  # few relays keep mail, or have a list of who gets none
    from relay.capture.inbox import Captured, Inbox
    from relay.delivery.suppression import Suppression


@dataclass(frozen=True, slots=True, eq=False)
class Outlet:
    """One account: who its mail goes to, and what each call says; "" is `[ses]`."""

    account: str
    transport: Transport
    door: Door
    request: RequestSettings
    attempt_seconds: Callable[[Mail], float]
    fallback: str | None = None
    accepted_as: str = "Ok"


def outlets(
    settings: config.Config,
    doors: Mapping[tuple[str, ...], Door],
    *,
    inbox: Inbox,
    captured: Callable[[Captured], None],
    guard: Guard | None,
    kept: Door,
    suppression: Suppression | None = None,
) -> Sequence[Outlet]:
    """All of them, `[ses]` first, and last the inbox where the guard keeps mail there.

    `doors` has the door of each account by its `door`, `kept` is the inbox's.
    """
    found: list[Outlet] = []
    for account in config.accounts(settings):
        door = doors[account.door]
        request = request_settings(account.ses, tags_id=bool(settings.events.url))
        transport: Transport
        if door.ses is not None:
            transport = door.ses.sender(request)
        else:
            transport = _kept(inbox, request, captured)
        if suppression is not None:
            from relay.delivery.suppression import SuppressedTransport

            transport = SuppressedTransport(transport, suppression)
        if guard is not None:
            transport = GuardedTransport(transport, guard)
        outlet = Outlet(
            account.key,
            transport,
            door,
            request,
            _seconds(settings, account),
            _fallback(account),
            "Ok" if door.ses is not None else "captured as",
        )
        found.append(outlet)
    if guard is not None and guard.others == "capture":
        found.append(
            replace(
                found[0],
                account=KEPT,
                # Nobody asked for them on stdout: the page has them.
                transport=_kept(inbox, found[0].request, lambda _: None),
                door=kept,
                attempt_seconds=_at_once,
                fallback=None,
                accepted_as="captured as",
            )
        )
    return found


def names(settings: config.Config) -> Sequence[str]:
    """The accounts whose mail waits apart, in the order of the outlets."""
    found = [account.key for account in config.accounts(settings)]
    return [*found, *([KEPT] if keeps(settings) else [])]


def longest_attempt(settings: config.Config) -> float:
    """The longest `attemptTimeout` of all accounts."""
    return max(one.ses.attempt_timeout for one in config.accounts(settings))


def _fallback(account: config.Sending) -> str | None:
    if not account.fallback:
        return None
    return "" if account.fallback == config.DEFAULT else account.fallback


def _kept(
    inbox: Inbox, request: RequestSettings, captured: Callable[[Captured], None]
) -> Transport:
    from relay.capture.transport import CaptureTransport

    return CaptureTransport(inbox, settings=request, captured=captured)


def _seconds(
    settings: config.Config, account: config.Sending
) -> Callable[[Mail], float]:
    if settings.transport == "capture":
        return _at_once
    return partial(attempt_seconds, account.ses.attempt_timeout)


def _at_once(_: Mail) -> float:
    return 0.0
