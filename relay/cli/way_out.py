"""Whether this machine gets to SES: its name, a connection, TLS, and the clocks.

Nothing is asked with credentials here; `check_aws` does that.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from relay.cli.finding import Finding, Level
from relay.log import without_logins
from relay.ses import endpoint
from relay.ses.client_settings import ClientSettings
from relay.ses.http.pool import Peer
from relay.ses.sdk_client import CannotOpen, connect
from relay.ses.sdk_request import Detour

# AWS takes no signature of a clock that is further off than five minutes.
TOO_FAR = 300.0
FAR = 30.0
_CLOCK_CURE = (
    "set it by NTP (timedatectl set-ntp true, chrony); AWS refuses what is signed more "
    "than 5 minutes off"
)


async def way_out(settings: ClientSettings) -> list[Finding]:
    """Go as far as an answer of HTTP."""
    try:
        async with connect(settings) as connection:
            peer = (await endpoint.find(connection)).peer
            try:
                addresses = await connection.names.addresses(peer.host, peer.port)
            except (OSError, UnicodeError) as error:
                return [_no_name(peer, error)]
            found = sorted({str(one[4][0]) for one in addresses})
            seconds = settings.connect_timeout
            said = await asyncio.to_thread(_asked, peer, seconds)
    except CannotOpen as error:
        return [Finding("problem", str(error))]
    except Detour as error:
        text = (
            f"endpoint: {without_logins(str(error))}; the SDK's own client goes there"
        )
        return [Finding("ok", f"{text}, so its name and clock are not looked at")]
    return [Finding("ok", f"name: {peer.host} is {', '.join(found)}"), *said]


def _no_name(peer: Peer, error: Exception) -> Finding:
    reason = getattr(error, "strerror", None) or str(error)
    return Finding(
        "problem",
        f"name: {peer.host}: {reason}; look at the name service (/etc/resolv.conf), "
        "and at region and endpointUrl",
    )


def _asked(peer: Peer, seconds: float) -> list[Finding]:
    """Ask for nothing: what the answer's head tells."""
    here = f"{peer.host}:{peer.port}"
    line = (
        HTTPConnection(peer.host, peer.port, timeout=seconds)
        if peer.tls is None
        else HTTPSConnection(peer.host, peer.port, timeout=seconds, context=peer.tls)
    )
    try:
        line.connect()
        began = time.time()
        line.request("GET", "/")
        answer = line.getresponse()
        ended = time.time()
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or error
        cure = "look at what stands between, and at AWS_CA_BUNDLE"
        return [Finding("problem", f"TLS: {here}: {reason}; {cure}")]
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        cure = "let this machine connect there: firewall, security group, route, proxy"
        return [Finding("problem", f"connection: {here}: {reason}; {cure}")]
    finally:
        line.close()
    how = "with TLS" if peer.tls else "without TLS"
    found = [Finding("ok", f"connection: {here} answers, {how}")]
    return [*found, clock(answer.getheader("Date", ""), began, ended)]


def clock(date: str, began: float, ended: float) -> Finding:
    """How far this machine's clock is from `date`, said between two of its moments.

    `date` is HTTP's, in whole seconds; the moments are Unix seconds.
    """
    try:
        said = parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Finding("warning", "clock: the endpoint's answer tells no time")
    # What lies within the answer's time, or its second, is no difference.
    ahead = max(began - (said + 1), 0) or min(ended - said, 0)
    if abs(ahead) <= FAR:
        return Finding("ok", "clock: agrees with SES'")
    text = f"clock: {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} SES'"
    level: Level = "problem" if abs(ahead) > TOO_FAR else "warning"
    return Finding(level, f"{text}; {_CLOCK_CURE}")
