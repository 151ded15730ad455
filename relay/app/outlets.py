"""The accounts that mail leaves by, each put together from the settings.

Those with the same credentials and region have one door: connections, pace, pause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from relay import config
from relay.app.guard import keeps
from relay.app.ses_side import Opener, request_settings
from relay.delivery.account_pace import AccountPace
from relay.delivery.guarded import GuardedTransport
from relay.delivery.pace import Pace
from relay.delivery.transport import Transport, attempt_seconds
from relay.model.guard import KEPT, Guard
from relay.model.mail import Mail
from relay.ses.parameters import RequestSettings
from relay.ses.when_open import SesWhenOpen

if TYPE_CHECKING:  # few relays keep mail
    from relay.capture.inbox import Captured, Inbox


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """What accounts with the same credentials and region have together.

    `source` keeps the pace where the account of SES says it.
    """

    pace: Pace
    concurrency: int
    ses: SesWhenOpen | None = None
    source: AccountPace | None = None


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
    stack: AsyncExitStack,
    *,
    inbox: Inbox | None,
    captured: Callable[[Captured], None],
    guard: Guard | None,
    on_open: Callable[[], None],
) -> Sequence[Outlet]:
    """All of them, `[ses]` first, and last the inbox where the guard keeps mail there.

    `on_open` is called once every way to SES is open.
    """
    opener = Opener(settings, stack, on_open=on_open)
    doors: dict[tuple[str, ...], Door] = {}
    found: list[Outlet] = []
    for account in config.accounts(settings):
        if account.door not in doors:
            ses = None
            if settings.transport != "capture":
                ses = opener.ses_when_open(account)
            doors[account.door] = _door(account, ses)
        door = doors[account.door]
        request = request_settings(account.ses)
        transport: Transport
        if door.ses is not None:
            transport = door.ses.sender(request)
        else:
            transport = _kept(inbox, request, captured)
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
                door=Door(Pace(), found[0].door.concurrency),
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


def _fallback(account: config.Sending) -> str | None:
    if not account.fallback:
        return None
    return "" if account.fallback == config.DEFAULT else account.fallback


def _door(account: config.Sending, ses: SesWhenOpen | None) -> Door:
    concurrency = account.ses.concurrency
    if account.rate != "auto":
        return Door(Pace(account.rate), concurrency, ses)
    pace = Pace()
    if ses is None:
        return Door(pace, concurrency)
    named = account.name if account.key else ""
    source = AccountPace(ses, pace, share=account.share, account=named)
    return Door(pace, concurrency, ses, source)


def _kept(
    inbox: Inbox | None, request: RequestSettings, captured: Callable[[Captured], None]
) -> Transport:
    from relay.capture.transport import CaptureTransport

    if inbox is None:
        raise RuntimeError("mail is to be kept, and there is no inbox")
    return CaptureTransport(inbox, settings=request, captured=captured)


def _seconds(
    settings: config.Config, account: config.Sending
) -> Callable[[Mail], float]:
    if settings.transport == "capture":
        return _at_once
    return partial(attempt_seconds, account.ses.attempt_timeout)


def _at_once(_: Mail) -> float:
    return 0.0
