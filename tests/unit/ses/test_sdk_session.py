"""Every TLS that the relay begins has a lowest version of its own."""

from __future__ import annotations

import argparse
import ssl

from relay.cli import connection
from relay.ses.client_settings import ClientSettings
from relay.ses.sdk_client import connect
from relay.ses.sdk_session import BoundedSession


def test_the_sdks_connections_are_tls_1_2_at_least() -> None:
    context = BoundedSession()._get_ssl_context()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_the_client_that_asks_ses_has_such_connections() -> None:
    async with connect(ClientSettings(region="eu-west-1")) as opened:
        session = opened.client._endpoint.http_session
        assert isinstance(session, BoundedSession)


def test_commands_that_submit_mail_speak_tls_1_2_at_least() -> None:
    options = argparse.Namespace(ca_file=None, no_verify=False)
    assert connection.context(options).minimum_version == ssl.TLSVersion.TLSv1_2
