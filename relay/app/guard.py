"""The guard that the settings put up."""

from __future__ import annotations

from relay import config
from relay.model.guard import Guard


def guard(settings: config.Config) -> Guard | None:
    """Who may get mail; None: everybody."""
    chosen = settings.guard
    if not chosen.recipients:
        return None
    from relay.smtp.senders import Senders  # few relays need it

    return Guard(
        Senders(chosen.recipients).allow,
        chosen.others,
        config.address_of(chosen.redirect_to),
    )


def keeps(settings: config.Config) -> bool:
    """Tell whether the guard keeps mail in the page's inbox."""
    return bool(settings.guard.recipients) and settings.guard.others == "capture"


def in_words(settings: config.Config) -> str:
    """What the page and `relay check` say of it; "" for none."""
    chosen = settings.guard
    if not chosen.recipients:
        return ""
    becomes = {
        "reject": "is refused",
        "redirect": f"goes to {config.address_of(chosen.redirect_to)}",
        "capture": "stays in the page's inbox",
    }
    only = ", ".join(chosen.recipients)
    return f"only {only} get mail; mail to others {becomes[chosen.others]}"
