"""`/api/v1/mails/{id}/rule`: a rule for a captured mail, proposed and tried.

`/api/v1/unclaimed` tells which mail would want one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from relay.capture.inbox import Captured
from relay.model.reply import Refused
from relay.model.submission import Submission
from relay.observe.journal import Journal
from relay.observe.unclaimed import Unclaimed
from relay.rules.facts import Facts
from relay.rules.proposal import proposal
from relay.templates.catalog import Templates
from relay.templates.known import names_of, together
from relay.web import arguments
from relay.web.captured import CapturedMails
from relay.web.frames import Frames
from relay.web.rendered import rendered
from relay.web.trial import MOST, Compile, tried

MOST_KINDS = 20  # of unclaimed mail


class RuleMaker:
    """Answers about the rule that a captured mail could have; `by`: a kind's word."""

    def __init__(
        self,
        mails: CapturedMails,
        journal: Journal,
        templates: Callable[[], Templates],
        unclaimed: Unclaimed,
        compiled: Compile,
        frames: Frames,
        *,
        by: str,
    ) -> None:
        self._mails = mails
        self._journal = journal
        self._templates = templates
        self._unclaimed = unclaimed
        self._compiled = compiled
        self._frames = frames
        self._by = by

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/mails/{id}/rule", self._propose),
            web.post("/api/v1/mails/{id}/rule", self._try),
            web.get("/api/v1/unclaimed", self._kinds),
        ]

    async def _kinds(self, _: web.Request) -> web.Response:
        kinds, others = self._unclaimed.kinds()
        return web.json_response(
            {
                "by": self._by,
                "mails": sum(one.mails for one in kinds) + others,
                "kinds": [one._asdict() for one in kinds[:MOST_KINDS]],
            }
        )

    async def _propose(self, request: web.Request) -> web.Response:
        facts = self._facts(self._mails.asked(request))
        try:
            made = await asyncio.to_thread(proposal, facts)
        except Refused as refused:
            raise web.HTTPUnprocessableEntity(reason=refused.reply.text) from None
        usages = self._usages(made.variables)
        rule = dict(made.rule)
        # With one that lacks a variable the mail would be refused.
        if usages and self._wanted(usages[0]) <= made.variables.keys():
            rule["usage"] = usages[0]
        return web.json_response(
            {
                "rule": rule,
                "usages": usages,
                "others": {
                    "conditions": made.conditions,
                    "headers": made.headers,
                    "extract": made.extract,
                },
            }
        )

    async def _try(self, request: web.Request) -> web.Response:
        facts = self._facts(self._mails.asked(request))
        given = arguments.table_of(await arguments.body(request), "rule")
        if any(
            len(value) > MOST
            for value in given.values()
            if isinstance(value, list | dict)
        ):
            reason = f"rule: at most {MOST} entries in one setting"
            raise web.HTTPUnprocessableEntity(reason=reason)
        try:
            found = await asyncio.to_thread(self._tried, facts, given)
        except Refused as refused:
            raise web.HTTPUnprocessableEntity(reason=refused.reply.text) from None
        return web.json_response(found)

    def _tried(self, facts: Facts, given: Mapping[str, Any]) -> dict[str, Any]:
        found = tried(facts, given, self._compiled)
        made, obstacle = None, ""
        usage, locale = given.get("usage"), given.get("locale", "")
        if not found["problem"] and usage:
            try:
                made = self._rendered(facts, usage, locale, found["variables"])
            except Refused as refused:
                obstacle = refused.reply.text
        return {**found, "rendered": made, "obstacle": obstacle}

    def _rendered(
        self, facts: Facts, usage: str, locale: str, variables: Mapping[str, Any]
    ) -> dict[str, Any]:
        templates = self._templates()
        template = templates.choose(usage, locale)
        original = facts.original
        if locale:
            variables = {"locale": locale, **variables}
        given = templates.given()
        had, found = given.get(usage, {}), names_of(dict(variables))
        known = None if had is None or found is None else together(had, found)
        made = rendered(
            template,
            original.message,
            original.envelope,
            variables,
            usages=templates.usages,
            given={**given, template.usage: known},
        )
        return {**made, "view": self._frames.keep(made["html"])}

    def _facts(self, captured: Captured) -> Facts:
        """The captured mail is what came, without its control headers."""
        entry = self._journal.get(captured.id)
        mail = captured.mail
        return Facts.of(
            Submission(
                captured.id,
                mail.envelope,
                mail.content,
                peer=entry.peer if entry else "",
                listener=entry.listener if entry else "",
                user=entry.user if entry else "",
            )
        )

    def _usages(self, variables: Mapping[str, Any]) -> list[str]:
        """All that have a template: first what lacks least, then what uses most."""

        def rank(usage: str) -> tuple[int, int, bool]:
            wanted = self._wanted(usage)
            used = len(wanted & variables.keys())
            # Of those alike, the one for all comes last.
            return len(wanted) - used, -used, usage == "Generic"

        return sorted(self._templates().usages, key=rank)

    def _wanted(self, usage: str) -> set[str]:
        """The variables of a usage's templates that a rule would have to find."""
        return {
            name.partition(".")[0]
            for template in self._templates().all
            if template.usage == usage
            for name in template.variables
            if not name.startswith("message.")
        }
