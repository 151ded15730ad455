"""`relay queue redrive`: has the fleet look again at all that waits in the bucket."""

from __future__ import annotations

import argparse
import json

from relay import config
from relay.cli import settings
from relay.queue import file


def run(options: argparse.Namespace, chosen: config.Config) -> int:
    """Make a hint for each mail that nobody works on; safe at any time."""
    if chosen.queue.engine != "sqs":
        settings.complain(
            f'relay queue redrive: queue.engine = "{chosen.queue.engine}": only mail '
            "in a shared queue can lose the hint that it waits"
        )
        return 2
    from relay.app.fleet_side import fleet_settings
    from relay.fleet.ledger import open_ledger

    try:
        with open_ledger(fleet_settings(chosen)) as ledger:
            found = ledger.redrive(older_than=options.older_than)
    except file.UnusableSpool as error:
        settings.complain(str(error))
        return 1
    if options.json:
        figures = {"looked": found.looked, "hinted": found.hinted, "left": found.left}
        print(json.dumps(figures))
    else:
        mails = "1 mail" if found.hinted == 1 else f"{found.hinted} mails"
        print(f"{mails} of {found.looked} will be looked at")
    if found.left:
        settings.complain(
            f"{found.left} objects cannot be read by this release; a later one wrote "
            "them, or they are damaged"
        )
    return 0
