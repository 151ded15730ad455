"""What a request asks for, checked: numbers, words, JSON; 400 says what is wrong."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from aiohttp import web

from relay.content.json_value import json_value

READ_ONLY = (
    "Read-only: set web.user and web.passwordHash in the settings to change things here"
)
NO_QUEUE_NOW = "The queue cannot be read or written now"
MAX_BODY = 1_000_000
READ_WITHIN = 30.0  # seconds
MAX_WORD = 500


def given(request: web.Request, name: str) -> str | None:
    """An argument of the query as it is, None when it is not given.

    Raises 400 where it is given twice: one of both would be passed over in silence.
    """
    texts = request.query.getall(name, [])
    if len(texts) > 1:
        raise web.HTTPBadRequest(reason=f"{name}: is given {len(texts)} times")
    return texts[0] if texts else None


def word(request: web.Request, name: str) -> str:
    """A text of the query, "" when it is not given."""
    text = given(request, name) or ""
    if len(text) > MAX_WORD:
        raise web.HTTPBadRequest(reason=f"{name}: at most {MAX_WORD} characters")
    return text


def choice(request: web.Request, name: str, among: tuple[str, ...]) -> str:
    """One of the words in `among`, "" when it is not given."""
    text = word(request, name)
    if name in request.query and text not in among:
        raise web.HTTPBadRequest(reason=f"{name}: one of {', '.join(among)}")
    return text


def whole(
    request: web.Request, name: str, *, default: int | None, least: int, most: int
) -> int | None:
    """A whole number of the query."""
    text = given(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise web.HTTPBadRequest(reason=f"{name}: a whole number")
    if not least <= int(text) <= most:
        raise web.HTTPBadRequest(reason=f"{name}: from {least} to {most}")
    return int(text)


def number(
    request: web.Request, name: str, *, default: float | None, most: float
) -> float | None:
    """A number of the query, from 0."""
    text = given(request, name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= most:  # NaN neither
        raise web.HTTPBadRequest(reason=f"{name}: a number from 0 to {most:g}")
    return value


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object that is the body. Raises 400, 408, 413 and 415."""
    if request.content_type != "application/json":
        # A form of another site could send everything else without asking.
        raise web.HTTPUnsupportedMediaType(reason="Content-Type: application/json")
    if (request.content_length or 0) > MAX_BODY:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY, request.content_length or 0)
    data = bytearray()
    try:
        async with asyncio.timeout(READ_WITHIN):
            async for chunk in request.content.iter_any():
                data += chunk
                if len(data) > MAX_BODY:
                    raise web.HTTPRequestEntityTooLarge(MAX_BODY, len(data))
    except TimeoutError:
        reason = "The body did not come in time"
        raise web.HTTPRequestTimeout(reason=reason) from None
    try:
        value = json_value(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(reason="The body is not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(reason="The body is not a JSON object")
    return value


def text(given: dict[str, Any], name: str, *, required: bool = False) -> str:
    """A text among what was given, "" when it is not there."""
    value = given.get(name, "")
    if not isinstance(value, str):
        raise web.HTTPBadRequest(reason=f"{name}: a text")
    if required and not value:
        raise web.HTTPBadRequest(reason=f"{name}: is missing")
    return value


def table_of(given: dict[str, Any], name: str) -> dict[str, Any]:
    """An object among what was given, empty when it is not there."""
    value = given.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise web.HTTPBadRequest(reason=f"{name}: an object")
    return value
