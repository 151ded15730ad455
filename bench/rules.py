"""What rules cost a mail: processor time of preparing it, with and without them.

`python -m bench.rules`; no relay is started, since other costs would hide it.
"""

from __future__ import annotations

import gc
import time
from typing import Any

from bench.mails import mail
from bench.settings import rule
from relay.app.rules import rules
from relay.config.models import Config, Rule
from relay.intake.prepare import Preparation
from relay.model.submission import Envelope, Submission, new_id
from relay.templates.catalog import Templates

COUNTS = (0, 1, 10, 50, 200)
ROUNDS, MAILS = 15, 1000


def main() -> None:
    """Print microseconds per mail for each number of rules."""
    templates = Templates([])
    came = Submission(
        new_id(), Envelope("app@acme.example", ("someone@example.net",)), mail(4000)
    )
    gc.set_threshold(10_000, 20, 20)  # as the relay has it
    without = 0.0
    for count in COUNTS:
        some = [rule(number) for number in range(count)]
        made = tuple(map(_rule, some))
        compiled = rules(Config(rules=made), templates)
        preparation = Preparation(templates=templates, rules=compiled)
        least = min(_round(preparation, came) for _ in range(ROUNDS))
        without = without or least
        print(f"{count:4} rules: {least:6.1f} us, {least - without:5.1f} us more")


def _rule(given: dict[str, str]) -> Rule:
    values: dict[str, Any] = {**given, "from_": given.get("from", ())}
    values.pop("from", None)
    return Rule(**values)


def _round(preparation: Preparation, came: Submission) -> float:
    """Microseconds per mail; the least of several rounds is the machine's alone."""
    began = time.process_time()
    for _ in range(MAILS):
        preparation.prepare(came)
    return (time.process_time() - began) / MAILS * 1e6


if __name__ == "__main__":
    main()
