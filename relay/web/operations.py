"""What the operations of the OpenAPI document are made of."""

from __future__ import annotations

from relay.web.schemas import Schema, ref

WHAT = {
    200: "Done",
    202: "Queued",
    400: "The request is not right",
    401: "Name and password, or the token, are missing or wrong",
    403: "Not from here, or not in this mode",
    404: "There is no such thing",
    408: "The request did not come in time",
    409: "Not as things stand, or without a queue",
    413: "Too large",
    415: "Not JSON",
    422: "Not with this address, template, variables or mail",
    429: "SES throttles, or its quota is used up",
    503: "Not now",
}


def operation(
    summary: str,
    given: Schema,
    *,
    also: tuple[int, ...] = (),
    parameters: tuple[Schema, ...] = (),
    body: Schema | None = None,
    media: str = "application/json",
) -> Schema:
    """One operation, with its answer and those that tell what is wrong."""
    wrong = {
        str(status): answer(WHAT[status], ref("Problem"))
        for status in (401, 403, 503, *also)
    }
    made: Schema = {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": answer(WHAT[200], given, media), **wrong},
    }
    if body is not None:
        content = {"application/json": {"schema": body}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def answer(what: str, schema: Schema, media: str = "application/json") -> Schema:
    """One answer."""
    return {"description": what, "content": {media: {"schema": schema}}}


def asked(name: str, schema: Schema, what: str) -> Schema:
    """One argument of the query."""
    return {"name": name, "in": "query", "schema": schema, "description": what}


ID: Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "As replies and the log name it",
}

QUERY: Schema = {"type": "string", "maxLength": 500}

NUMBER_OF_FILE: Schema = {
    "name": "number",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "Its place in `attachments`, from 1",
}


def whole(least: int, most: int) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, "maximum": most}
