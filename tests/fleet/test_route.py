"""Where S3's and SQS' calls go: what AWS' own settings say, asked of the SDK itself."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import AioSession

from relay.fleet.aws import FleetSettings, Unusable, region_of
from relay.fleet.clients import clients
from relay.fleet.service import SdkService, Unasked
from relay.fleet.wire.route import to_s3, to_sqs
from relay.fleet.wire.s3 import S3, Checksums
from relay.fleet.wire.sqs import Sqs
from relay.ses.sdk_request import Detour

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/relay"


pytestmark = pytest.mark.usefixtures("no_aws_settings")


def place(**given: str) -> FleetSettings:
    return FleetSettings(
        **{"url": URL, "bucket": "acme-relay", "prefix": "relay/"} | given
    )


S3_HOST = "acme-relay.s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("given", "variables", "profile", "s3", "sqs"),
    [
        (
            {},
            {},
            "",
            f"https {S3_HOST}:443 /",
            "https sqs.eu-west-1.amazonaws.com:443 /",
        ),
        (  # no certificate is for a name with dots
            {"bucket": "acme.relay"},
            {},
            "",
            "https s3.eu-west-1.amazonaws.com:443 /acme.relay/",
            "https sqs.eu-west-1.amazonaws.com:443 /",
        ),
        (
            {"url": URL.replace("eu-west-1", "us-west-2")},
            {},
            "",
            "https acme-relay.s3.us-west-2.amazonaws.com:443 /",
            "https sqs.us-west-2.amazonaws.com:443 /",
        ),
        (
            {"region": "cn-north-1"},
            {},
            "",
            "https acme-relay.s3.cn-north-1.amazonaws.com.cn:443 /",
            "https sqs.cn-north-1.amazonaws.com.cn:443 /",
        ),
        (
            {},
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "",
            "https acme-relay.s3.dualstack.eu-west-1.amazonaws.com:443 /",
            "https sqs.eu-west-1.api.aws:443 /",
        ),
        (
            {"region": "us-east-1"},
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "",
            "https acme-relay.s3-fips.us-east-1.amazonaws.com:443 /",
            "https sqs-fips.us-east-1.amazonaws.com:443 /",
        ),
        (
            {},
            {},
            "s3 =\n  addressing_style = path",
            "https s3.eu-west-1.amazonaws.com:443 /acme-relay/",
            "https sqs.eu-west-1.amazonaws.com:443 /",
        ),
        (
            {"endpoint_url": "http://127.0.0.1:4566"},
            {"AWS_ENDPOINT_URL": "https://wrong.example"},
            "",
            "http 127.0.0.1:4566 /acme-relay/",
            "http 127.0.0.1:4566 /",
        ),
        (
            {"endpoint_url": "https://own.example/behind/this"},
            {},
            "",
            "https own.example:443 /behind/this/acme-relay/",
            "https own.example:443 /behind/this",
        ),
        (
            {},
            {
                "AWS_ENDPOINT_URL_SQS": "http://[::1]:99",
                "AWS_ENDPOINT_URL_S3": "https://s3.example:8443",
            },
            "",
            "https s3.example:8443 /acme-relay/",
            "http ::1:99 /",
        ),
    ],
)
async def test_awss_own_settings_of_the_endpoints_are_honoured(
    given: dict[str, str],
    variables: dict[str, str],
    profile: str,
    s3: str,
    sqs: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{profile}\n")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with clients(place(**given)) as (first, second):
        assert isinstance(first, S3)
        assert isinstance(second, Sqs)
        assert (where(first), where(second)) == (s3, sqs)


def where(service: S3 | Sqs) -> str:
    peer = service._caller._pool._peer
    scheme = "https" if peer.tls else "http"
    return f"{scheme} {peer.host}:{peer.port} {service._path}"


@pytest.mark.parametrize(
    ("given", "variables", "kinds"),
    [
        ({}, {"HTTPS_PROXY": "http://p.example:1"}, (SdkService, SdkService)),
        (
            {},
            {"HTTPS_PROXY": "http://p.example:1", "NO_PROXY": S3_HOST},
            (S3, SdkService),
        ),
        ({"endpoint_url": "http://a:b@own.example"}, {}, (SdkService, SdkService)),
        # Many regions at once, which another kind of signature is for.
        (
            {"bucket": "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap"},
            {},
            (SdkService, Sqs),
        ),
    ],
)
async def test_where_the_direct_way_does_not_lead_the_sdks_client_asks(
    given: dict[str, str],
    variables: dict[str, str],
    kinds: tuple[type, type],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with clients(place(**given)) as (first, second):
        assert (type(first), type(second)) == kinds


@pytest.mark.parametrize(
    ("service", "operation"), [("s3", "GetObject"), ("sqs", "GetQueueAttributes")]
)
async def test_an_sdk_that_builds_other_requests_is_left_to_itself(
    service: str, operation: str
) -> None:
    def other(params: dict[str, Any], **_: object) -> None:
        params["url"] += "/elsewhere"
        params["body"] = b"{}"

    session = AioSession()
    async with session.create_client(service, region_name="eu-west-1") as client:
        client.meta.events.register(f"before-call.{service}.{operation}", other)
        find = to_s3 if service == "s3" else to_sqs
        with pytest.raises(Detour, match=r"another way|of an unusual kind"):
            await find(client, "acme-relay", authorities="")


async def test_a_queue_alone_makes_no_client_for_s3(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "relay")
    async with clients(place(bucket="")) as (first, second):
        assert isinstance(first, Unasked)
        assert isinstance(second, Sqs)
        with pytest.raises(ValueError, match="GetObject: no bucket is named"):
            await first.call("GetObject", Key="k")
    assert [one for one in caplog.records if one.name == "relay"] == []


@pytest.mark.parametrize(
    ("variables", "sums"),
    [
        ({}, Checksums(told=True, asked=True)),
        (
            {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"},
            Checksums(told=False, asked=True),
        ),
        (
            {"AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required"},
            Checksums(told=True, asked=False),
        ),
    ],
)
async def test_checksums_are_those_that_the_sdks_settings_ask_for(
    variables: dict[str, str], sums: Checksums, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with clients(place()) as (first, _):
        assert isinstance(first, S3)
        assert first._checksums == sums


async def test_asking_for_the_way_looks_for_no_credentials_and_connects_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        async with clients(place(endpoint_url=url)):
            pass
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize(
    "given", [{"region": "not a region"}, {"endpoint_url": "nowhere"}]
)
async def test_settings_that_name_no_place_are_refused_with_their_cure(
    given: dict[str, str],
) -> None:
    with pytest.raises(Unusable, match=r"queue\.region = .*; set queue\.region"):
        async with clients(place(**given)):
            pass


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (URL, "eu-west-1"),
        ("https://eu-central-1.queue.amazonaws.com/1/x", ""),
        ("https://sqs.cn-north-1.amazonaws.com.cn/1/x", "cn-north-1"),
        ("http://127.0.0.1:4566/1/x", ""),
    ],
)
def test_a_queues_url_names_its_region(url: str, region: str) -> None:
    assert region_of(url) == region
