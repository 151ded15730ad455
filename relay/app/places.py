"""How many connections each server may have, within what files the process may open."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from relay import config, log
from relay.system import open_files

# A page needs a few, and what asks its API; probes and metrics need fewer.
PAGE, PROBES = 500, 100
# Of the queue. A spool: its own connection, and one for each thread of the page, three
# files each; a fleet's: connections to S3 and SQS.
KEPT_BY = {"none": 0, "sqlite": 100, "sqs": 110}
# Besides those who have a place, so many more may be inside at one time: they hear
# that there is none, 100 of them after a handshake; the page and probes drop one.
REFUSED, DROPPED = 120, 10
IN_PASSING = REFUSED + 2 * DROPPED


@dataclass(frozen=True, slots=True)
class Places:
    """Connections at one time: clients of SMTP, those of the page and of `health`."""

    clients: int
    page: int
    probes: int


def places(settings: config.Config) -> Places:
    """Ask the system for all that the settings need, and share out what it lets us.

    A client too many must hear so; it must not take the file that a call to SES needs.
    """
    wanted = Places(
        settings.limits.connections,
        PAGE if settings.web.listen else 0,
        PROBES if settings.health.listen else 0,
    )
    doors = {one.door: one.ses.concurrency for one in config.accounts(settings)}
    kept = sum(doors.values())
    kept += KEPT_BY[settings.queue.engine]
    all_wanted = wanted.clients + wanted.page + wanted.probes + kept
    allowed = max(open_files.allow(all_wanted + IN_PASSING) - IN_PASSING, 0)
    if allowed >= all_wanted:
        return wanted
    found = shared(wanted, allowed - min(kept, allowed // 2))
    log.line(
        logging.WARNING,
        "settings",
        warning=f"limits.connections = {wanted.clients}: this process may have about "
        f"{found.clients}, besides the page, the probes and SES; raise its limit of "
        "open files (ulimit -n, LimitNOFILE=)",
    )
    return found


def shared(wanted: Places, room: int) -> Places:
    """What each gets of `room` connections, which are too few: mail the most."""
    page = min(wanted.page, room // 5)
    probes = min(wanted.probes, room // 10)
    clients = min(wanted.clients, room - page - probes)
    return Places(max(clients, 1), page, probes)
