"""`/api/v1/mails`: the list with its filters, and the story of one mail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from relay.model.mail import DEFAULT, Mail
from relay.model.submission import MailId
from relay.observe.call import Attempt, Call
from relay.observe.facts import Fact
from relay.observe.journal import Journal
from relay.observe.story import Entry
from relay.web import arguments
from relay.web.marks import Marks
from relay.web.search import Filter

MOST_LISTED = 500  # of one answer
NO_SUCH_MAIL = "No such mail, or it is no longer kept"
SHOWN = 3  # recipients of one line
ROWS_KEPT = 2000  # as JSON, some 600 kB
LOOKED_AT = 1000  # entries between two looks at other work

# SendEmail's arguments for a mail, without the content.
Parameters = Callable[[Mail, MailId], dict[str, Any]]
# Why it was refused, was given up or waits; None: nothing is wrong.
Explain = Callable[[Entry], dict[str, Any] | None]


def summary(entry: Entry) -> dict[str, Any]:
    """One line of the list."""
    return {
        "seq": entry.seq,
        "rev": entry.changed,
        "id": entry.id,
        "at": round(entry.at, 3),
        "sender": entry.sender,
        "to": list(entry.recipients[:SHOWN]),
        "recipients": len(entry.recipients),
        "subject": entry.subject,
        "usage": entry.usage,
        "state": entry.state,
        "fate": entry.fate,
        "ms": _ms(entry.seconds),
        "size": entry.size,
        "reply": entry.reply,
    }


def story(entry: Entry, parameters: Parameters, explain: Explain) -> dict[str, Any]:
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
        "feedback": [_fact(fact) for fact in entry.facts],
        "overtakenBy": entry.overtaken_by,
        "reports": list(entry.reports),
        "forwardOf": entry.forward_of,
        "forwards": list(entry.forwards),
        "headers": [list(field) for field in entry.headers],
        "headersLeftOut": entry.headers_left_out,
        "why": explain(entry),
        "parameters": [parameters(mail, entry.id) for mail in entry.mails],
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


def _fact(fact: Fact) -> dict[str, Any]:
    return {
        "kind": fact.kind,
        "at": round(fact.at, 3),
        "recipient": fact.address,
        "status": fact.status,
        "detail": fact.diagnostic,
        "type": fact.what,
        "reason": fact.reason,
        "link": fact.link,
        "messageId": fact.message_id,
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


class Rows:
    """Lines of the list as JSON; what several pages ask for is made once."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[int, str]] = {}

    def text(self, entry: Entry) -> str:
        """The line of `entry` as it is now."""
        rev, text = self._made.get(entry.seq, (None, ""))
        if rev != entry.changed:
            if len(self._made) >= ROWS_KEPT:
                self._made.clear()
            text = json.dumps(summary(entry))
            self._made[entry.seq] = entry.changed, text
        return text


class Mails:
    """Answers about mails from the journal."""

    def __init__(
        self,
        journal: Journal,
        parameters: Parameters,
        explain: Explain,
        marks: Marks,
    ) -> None:
        self._journal = journal
        self._explain = explain
        self._parameters = parameters
        self._marks = marks
        self._rows = Rows()

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
            raise web.HTTPNotFound(reason=NO_SUCH_MAIL)
        return entry

    async def _list(self, request: web.Request) -> web.Response:
        wanted = Filter(request)
        limit = arguments.whole(
            request, "limit", default=100, least=1, most=MOST_LISTED
        )
        before = arguments.whole(request, "before", default=None, least=0, most=10**18)
        after = arguments.whole(request, "after", default=-1, least=0, most=10**18)
        since = arguments.whole(request, "changed", default=None, least=0, most=10**18)
        assert after is not None  # noqa: S101 - it has a default
        mark = self._marks.now()
        found: list[Entry] = []
        gone = [] if since is None else self._journal.forgotten(since)
        more = False
        entries: Iterable[Entry] = (
            self._journal.newest_first()
            if since is None
            else self._journal.changed_since(since)
        )
        for count, entry in enumerate(entries):
            if count % LOOKED_AT == LOOKED_AT - 1:
                await asyncio.sleep(0)  # mail goes first
            if before is not None and entry.seq >= before:
                continue
            if entry.seq <= after:
                break
            if not wanted.takes(entry):
                if since is not None:
                    gone.append(entry.seq)
                continue
            if len(found) == limit:
                more = True
                break
            found.append(entry)
        return web.json_response(text=self._text(found, gone, more, mark))

    def first(self, limit: int) -> str:
        """The newest so many, as they are asked for without a search."""
        found = self._journal.newest(limit)
        more = len(self._journal) > len(found)
        return self._text(found, [], more, self._marks.now())

    def _text(
        self, found: list[Entry], gone: list[int], more: bool, mark: dict[str, Any]
    ) -> str:
        rest = {
            "gone": gone,
            "next": found[-1].seq if more else None,
            "kept": len(self._journal),
            **mark,
        }
        rows = ", ".join(map(self._rows.text, found))
        return f'{{"mails": [{rows}], {json.dumps(rest)[1:]}'

    async def _story(self, request: web.Request) -> web.Response:
        found = story(self.entry(request), self._parameters, self._explain)
        return web.json_response(found)
