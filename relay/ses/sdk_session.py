"""The SDK's HTTP client as we want it: no TLS older than 1.2 (RFC 8996)."""

from __future__ import annotations

import ssl

from aiobotocore.httpsession import AIOHTTPSession


class SdkSession(AIOHTTPSession):  # type: ignore[misc] # the SDK has no types
    """The SDK leaves the lowest version to OpenSSL, and that to the machine."""

    def _get_ssl_context(self) -> ssl.SSLContext:
        context: ssl.SSLContext = super()._get_ssl_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
