"""The settings of `[suppression]`: whom no mail goes to any more."""

# The annotations are read when a class is made, so they must not be texts: no
# `from __future__ import annotations` here.

from relay.config import values as v
from relay.config.table import Table


class Suppression(Table):
    """Who bounced or complained gets no more mail."""

    enabled: v.Flag = False
    """Remember them, and refuse mail to them. Needs a queue, which keeps the list."""
    except_: tuple[v.Word, ...] = ()
    """Usages whose mail goes all the same, as codes that somebody waits for.

    Example: ["SignIn", "ForgotPassword"]
    """
    soft_bounces: v.SoftBounces = 5
    """Soft bounces in a row, without a delivery between them, that count as a hard one;
    0: they never do."""
    # A bounce costs little, and some were the other side's mistake for a day.
    keep_bounces: v.SecondsOrNone = 7_776_000
    """Seconds until a bounce that SES told of is forgotten, and mail tried again; 0:
    never, as complaints and what was added or imported."""
