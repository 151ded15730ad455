"""`/api/v1/mails`: the list with its filters, and the story of one mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from relay.model.mail import DEFAULT, Mail
from relay.observe.journal import Journal
from relay.observe.story import Attempt, Call, Entry
from relay.web import arguments

STATES = (
    *("captured", "sent", "queued", "sending"),
    *("failed", "refused", "superseded", "dropped", "repeated"),
)
MOST_LISTED = 500  # of one answer
SHOWN = 3  # recipients of one line
LOOKED_AT = 1000  # entries between two looks at other work

# SendEmail's arguments for a mail, without the content.
Parameters = Callable[[Mail], dict[str, Any]]


def summary(entry: Entry) -> dict[str, Any]:
    """One line of the list."""
    return {
        "seq": entry.seq,
        "id": entry.id,
        "at": round(entry.at, 3),
        "sender": entry.sender,
        "to": list(entry.recipients[:SHOWN]),
        "recipients": len(entry.recipients),
        "subject": entry.subject,
        "usage": entry.usage,
        "state": entry.state,
        "ms": _ms(entry.seconds),
        "size": entry.size,
        "reply": entry.reply,
    }


def story(entry: Entry, parameters: Parameters) -> dict[str, Any]:
    """All that is known of one mail, but for its content."""
    return {
        **summary(entry),
        "to": list(entry.recipients),
        "peer": entry.peer,
        "listener": entry.listener,
        "account": entry.account or DEFAULT,
        "user": entry.user,
        "template": entry.template,
        "locale": entry.locale,
        "rule": entry.rule,
        "variables": list(entry.variables),
        "warnings": list(entry.warnings),
        "calls": [_call(number, call) for number, call in sorted(entry.calls.items())],
        "attempts": [_attempt(attempt) for attempt in entry.attempts],
        "attemptsLeftOut": entry.attempts_left_out,
        "overtakenBy": entry.overtaken_by,
        "reports": list(entry.reports),
        "parameters": [parameters(mail) for mail in entry.mails],
    }


def _call(number: int, call: Call) -> dict[str, Any]:
    return {
        "call": number + 1,
        "state": call.state,
        "messageId": call.message_id,
        "reply": call.reply,
        "due": None if call.due is None else round(call.due, 3),
        "maybeSent": call.maybe_sent,
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "call": attempt.call,
        "attempt": attempt.number,
        "at": round(attempt.at, 3),
        "ms": _ms(attempt.seconds),
        "answer": attempt.answer,
        "reply": attempt.reply,
        "detail": attempt.detail,
        "maybeSent": attempt.maybe_sent,
        "account": attempt.account or DEFAULT,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


class Filter:
    """Which mails are wanted; what is empty asks for nothing."""

    def __init__(self, request: web.Request) -> None:
        self._usage = arguments.word(request, "usage")
        self._to = arguments.word(request, "to").lower()
        self._state = arguments.choice(request, "state", STATES)
        self._words = arguments.word(request, "q").lower().split()
        self._since = arguments.number(request, "since", default=None, most=1e11)
        self._until = arguments.number(request, "until", default=None, most=1e11)

    def takes(self, entry: Entry) -> bool:
        if self._state and entry.state != self._state:
            return False
        if self._usage and entry.usage != self._usage:
            return False
        at = round(entry.at, 3)  # as it is shown
        if self._since is not None and at < self._since:
            return False
        if self._until is not None and at >= self._until:
            return False
        if self._to and not any(
            self._to in address.lower() for address in entry.recipients
        ):
            return False
        if not self._words:
            return True
        text = "\n".join(
            (
                entry.id,
                entry.sender or "",
                *entry.recipients,
                entry.subject,
                entry.usage,
                entry.peer,
                *entry.message_ids,
            )
        ).lower()
        return all(word in text for word in self._words)


class Mails:
    """Answers about mails from the journal."""

    def __init__(self, journal: Journal, parameters: Parameters) -> None:
        self._journal = journal
        self._parameters = parameters

    @property
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/v1/mails", self._list),
            web.get("/api/v1/mails/{id}", self._story),
        ]

    def entry(self, request: web.Request) -> Entry:
        """The entry that the request's path names; 404 when there is none."""
        entry = self._journal.get(request.match_info["id"])
        if entry is None:
            raise web.HTTPNotFound(reason="No such mail, or it is no longer kept")
        return entry

    async def _list(self, request: web.Request) -> web.Response:
        wanted = Filter(request)
        limit = arguments.whole(
            request, "limit", default=100, least=1, most=MOST_LISTED
        )
        before = arguments.whole(request, "before", default=None, least=0, most=10**18)
        found: list[Entry] = []
        more = False
        for count, entry in enumerate(self._journal.newest_first()):
            if count % LOOKED_AT == LOOKED_AT - 1:
                await asyncio.sleep(0)  # mail goes first
            if before is not None and entry.seq >= before:
                continue
            if not wanted.takes(entry):
                continue
            if len(found) == limit:
                more = True
                break
            found.append(entry)
        return web.json_response(
            {
                "mails": [summary(entry) for entry in found],
                "next": found[-1].seq if more else None,
                "kept": len(self._journal),
            }
        )

    async def _story(self, request: web.Request) -> web.Response:
        return web.json_response(story(self.entry(request), self._parameters))
