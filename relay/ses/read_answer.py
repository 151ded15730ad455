"""What one attempt came to, whichever way its call was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import ClientConnectorError
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EndpointProviderError,
    EndpointVariantError,
    InvalidProxiesConfigError,
    MissingDependencyException,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from relay.log import without_password
from relay.model.mail import Mail
from relay.model.outcome import Accepted, Deferred, Rejected
from relay.ses import error_table
from relay.ses.error_table import Named
from relay.ses.parameters import RequestSettings

_MESSAGE_ID = re.compile(r"[!-~]{1,200}")
_PARAMETER = re.compile(r"parameter (?:in )?([A-Za-z.\[\]0-9]+)")

# What the SDK raises before it opens a connection.
REFUSED_BY_SDK = (
    ParamValidationError,
    EndpointProviderError,
    EndpointVariantError,
    NoRegionError,
    InvalidProxiesConfigError,
    MissingDependencyException,
)
# What the SDK's parser raises on a body that is not what the service promised.
UNREADABLE = (ResponseParserError, ValueError, LookupError, AttributeError, TypeError)


def accepted(message_id: object) -> Accepted | Deferred:
    """SES said 200, which counts only with an id that tells what it took."""
    if isinstance(message_id, str) and _MESSAGE_ID.fullmatch(message_id):
        return Accepted(message_id)
    return lost("200 without a usable MessageId")


def answered(
    code: str, status: int, text: str, *, mail: Mail, settings: RequestSettings
) -> Deferred | Rejected:
    """SES answered with an error; who named what it did not find decides some."""
    if 200 <= status < 300:
        return lost(f"{status} with the error {code}")
    named_by = Named.of(
        mail.options,
        configuration_set=settings.configuration_set,
        tenant=settings.tenant,
    )
    return error_table.outcome_for(code, status, text, named=named_by)


def said(error: ClientError) -> tuple[str, int, str]:
    """Take code, HTTP status and text out of an error that the service answered."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, text = code_and_text(error.response)
    return code, int(status), text


def code_and_text(parsed: Mapping[str, Any]) -> tuple[str, str]:
    """Take code and text out of an answer as the SDK parsed it."""
    found = parsed.get("Error", {})
    return str(found.get("Code") or ""), str(found.get("Message") or "")


def outcome_of(error: BotoCoreError | TimeoutError) -> Deferred:
    """Tell what a call came to that SES did not answer."""
    match error:
        case SSLError():
            outcome = error_table.NO_TLS
        case (
            NoCredentialsError()
            | PartialCredentialsError()
            | CredentialRetrievalError()
            | TokenRetrievalError()
        ):
            outcome = error_table.NO_CREDENTIALS
        case ConnectTimeoutError() | ProxyConnectionError():
            outcome = error_table.UNREACHABLE
        case EndpointConnectionError(kwargs={"error": ClientConnectorError()}):
            # Only this inner error means "refused before anything was sent"; a
            # reset after the whole request arrives under the same outer name.
            outcome = error_table.UNREACHABLE
        case _:
            outcome = error_table.LOST
    return replace(outcome, detail=named(error))


def lost(detail: str) -> Deferred:
    """An end that nobody saw: the mail may have been sent."""
    return replace(error_table.LOST, detail=detail)


def no_credentials(error: Exception) -> Deferred:
    """Nothing to sign with, so nothing was sent."""
    return replace(error_table.NO_CREDENTIALS, detail=f"credentials: {named(error)}")


def named(error: Exception) -> str:
    """An error for the log: its class, and its text if it has one."""
    text = without_password(str(error))  # the SDK quotes the endpoint's URL
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def refused_by_sdk(error: Exception) -> Deferred:
    """Name what the SDK refused; its text would quote values of the mail."""
    if isinstance(error, ParamValidationError):
        names = dict.fromkeys(_PARAMETER.findall(str(error)))
        detail = f"ParamValidationError: {', '.join(names)}"
    else:
        detail = named(error)
    return replace(error_table.UNKNOWN, detail=detail)
