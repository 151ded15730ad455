"""The account's pace: what an operator hears when SES does not say it."""

from __future__ import annotations

import asyncio
import json
import os

from tests.fake_ses import FakeSes, error
from tests.server.relay_process import running_relay
from tests.server.test_life import through

NOWHERE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "RELAY_SES__REGION": "eu-west-1",
}


def test_a_relay_without_credentials_says_so_and_how_to_get_some() -> None:
    with running_relay("-c", os.devnull, settings=NOWHERE) as relay:
        said = relay.event("no pace")
    assert said["level"] == "error"
    assert "NoCredentialsError" in said["detail"]
    assert "; set ses.accessKeyId and ses.accessKeySecret, or give" in said["detail"]
    assert "ses:GetAccount" not in json.dumps(relay.log)


async def test_a_permission_that_is_missing_is_named() -> None:
    async with FakeSes() as ses:
        ses.resources["/v2/email/account"] = error("AccessDeniedException", 403)

        def run() -> dict[str, str]:
            with running_relay("-c", os.devnull, settings=through(ses)) as relay:
                return relay.event("no pace")

        said = await asyncio.to_thread(run)
    assert said["level"] == "warning"
    assert "; allow ses:GetAccount; until then" in said["detail"]
