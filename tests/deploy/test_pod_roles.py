"""A relay with what EKS sets in a pod: the variables and the token's file of a role."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import web

from tests.fake_ses import KEYS, FakeSes
from tests.server.relay_process import running_relay
from tests.server.test_queue_disk import submit

ROLE = "arn:aws:iam::111122223333:role/ses-relay"
ENDS = "2099-01-01T00:00:00Z"
KEY = "ASIAROLE1"


@asynccontextmanager
async def answering(handler: web.Server) -> AsyncIterator[str]:
    runner = web.ServerRunner(handler)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def sends(environ: Mapping[str, str]) -> str:
    """The key that a relay's call has which knows of SES' endpoint and this alone."""
    async with FakeSes() as fake:

        def use() -> None:
            settings = {"RELAY_SES__ENDPOINT_URL": fake.url, **environ}
            with running_relay("-c", os.devnull, settings=settings) as relay:
                assert submit(relay.port(), "one")[0] == 250

        await asyncio.to_thread(use)
        [request] = fake.sent
        return request.key_id


async def test_irsa_the_token_of_the_service_account_is_a_role(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-service-account")
    asked: list[dict[str, list[str]]] = []

    async def sts(request: web.BaseRequest) -> web.Response:
        asked.append(parse_qs(await request.text()))
        return web.Response(
            content_type="text/xml",
            text=(
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
                f"<Credentials><AccessKeyId>{KEY}</AccessKeyId>"
                f"<SecretAccessKey>{KEYS[KEY]}</SecretAccessKey>"
                f"<SessionToken>token</SessionToken><Expiration>{ENDS}</Expiration>"
                "</Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"
            ),
        )

    async with answering(web.Server(sts)) as url:
        environ = {
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_STS": url,
        }
        assert await sends(environ) == KEY
    assert {
        (one["Action"][0], one["RoleArn"][0], one["WebIdentityToken"][0])
        for one in asked
    } == {("AssumeRoleWithWebIdentity", ROLE, "of-the-service-account")}


async def test_pod_identity_the_agent_of_the_node_gives_the_keys(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("of-the-pod")
    asked: list[str] = []

    async def agent(request: web.BaseRequest) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response(
            {
                "AccessKeyId": KEY,
                "SecretAccessKey": KEYS[KEY],
                "Token": "token",
                "Expiration": ENDS,
            }
        )

    async with answering(web.Server(agent)) as url:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-west-1",
        }
        assert await sends(environ) == KEY
    assert set(asked) == {"of-the-pod"}
