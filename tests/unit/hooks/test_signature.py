"""Signatures, judged by the specification's own library."""

from __future__ import annotations

import base64
import os
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from relay.config.webhooks import keys
from relay.hooks.signature import headers

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(os.urandom(24)).decode()
BODY = '{"type":"mail.sent","data":{"usage":"Prüfung"}}'


def test_the_specifications_own_library_takes_our_signature() -> None:
    signed = headers("msg_1", BODY.encode(), at=int(time.time()), keys=keys(SECRET))
    assert Webhook(SECRET).verify(BODY, signed)["type"] == "mail.sent"


def test_another_body_id_time_or_key_is_refused_by_it() -> None:
    signed = headers("msg_1", BODY.encode(), at=int(time.time()), keys=keys(SECRET))
    for wrong in (
        {**signed, "webhook-id": "msg_2"},
        {**signed, "webhook-timestamp": str(int(time.time()) - 1)},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(BODY, wrong)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY + " ", signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(BODY, signed)


def test_of_two_keys_each_signs_so_that_one_can_be_replaced() -> None:
    both = keys(f"{SECRET} {OTHER}")
    signed = headers("msg_1", BODY.encode(), at=int(time.time()), keys=both)
    assert Webhook(SECRET).verify(BODY, signed) == Webhook(OTHER).verify(BODY, signed)


@pytest.mark.parametrize(
    ("secret", "wrong"),
    [
        ("abc", "must begin with whsec_"),
        ("whsec_%%%", "is no base64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "holds 23 bytes"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "holds 65 bytes"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_shown(
    secret: str, wrong: str
) -> None:
    with pytest.raises(ValueError, match=wrong) as error:
        keys(secret)
    assert secret not in str(error.value)
