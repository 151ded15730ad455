"""Slips that a mail shows: headers nobody reads, variables that lack something.

Such mail is taken, so its client hears nothing of them: log, story and metrics do.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import islice

from relay.model.mail import Choice
from relay.model.slip import Slip

MOST = 5  # unknown headers or variables that are named, of one mail
KNOWN = (
    "X-Relay-Usage",
    "X-Relay-Variables",
    "X-Relay-Variable-",
    "X-Relay-Locale",
    "X-Relay-Send-At",
    "X-Relay-Idempotency-Key",
)
_SHOWN = re.compile(r"[A-Za-z0-9_-]{1,60}")


def unknown_headers(names: Sequence[str], usage_header: str) -> tuple[Slip, ...]:
    """Those of the X-Relay-* headers whose names these are.

    What comes after a space or "=" in a name may be a value, and is not said.
    """
    known = (usage_header, *KNOWN[1:])
    slips = []
    for name in islice(dict.fromkeys(names), MOST):
        shown = _SHOWN.match(name)
        text = f"{shown[0] if shown else 'X-Relay-'} dropped: no header of the relay's"
        if name.lower() == KNOWN[0].lower():
            text += f"; usageHeader is {usage_header}"
        elif shown and (meant := _meant(shown[0], known)):
            text += f"; did you mean {meant}?"
        slips.append(Slip("unknown_header", text))
    return tuple(slips)


def about_usage(
    choice: Choice, named: str, given: bool, known: tuple[str, ...]
) -> tuple[Slip, ...]:
    """What is wrong with the usage that a mail named, or did not.

    `named` is the usage of its own header, `given` whether it brought variables;
    `known` are the usages with templates.
    """
    if not choice.usage:
        text = "variables without a usage: the mail goes as it is"
        return (Slip("variables_without_usage", text),) if given else ()
    if not named or choice.template == choice.usage:
        return ()
    meant = _meant(named, known)
    if not meant:
        return ()
    text = f"usage {named[:60]} has no template; did you mean {meant}?"
    return (Slip("usage_misspelt", text),)


def about_leaves(
    lacking: Collection[str], template: str, defaults: Collection[str]
) -> tuple[Slip, ...]:
    """Slips of variables of which the template shows what is not in them.

    Of those that only `defaults` gave, the client was asked for nothing.
    """
    found = [name for name in lacking if name.partition(".")[0] not in defaults]
    return tuple(
        Slip("leaf_missing", f"{name[:60]} is not given: template {template} has a gap")
        for name in found[:MOST]
    )


# An app makes the same slip in each of its mails, and to look takes milliseconds where
# there are hundreds of usages.
@lru_cache(100)
def _meant(word: str, known: tuple[str, ...]) -> str:
    """The one of `known` that differs in case or by a letter or two, else ""."""
    import difflib  # hardly any mail needs it

    by_key = {one.lower(): one for one in known}
    close = difflib.get_close_matches(word.lower(), by_key, 1, 0.8)
    return by_key[close[0]] if close else ""
