"""What templates and rules ask for and nothing comes of: warnings that say where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from relay.config import Config
from relay.config.models import Template
from relay.templates.catalog import Templates
from relay.templates.source import Source

Place = Callable[[str], str]


def entries(
    settings: Config, templates: Templates
) -> Iterator[tuple[Place, Template | Source]]:
    """All templates: where a setting of each stands, and what it says."""
    for number, template in enumerate(settings.templates):
        yield partial("templates[{}].{}".format, number), template
    for one in templates.all:
        if one.source.setting_lines:  # at the top of a file
            yield one.source.at, one.source


def without_queue(settings: Config, templates: Templates) -> Iterator[str]:
    """What is about mail that waits, where none does."""
    if settings.queue.engine != "none" or settings.transport == "capture":
        return
    for place, template in entries(settings, templates):
        for name, given in (
            ("validFor", template.valid_for is not None),
            ("supersedes", template.supersedes),
        ):
            if given:
                yield (
                    f"{place(name)}: has no effect with "
                    'queue.engine = "none", where no mail waits'
                )


def tracked(settings: Config, templates: Templates) -> Iterator[str]:
    """What switches tracking off, where the SDK cannot say so to SES."""
    every: list[tuple[Place, Template | Source]] = list(entries(settings, templates))
    places = [place for place, template in every if not template.tracking]
    places += [
        partial("rules[{}].{}".format, number)
        for number, rule in enumerate(settings.rules)
        if not rule.tracking
    ]
    for place in places:
        yield (
            f"{place('tracking')} = false: has no effect, because the installed AWS "
            "SDK knows no ConfigurationOverrides; pip install --upgrade aiobotocore"
        )
