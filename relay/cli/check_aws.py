"""What AWS says about the settings, for `relay check --online`; nothing is sent."""

from __future__ import annotations

import asyncio
import difflib
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ProxyConnectionError

from relay.cli.finding import Finding
from relay.log import without_logins
from relay.ses import refused_keys
from relay.ses.client_settings import ClientSettings
from relay.ses.credentials import CREDENTIAL_ERRORS, CREDENTIALS_CURE
from relay.ses.error_table import cut, for_client
from relay.ses.read_answer import UNREADABLE, said
from relay.ses.sdk_client import CannotOpen, Connection, connect, regions

_DENIED = ("AccessDeniedException", "AccessDenied")
_THROTTLED_ATTEMPTS = 4  # SES takes one such request a second
_NEARLY = 0.8  # of the day's quota
_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)


class _Stop(Exception):  # noqa: N818 - a finding that makes further questions useless
    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


async def checks(
    settings: ClientSettings,
    *,
    place: str = "ses",
    identities: Sequence[tuple[str, str]] = (),
    identity_arn: str = "",
    configuration_set: str = "",
    rules_sets: Sequence[tuple[str, str]] = (),
) -> list[Finding]:
    """Ask SES about account, senders and configuration sets.

    `place` is where the settings have the account; `identities` are pairs of a
    setting's name and the address or domain that it holds, `rules_sets` the same of
    the rules' configuration sets.
    """
    findings: list[Finding] = []
    try:
        async with connect(settings, attempts=_THROTTLED_ATTEMPTS) as connection:
            seconds = settings.attempt_timeout * _THROTTLED_ATTEMPTS
            asker = _Asker(connection, seconds)
            # With an endpoint of one's own, any name will do.
            known = [] if settings.endpoint_url else await regions(connection.names)
            findings.append(_region(connection.region, known))
            findings.append(await asker.credentials())
            findings += await asker.account()
            findings += await asker.identities(identities, identity_arn)
            if configuration_set:
                setting = f"{place}.configurationSetName"
                findings.append(
                    await asker.configuration_set(configuration_set, setting)
                )
            for setting, name in rules_sets:
                findings.append(await asker.configuration_set(name, setting))
    except CannotOpen as error:
        findings.append(Finding("problem", str(error)))
    except _Stop as stop:
        findings.append(stop.finding)
    return findings


class _Asker:
    def __init__(self, connection: Connection, seconds: float) -> None:
        self._client = connection.client
        self._credentials = connection.credentials
        self._seconds = seconds

    async def credentials(self) -> Finding:
        try:
            async with asyncio.timeout(self._seconds):
                await self._credentials.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:
            text = for_client(without_logins(str(error))) or type(error).__name__
            raise _Stop(
                Finding(
                    "problem",
                    f"credentials: {text}; {CREDENTIALS_CURE}",
                )
            ) from error
        return Finding("ok", f"credentials: from {self._credentials.found_by}")

    async def account(self) -> list[Finding]:
        answer = await self._ask(self._client.get_account, "ses:GetAccount", "account")
        if answer is None:
            return [Finding("warning", "account: this endpoint tells nothing of it")]
        if isinstance(answer, Finding):
            return [answer]
        findings = []
        if not answer.get("SendingEnabled", True):
            findings.append(
                Finding(
                    "problem", "account: sending is paused; enable it in SES' console"
                )
            )
        match answer.get("EnforcementStatus", "HEALTHY"):
            case "SHUTDOWN":
                text = "account: suspended; answer SES' open case in AWS' support"
                findings.append(Finding("problem", text))
            case "PROBATION":
                text = "account: under review; bounces or complaints are too many"
                findings.append(Finding("warning", text))
        if not answer.get("ProductionAccessEnabled", False):
            findings.append(
                Finding(
                    "warning",
                    "account: in the sandbox, so that each recipient must be verified; "
                    "request production access in SES' console",
                )
            )
        if not findings:
            findings.append(Finding("ok", "account: may send"))
        findings.append(_quota(answer.get("SendQuota", {})))
        return findings

    async def identities(
        self, identities: Sequence[tuple[str, str]], arn: str
    ) -> list[Finding]:
        findings = []
        for setting, address in identities:
            if arn:
                text = f"{setting}: {address} is not asked about; another account's"
                findings.append(Finding("ok", f"{text} identity stands for it"))
                continue
            findings.append(await self._identity(setting, address))
        return findings

    async def _identity(self, setting: str, address: str) -> Finding:
        domain = address.rpartition("@")[2].lower()
        labels = domain.split(".")
        # A verified domain stands for its subdomains as well.
        domains = [".".join(labels[at:]) for at in range(max(len(labels) - 1, 1))]
        for name in dict.fromkeys((address, *domains)):
            answer = await self._ask(
                partial(self._client.get_email_identity, EmailIdentity=name),
                "ses:GetEmailIdentity",
                setting,
            )
            if answer is None:
                continue
            if isinstance(answer, Finding):
                return answer
            if answer.get("VerifiedForSendingStatus"):
                return Finding("ok", f"{setting}: {address}, verified by {name}")
        neither = (
            f"neither {address} nor {domain} is a"
            if "@" in address
            else (f"{domain} is no")
        )
        return Finding(
            "problem",
            f"{setting}: {neither} verified identity in this region; verify one in "
            "SES' console",
        )

    async def configuration_set(self, name: str, setting: str) -> Finding:
        answer = await self._ask(
            partial(self._client.get_configuration_set, ConfigurationSetName=name),
            "ses:GetConfigurationSet",
            setting,
        )
        if answer is None:
            text = f"{setting} = {name}: not in this region; create it, or remove it"
            return Finding("problem", text)
        if isinstance(answer, Finding):
            return answer
        if not answer.get("SendingOptions", {}).get("SendingEnabled", True):
            text = f"{setting} = {name}: its sending is paused; enable it"
            return Finding("problem", text)
        return Finding("ok", f"{setting}: {name}")

    async def _ask(
        self, call: Callable[[], Awaitable[dict[str, Any]]], permission: str, what: str
    ) -> dict[str, Any] | Finding | None:
        """Ask once; None: there is no such thing. Raises _Stop when all are refused."""
        try:
            async with asyncio.timeout(self._seconds):
                return await call()
        except ClientError as error:
            code, status, text = said(error)
            if code == "NotFoundException":
                return None
            if code in _DENIED:
                cure = f"grant {permission} to let this check look"
                return Finding("warning", f"{what}: not known, access denied; {cure}")
            answer = f"SES answered {status} {code}: {for_client(text)}"
            cure = refused_keys.cure(code, text)
            found = Finding(
                "problem", "; ".join(filter(None, (f"{what}: {answer}", cure)))
            )
            if status in (401, 403):
                raise _Stop(found) from error
            return found
        except (BotoCoreError, TimeoutError, *UNREADABLE) as error:
            text = cut(without_logins(str(error))) or "no answer in time"
            raise _Stop(
                Finding("problem", f"SES cannot be asked: {text}; {_way_out(error)}")
            ) from error


def _region(name: str, known: Sequence[str]) -> Finding:
    """Whether SES is there: a warning, since AWS may have more than `known`."""
    if not known or name in known:
        return Finding("ok", f"region: {name}")
    close = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {close[0]}?" if close else "look at its name"
    return Finding("warning", f"region: {name} is none that has SES; {meant}")


def _way_out(error: Exception) -> str:
    """Where to look when SES cannot be asked."""
    if isinstance(error, ProxyConnectionError):
        return "look at HTTPS_PROXY and the proxy, or have NO_PROXY name SES' host"
    # What the SDK's HTTP client could not do, and within it what the system said.
    cause = getattr(getattr(error, "kwargs", {}).get("error"), "os_error", None)
    if isinstance(cause, socket.gaierror):
        return (
            f"its name is not found ({cause.strerror}): look at ses.region, "
            "ses.endpointUrl and this machine's DNS"
        )
    if isinstance(cause, OSError) and cause.errno in _NO_WAY:
        return (
            "there is no way to its address: look at the network; where there is IPv6 "
            "alone, set AWS_USE_DUALSTACK_ENDPOINT=true"
        )
    return "look at region, endpointUrl, proxy and network"


def _quota(quota: dict[str, float]) -> Finding:
    most = quota.get("Max24HourSend", -1)
    used = quota.get("SentLast24Hours", 0)
    rate = quota.get("MaxSendRate", 0)
    if most < 0:
        return Finding("ok", f"quota: {used:g} sent in 24 hours, no limit, {rate:g}/s")
    text = f"quota: {used:g} of {most:g} recipients used in 24 hours, {rate:g}/s"
    if used >= most:
        return Finding("problem", f"{text}; ask AWS for more")
    if used >= _NEARLY * most:
        return Finding("warning", f"{text}; ask AWS for more")
    return Finding("ok", text)
