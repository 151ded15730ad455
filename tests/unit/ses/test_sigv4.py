"""The head of a request against the SDK's own signer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from relay.ses.signing_key import Keys
from relay.ses.sigv4 import Signer, Target

TARGET = Target(
    "email.eu-west-1.amazonaws.com",
    "/v2/email/outbound-emails",
    "eu-west-1",
    "ses",
    "agent/1",
)
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def by_the_sdk(target: Target, keys: Keys, body: bytes, now: float) -> dict[str, str]:
    """The header fields that botocore signs, and its Authorization."""
    request = AWSRequest(
        method="POST",
        url=f"https://{target.host}{target.path}",
        headers={"Content-Type": "application/json", "User-Agent": target.user_agent},
        data=body,
    )
    moment = datetime.fromtimestamp(int(now), UTC)
    # The SDK's clock is its own, and has no other way to be set.
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        signer = SigV4Auth(
            ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token),
            target.service,
            target.region,
        )
        signer.add_auth(request)
    return dict(request.headers.items())


def fields(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines)


@given(
    keys=st.builds(Keys, VISIBLE, st.text(min_size=1), st.none() | VISIBLE),
    target=st.builds(
        Target,
        st.sampled_from(["email.x.amazonaws.com", "127.0.0.1:8080", "[::1]:1", "a-b"]),
        st.sampled_from(["/v2/email/outbound-emails", "/a~b/c.d-e_f/v2/email"]),
        st.sampled_from(["eu-west-1", "us-gov-east-1"]),
        st.sampled_from(["ses", "other"]),
        st.just("agent/1 x#2"),
    ),
    body=st.binary(),
    now=st.floats(0, 4e9),
)
def test_each_head_is_signed_as_the_sdk_signs_it(
    keys: Keys, target: Target, body: bytes, now: float
) -> None:
    digest = sha256(body).hexdigest()
    head = Signer(target).head(keys, digest, len(body), now=now)
    assert head.endswith(b"\r\n\r\n")
    first, found = fields(head)
    assert first == f"POST {target.path} HTTP/1.1"
    expected = by_the_sdk(target, keys, body, now)
    own = {
        "Host": target.host,
        "Content-Length": str(len(body)),
        "Accept": "*/*",
        "Accept-Encoding": "identity",
    }
    assert found == expected | own


def test_one_signer_follows_the_day_the_second_and_the_keys() -> None:
    signer = Signer(TARGET)
    first, second = Keys("AKIA", "one"), Keys("ASIA", "two", "token")
    end_of_day = 86_400 * 20_000 - 1
    for now in (end_of_day - 0.5, end_of_day + 0.5, end_of_day + 1.2, end_of_day):
        for keys in (first, second, replace(first, secret_key="new")):
            head = signer.head(keys, sha256(b"x").hexdigest(), 1, now=now)
            expected = by_the_sdk(TARGET, keys, b"x", now)
            assert fields(head)[1]["Authorization"] == expected["Authorization"]


@pytest.mark.parametrize(
    "keys",
    [
        Keys("AKIA\r\nX: y", "s"),
        Keys("AK IA", "s"),
        Keys("AKIA", "s", "to\nken"),
        Keys("AKIA", "s", "t\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ],
    ids=repr,
)
def test_keys_that_would_forge_a_header_field_are_refused_without_being_shown(
    keys: Keys,
) -> None:
    with pytest.raises(ValueError, match="holds characters that none has") as refused:
        keys.check()
    assert keys.access_key not in str(refused.value)


def test_keys_as_aws_makes_them_pass() -> None:
    Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfi", None).check()
    Keys("ASIA", "x", "FwoGZXIvYXdzEJr//////////wEaDOLs+k=").check()


def test_neither_keys_nor_signer_show_a_secret() -> None:
    signer = Signer(TARGET)
    signer.head(Keys("AKIA", "very-secret", "my-token"), "0" * 64, 1, now=0)
    shown = repr(Keys("AKIA", "very-secret", "my-token")) + repr(signer)
    assert "very-secret" not in shown
    assert "my-token" not in shown
