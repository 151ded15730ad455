"""Mail that goes on through one reload after the other: of one set, and sent once."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import Counter
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import pytest

from tests.fake_ses import FakeSes, Request
from tests.server.relay_process import until
from tests.server.reloading import (
    LOCAL,
    Reloading,
    Settings,
    no_queue,
    reloading,
    ses,
    spool,
)

RELOADS = 50
CLIENTS = 20
A_SECOND = 200  # mails, of all clients together; a slow machine takes longer for them
MAILS = 2400
# Of so many sets one has other keys, which is another account of SES.
OTHER_KEYS = 10


def one_set(fake: FakeSes, number: int) -> dict[str, object]:
    """Settings that say their number wherever a mail can show it."""
    keys: dict[str, object] = {}
    if number % OTHER_KEYS == OTHER_KEYS - 1:
        keys = {"accessKeyId": "AKIABRAND", "accessKeySecret": "brand-secret"}
    return {
        "listeners": [{**LOCAL, "usage": f"Usage{number}"}],
        "ses": ses(
            fake,
            emailAddress=f"Set {number} <set{number}@acme.example>",
            configurationSetName=f"set{number}",
            **keys,
        ),
        "rules": [{"tags": {"set": f"set{number}"}}],
        "templates": [
            {
                "usageType": f"Usage{number}",
                "subject": f"set{number}",
                "content": f"<p>set{number} {{{{message.subject}}}}</p>",
            }
        ],
    }


def number_of(request: Request) -> tuple[int, str]:
    """The set that all of a mail has to say that it is of, and the mail's own word."""
    message = email.message_from_bytes(request.mail, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    subject = str(message["Subject"])
    number = int(subject.removeprefix("set"))
    html = message.get_body(("html",))
    text = message.get_body(("plain",))
    assert html is not None
    assert text is not None
    said, word = html.get_content().strip().removeprefix("<p>").split()
    tags = {tag["Name"]: tag["Value"] for tag in request.json["EmailTags"]}
    brand = number % OTHER_KEYS == OTHER_KEYS - 1
    assert {
        "content": said,
        "text": text.get_content().split()[0],
        "from": str(message["From"]),
        "set": request.json["ConfigurationSetName"],
        "tags": tags,
        "key": request.key_id,
    } == {
        "content": subject,
        "text": subject,
        "from": f"Set {number} <set{number}@acme.example>",
        "set": subject,
        "tags": {"set": subject, "usage": f"Usage{number}"},
        "key": "AKIABRAND" if brand else "AKIAFAKE",
    }
    return number, word.removesuffix("</p>")


async def one_client(port: int, words: count[int], replies: Counter[str]) -> None:
    """Submit mails on one connection, at this client's part of the pace."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def said() -> str:
        while (line := await reader.readline())[3:4] == b"-":
            pass
        return line.decode()

    async def say(text: str) -> str:
        writer.write(f"{text}\r\n".encode())
        return await said()

    await said()
    await say("EHLO client")
    due = loop.time()
    while (word := next(words)) < MAILS:
        due += CLIENTS / A_SECOND
        await asyncio.sleep(max(due - loop.time(), 0))
        for command in ("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA"):
            reply = await say(command)
            assert reply[0] in "23", reply
        reply = await say(f"From: a@b.example\r\nSubject: word{word}\r\n\r\nx\r\n.")
        replies[" ".join(reply.split()[:3])] += 1
    await say("QUIT")
    writer.close()


@pytest.mark.parametrize("engine", ["sqlite", "none"])
async def test_200_mails_a_second_go_on_through_50_reloads(
    tmp_path: Path, engine: str
) -> None:
    loop = asyncio.get_running_loop()
    async with FakeSes() as fake:
        queue = spool(tmp_path) if engine == "sqlite" else no_queue()
        settings = Settings(tmp_path, queue=queue, **one_set(fake, 0))
        replies: Counter[str] = Counter()

        async def load(port: int) -> None:
            words = count()
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(one_client(port, words, replies))

        def use(relay: Reloading) -> None:
            loading = asyncio.run_coroutine_threadsafe(load(relay.relay.port()), loop)
            for number in range(1, RELOADS + 1):
                # Each falls into the mails that are on their way at their time.
                due = number * MAILS // (RELOADS + 5)
                until(lambda due=due: replies.total() >= due or loading.done())  # type: ignore[misc] # mypy cannot infer a default's type
                done = relay.change(**one_set(fake, number))
                assert done["event"] == "reloaded", done
            loading.result(300)
            until(lambda: len(fake.sent) >= MAILS)

        await reloading(settings, use)
        found = [number_of(request) for request in fake.sent]
    assert {word for _, word in found} == {f"word{word}" for word in range(MAILS)}
    assert len(found) == MAILS  # none of them twice
    assert sum(replies.values()) == MAILS
    assert replies.keys() <= {"250 2.0.0 Ok", "250 2.0.0 queued"}
    assert len({number for number, _ in found}) > RELOADS // 2
