"""Mail of 40 MB: it passes, and ten at once do not kill the relay."""

from __future__ import annotations

import threading

from tests.fake_ses import FakeSes
from tests.server.relay_process import RelayProcess
from tests.server.test_traps import resident, submit, with_relay

LINE = b"0123456789" * 7 + b"\r\n"
HEAD = b"From: a@b.example\r\nSubject: large\r\n\r\n"
LARGE = HEAD + LINE * ((39_900_000 - len(HEAD)) // len(LINE))
MEMORY = 100_000_000  # the default of limits.memory


async def test_ten_large_mails_at_once_are_served_or_refused_within_the_memory() -> (
    None
):
    async with FakeSes() as ses:

        def use(relay: RelayProcess) -> tuple[list[str], int]:
            idle = resident(relay)
            replies: list[str] = []
            threads = [
                threading.Thread(target=lambda: replies.append(submit(relay, LARGE)[1]))
                for _ in range(10)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # One after all the others passes for certain: all room was given back.
            replies.append(submit(relay, LARGE)[1])
            return replies, resident(relay) - idle

        replies, grown = await with_relay(ses, use)
        sent = ses.sent
    codes = [reply[:9] for reply in replies]
    assert len(codes) == 11
    assert set(codes) <= {"250 2.0.0", "452 4.3.1"}
    assert codes[-1] == "250 2.0.0"
    assert len(sent) == codes.count("250 2.0.0")
    assert all(request.mail == LARGE for request in sent)
    assert grown < 4 * MEMORY
