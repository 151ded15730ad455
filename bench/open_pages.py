"""Pages that are open: what each asks a relay, without a browser; a process of its own.

`python -m bench.open_pages PORT PAGES [READ]` reads until its input ends, and then
prints how many bytes came. Each follows the event stream, and asks as list.js and
feed.js do it: at each point for the status, and twice a second at most for what changed
and was in no bundle. With READ, somebody reads further down: then a bundle of the
newest alone does not do.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

LIMIT = 500  # changes of one answer
APART = 0.5  # seconds between two questions for what changed
PATIENCE = 0.05  # seconds until who found nobody tries again


class OpenPage:
    """One page with the list of mails; `at_top`: the newest are in sight."""

    def __init__(self, port: int, *, at_top: bool) -> None:
        self._port = port
        self._at_top = at_top
        self._known = self._heard = -1  # changes
        self._wakes = asyncio.Event()
        self.read = 0

    async def run(self) -> None:
        """Read until cancelled; a relay that is not there is looked for again."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._follow())
                    tasks.create_task(self._ask())
            except* (OSError, EOFError, ValueError):
                self._known = self._heard = -1
                await asyncio.sleep(PATIENCE)

    async def _follow(self) -> None:
        reader, writer = await self._asked("/api/v1/events")
        try:
            name = b""
            while line := await reader.readline():
                self.read += len(line)
                if line.startswith(b"event: "):
                    name = line[7:].strip()
                elif line.startswith(b"data: ") and name in (b"here", b"mails"):
                    self._hear(json.loads(line[6:]))
                elif line.startswith(b"data: ") and name == b"point":
                    await self._get("/api/v1/status")
            raise EOFError
        finally:
            writer.close()

    def _hear(self, bundle: dict[str, Any]) -> None:
        self._heard = max(self._heard, bundle["asOf"])
        more = bundle.get("more")  # none says who tells that the stream is open
        if more:
            whole = self._at_top
        else:
            whole = more is not None and bundle["since"] <= self._known
        if whole and self._known >= 0:
            self._known = max(self._known, bundle["asOf"])
        self._wakes.set()

    async def _ask(self) -> None:
        found = await self._get("/api/v1/mails?limit=100")
        low, self._known = found["next"] or 0, found["asOf"]
        while True:
            await self._wakes.wait()
            self._wakes.clear()
            if self._known >= self._heard:
                continue
            since, until, before = self._known, None, ""
            after = f"&after={low - 1}" if low else ""
            while True:
                found = await self._get(
                    f"/api/v1/mails?limit={LIMIT}&changed={since}{after}{before}"
                )
                until = until or found["asOf"]
                if found["next"] is None:
                    break
                before = f"&before={found['next']}"
            self._known = max(self._known, until)
            await asyncio.sleep(APART)

    async def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON is anything
        reader, writer = await self._asked(path)
        try:
            body = await reader.read()
            self.read += len(body)
            return json.loads(body)
        finally:
            writer.close()

    async def _asked(
        self, path: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask; the reader is after the header."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, limit=4_000_000
        )
        # HTTP/1.0, so that the end of the answer is the end of the connection.
        writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            writer.close()
            raise ValueError(head)
        return reader, writer


async def _main(port: int, number: int, *, reads: bool) -> int:
    pages = [OpenPage(port, at_top=not reads) for _ in range(number)]
    tasks = [asyncio.create_task(page.run()) for page in pages]
    await asyncio.to_thread(sys.stdin.buffer.read)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    print(min(page.read for page in pages))
    return 0


if __name__ == "__main__":
    PORT, PAGES, *READ = sys.argv[1:]
    sys.exit(asyncio.run(_main(int(PORT), int(PAGES), reads=bool(READ))))
