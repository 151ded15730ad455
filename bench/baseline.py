"""The baseline: aiosmtpd and aiobotocore as anyone would put them together.

`python -m bench.baseline PORT SES_URL`
"""

from __future__ import annotations

import asyncio
import sys

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from aiosmtpd.smtp import SMTP, Envelope, Session
from botocore.exceptions import BotoCoreError, ClientError


class Handler:
    def __init__(self, client: object) -> None:
        self._client = client

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        try:
            answer = await self._client.send_email(  # type: ignore[attr-defined] # the SDK has no types
                Destination={"ToAddresses": envelope.rcpt_tos},
                Content={"Raw": {"Data": envelope.content}},
            )
        except (ClientError, BotoCoreError) as error:
            return f"451 4.3.0 {type(error).__name__}"
        return f"250 2.0.0 Ok {answer['MessageId']}"


async def main(port: int, url: str) -> None:
    # The pool's default of 10 would let 200 clients wait for each other.
    config = AioConfig(max_pool_connections=256)
    session = get_session()
    async with session.create_client(
        "sesv2", region_name="eu-west-1", endpoint_url=url, config=config
    ) as client:
        handler = Handler(client)
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(handler, data_size_limit=40_000_000),
            "127.0.0.1",
            port,
            backlog=1024,
        )
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
