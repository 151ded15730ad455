"""`relay worker`: send what waits in a shared queue, and take no mail."""

from __future__ import annotations

import argparse

from relay import config
from relay.cli import serve, settings


def add(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    settings.add(parser)
    parser.set_defaults(capture=False, show=False)


def run(options: argparse.Namespace) -> int:
    """Work until a signal."""
    return serve.run_as(options, _without_listeners)


def _without_listeners(chosen: config.Config) -> config.Config:
    """The same settings for who takes no mail. Raises ConfigError."""
    if chosen.queue.engine != "sqs":
        raise config.ConfigError(
            f'relay worker: queue.engine = "{chosen.queue.engine}": a worker sends '
            "what others queued, which needs the queue that relays share "
            '(queue.engine = "sqs", docs/fleet.md)'
        )
    if chosen.transport == "capture":
        raise config.ConfigError(
            'relay worker: transport = "capture": what waits would be taken out of the '
            "queue and sent nowhere"
        )
    web = chosen.web.replaced(listen="")
    return chosen.replaced(listeners=(), web=web)
