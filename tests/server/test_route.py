"""Which way a call goes: what AWS' own settings say, asked of the SDK itself."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest

from relay.delivery.transport import Unanswered
from relay.ses import endpoint
from relay.ses.client_settings import ClientSettings
from relay.ses.endpoint import Route
from relay.ses.open import open_ses
from relay.ses.parameters import RequestSettings
from relay.ses.sdk_client import CannotOpen, connect
from relay.ses.sdk_request import Detour
from relay.ses.send import DirectTransport
from relay.ses.send_by_sdk import SdkTransport
from tests.fake_ses import Answer, FakeSes, error

KEYS = {"access_key_id": "AKIAFAKE", "access_key_secret": "fake-secret"}


pytestmark = pytest.mark.usefixtures("no_aws_settings")


async def found(**access: Any) -> Route:  # noqa: ANN401 - ClientSettings' fields
    async with connect(
        ClientSettings(**{"region": "eu-west-1"} | KEYS | access)
    ) as connection:
        return await endpoint.find(connection)


def shown(way: Route) -> str:
    scheme = "https" if way.peer.tls else "http"
    assert way.peer.host in way.target.host or ":" in way.peer.host
    return f"{scheme} {way.peer.port} {way.target.host} {way.target.path}"


PATH = "/v2/email/outbound-emails"


@pytest.mark.parametrize(
    ("access", "variables", "profile", "expected"),
    [
        ({}, {}, "", f"https 443 email.eu-west-1.amazonaws.com {PATH}"),
        (
            {"region": "cn-north-1"},
            {},
            "",
            f"https 443 email.cn-north-1.amazonaws.com.cn {PATH}",
        ),
        (
            {"region": "us-east-1"},
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "",
            f"https 443 email-fips.us-east-1.amazonaws.com {PATH}",
        ),
        (
            {},
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "",
            f"https 443 email.eu-west-1.api.aws {PATH}",
        ),
        (
            {},
            {},
            "use_dualstack_endpoint = true",
            f"https 443 email.eu-west-1.api.aws {PATH}",
        ),
        (
            {},
            {"AWS_ENDPOINT_URL": "https://vpce-1.example"},
            "",
            f"https 443 vpce-1.example {PATH}",
        ),
        (
            {},
            {
                "AWS_ENDPOINT_URL": "https://wrong.example",
                "AWS_ENDPOINT_URL_SESV2": "http://127.0.0.1:9000",
            },
            "",
            f"http 9000 127.0.0.1:9000 {PATH}",
        ),
        (
            {},
            {},
            "endpoint_url = https://profile.example:8443",
            f"https 8443 profile.example:8443 {PATH}",
        ),
        (
            {},
            {
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
                "AWS_ENDPOINT_URL": "https://wrong.example",
            },
            "",
            f"https 443 email.eu-west-1.amazonaws.com {PATH}",
        ),
        (
            {"endpoint_url": "https://own.example:443"},
            {"AWS_ENDPOINT_URL": "https://wrong.example"},
            "",
            f"https 443 own.example {PATH}",
        ),
        (
            {"endpoint_url": "http://own.example/behind/this"},
            {},
            "",
            f"http 80 own.example /behind/this{PATH}",
        ),
        ({"endpoint_url": "http://[::1]:99"}, {}, "", f"http 99 [::1]:99 {PATH}"),
        (
            {},
            {"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": ".amazonaws.com"},
            "",
            f"https 443 email.eu-west-1.amazonaws.com {PATH}",
        ),
        (
            {},
            {"HTTP_PROXY": "http://p.example:1"},
            "",
            f"https 443 email.eu-west-1.amazonaws.com {PATH}",
        ),
    ],
)
async def test_awss_own_settings_of_the_endpoint_are_honoured(
    access: dict[str, str],
    variables: dict[str, str],
    profile: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{profile}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    way = await found(**access)
    assert shown(way) == expected
    region = access.get("region", "eu-west-1")
    assert (way.target.region, way.target.service) == (region, "ses")


async def test_the_user_agent_is_the_sdks() -> None:
    assert (await found()).target.user_agent.startswith("aiobotocore/")


@pytest.mark.parametrize(
    ("access", "variables", "why"),
    [
        ({}, {"HTTPS_PROXY": "http://p.example:1"}, "proxy"),
        ({}, {"https_proxy": "p.example:1"}, "proxy"),
        (
            {"endpoint_url": "http://own.example"},
            {"http_proxy": "http://p.example:1"},
            "proxy",
        ),
        ({"endpoint_url": "http://a:b@own.example"}, {}, "unusual"),
        ({"endpoint_url": "http://own.example/a%20b"}, {}, "unusual"),
        ({"endpoint_url": "http://own.example/../x"}, {}, "unusual"),
        (
            {"region": "cn-north-1"},
            {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "",
        ),
        ({}, {"_X_AMZN_TRACE_ID": "t", "AWS_LAMBDA_FUNCTION_NAME": "f"}, "x-amzn-trac"),
    ],
)
async def test_where_the_direct_way_does_not_lead_the_sdks_client_sends(
    access: dict[str, str],
    variables: dict[str, str],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.INFO, "relay")
    opened = ClientSettings(**{"region": "eu-west-1"} | KEYS | access)  # type: ignore[arg-type] # all are text
    async with open_ses(opened) as ses:
        transport = ses.transport(RequestSettings())
        if why:
            assert isinstance(transport, SdkTransport)
            (record,) = [one for one in caplog.records if one.name == "relay"]
            said = json.dumps(vars(record)["fields"])
            assert why in said
            assert "fake-secret" not in said
            assert "b@" not in said
        else:
            assert isinstance(transport, DirectTransport)
            assert caplog.records == []


async def test_asking_for_the_way_looks_for_no_credentials_and_connects_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        await found(access_key_id="", access_key_secret="", endpoint_url=url)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


async def test_after_the_question_the_sdks_client_works_as_before() -> None:
    settings = {"region": "eu-west-1", "endpoint_url": "http://127.0.0.1:1"}
    access = ClientSettings(**settings | KEYS)  # type: ignore[arg-type] # all are text
    async with connect(access) as connection:
        first = await endpoint.find(connection)
        assert await endpoint.find(connection) == first
        with pytest.raises(Exception, match="Could not connect"):
            await connection.client.get_account()


async def test_requests_ca_bundle_counts_where_awss_own_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(CannotOpen, match=r"REQUESTS_CA_BUNDLE = /nowhere\.pem"):
        await found()


async def test_tls_is_checked_as_the_sdk_checks_it() -> None:
    import ssl

    context = (await found()).peer.tls
    assert context is not None
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.get_ca_certs()


async def test_an_sdk_that_builds_other_requests_is_left_to_itself() -> None:
    access = ClientSettings(region="eu-west-1", **KEYS)  # type: ignore[arg-type] # all are text
    async with connect(access) as connection:

        def other(params: dict[str, Any], **_: object) -> None:
            params["body"] = params["body"].replace(b": ", b":")

        connection.client.meta.events.register("before-call.sesv2.SendEmail", other)
        with pytest.raises(Detour, match="another way"):
            await endpoint.find(connection)


async def test_the_accounts_rate_is_asked_of_ses_and_a_refusal_says_why() -> None:
    known = Answer(body=b'{"SendQuota": {"MaxSendRate": 14, "Max24HourSend": 50000}}')
    async with FakeSes() as fake:
        access = ClientSettings(region="eu-west-1", endpoint_url=fake.url, **KEYS)  # type: ignore[arg-type] # all are text
        async with open_ses(access) as ses:
            fake.resources["/v2/email/account"] = known
            assert (await ses.account.quota()).rate == 14.0
            for answer, why in (
                (error("AccessDeniedException", 403, "no"), "403 AccessDenied"),
                (Answer(body=b"{}"), "without SendQuota.MaxSendRate"),
            ):
                fake.resources["/v2/email/account"] = answer
                with pytest.raises(Unanswered, match=why):
                    await ses.account.quota()
