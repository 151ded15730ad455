"""The head of a request to S3 or SQS against the SDK's own signers."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from hashlib import sha256
from unittest.mock import patch
from urllib.parse import urlencode
from zlib import crc32

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.utils import percent_encode
from hypothesis import given
from hypothesis import strategies as st

from relay.fleet.wire.request import PIECE, Request, Signer, encoded, pieces, sums
from relay.ses.signing_key import Keys

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
# As header fields hold them: words, and a blank between them.
FIELD = st.lists(VISIBLE).map(" ".join)
KEYS = st.builds(Keys, VISIBLE, st.text(min_size=1), st.none() | VISIBLE)
# A key of S3 is any text; surrogates are none.
KEY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
NOW = st.floats(0, 4e9)


def sent(head: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the fields by names in lower case."""
    assert head.endswith(b"\r\n\r\n")
    first, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return first, {name.lower(): value for name, value in pairs}


def by_the_sdk(
    signer: type[SigV4Auth],
    service: str,
    request: AWSRequest,
    keys: Keys,
    now: float,
) -> dict[str, str]:
    """The fields that it would send, by names in lower case."""
    moment = datetime.fromtimestamp(int(now), UTC)
    # The SDK's clock is its own, and has no other way to be set.
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        credentials = ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)
        signer(credentials, service, "eu-west-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


@given(
    keys=KEYS,
    method=st.sampled_from(["GET", "PUT", "DELETE"]),
    key=KEY,
    query=st.dictionaries(
        st.sampled_from(["prefix", "list-type", "versioning", "start-after"]), KEY
    ),
    match=FIELD,
    body=st.binary(),
    now=NOW,
)
def test_s3s_requests_are_signed_as_the_sdk_signs_them(
    keys: Keys,
    method: str,
    key: str,
    query: dict[str, str],
    match: str,
    body: bytes,
    now: float,
) -> None:
    fields = [("if-match", match), ("x-amz-checksum-mode", "ENABLED")]
    path = f"/bucket/{encoded(key, kept='/')}"
    asked = Request(method, path, list(query.items()), fields, body)
    host = "127.0.0.1:99"
    head = Signer(host, "eu-west-1", "s3", "agent/1", says_digest=True).head(
        keys, asked, sha256(body).hexdigest(), now=now
    )
    first, found = sent(head)
    target = f"/bucket/{percent_encode(key, safe='/~')}"
    expected = by_the_sdk(
        S3SigV4Auth,
        "s3",
        AWSRequest(
            method=method,
            url=f"http://{host}{target}",
            params=query,
            headers=dict(fields),
            data=body,
        ),
        keys,
        now,
    )
    assert found == expected | {
        "host": host,
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "agent/1",
        "content-length": str(len(body)),
    }
    assert first.startswith(f"{method} {target}")
    assert first.endswith(" HTTP/1.1")


@given(keys=KEYS, action=VISIBLE, body=st.binary(), now=NOW)
def test_sqs_requests_are_signed_as_the_sdk_signs_them(
    keys: Keys, action: str, body: bytes, now: float
) -> None:
    fields = [("x-amz-target", action), ("content-type", "application/x-amz-json-1.0")]
    asked = Request("POST", "/", fields=fields, body=body)
    host = "sqs.eu-west-1.amazonaws.com"
    head = Signer(host, "eu-west-1", "sqs", "agent/1", says_digest=False).head(
        keys, asked, sha256(body).hexdigest(), now=now
    )
    first, found = sent(head)
    assert first == "POST / HTTP/1.1"
    request = AWSRequest(
        method="POST", url=f"https://{host}/", headers=dict(fields), data=body
    )
    expected = by_the_sdk(SigV4Auth, "sqs", request, keys, now)
    assert found["authorization"] == expected["authorization"]
    assert found["x-amz-date"] == expected["x-amz-date"]
    assert found.get("x-amz-security-token") == expected.get("x-amz-security-token")
    assert "x-amz-content-sha256" not in found


@given(query=st.dictionaries(KEY, KEY))
def test_a_query_goes_out_as_it_is_signed(query: dict[str, str]) -> None:
    asked = Request("GET", "/", list(query.items()))
    signer = Signer("a.example", "eu-west-1", "s3", "agent/1", says_digest=True)
    first, _ = sent(signer.head(Keys("AKIA", "s"), asked, "0" * 64, now=0))
    target = first.split(" ")[1].partition("?")[2]
    pairs = {percent_encode(name): percent_encode(text) for name, text in query.items()}
    # Both are plain by now, so that this encodes nothing more.
    assert target == urlencode(sorted(pairs.items()), safe="%~")


def test_one_signer_follows_the_day_the_second_and_the_keys() -> None:
    signer = Signer("a.example", "eu-west-1", "sqs", "agent/1", says_digest=False)
    asked, digest = Request("POST", "/", body=b"x"), sha256(b"x").hexdigest()
    end_of_day = 86_400 * 20_000 - 1
    for now in (end_of_day - 0.5, end_of_day + 0.5, end_of_day + 1.2, end_of_day):
        for keys in (Keys("AKIA", "one"), Keys("ASIA", "two", "token")):
            _, found = sent(signer.head(keys, asked, digest, now=now))
            request = AWSRequest(method="POST", url="https://a.example/", data=b"x")
            expected = by_the_sdk(SigV4Auth, "sqs", request, keys, now)
            assert found["authorization"] == expected["authorization"]


@pytest.mark.parametrize(
    "value", ["x\r\nX-Forged: y", "a\nb", "\0", "caf\N{DEGREE SIGN}", "a  b"]
)
def test_a_tag_from_outside_forges_no_header_field(value: str) -> None:
    signer = Signer("a.example", "eu-west-1", "s3", "agent/1", says_digest=True)
    asked = Request("PUT", "/x", fields=[("if-match", value)])
    with pytest.raises(ValueError, match="would hold characters that none has"):
        signer.head(Keys("AKIA", "s"), asked, "0" * 64, now=0)


@given(st.binary(max_size=50), st.integers(0, 3))
async def test_a_body_is_summed_up_the_same_in_pieces(end: bytes, many: int) -> None:
    body = bytes(PIECE) * many + end
    found = await sums(body)
    assert found.sha256 == sha256(body).hexdigest()
    assert base64.b64decode(found.crc32) == crc32(body).to_bytes(4, "big")
    assert b"".join(pieces(body)) == body
