"""The names of all jobs in the bucket, in the order in which their mails came."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Sequence

from relay.fleet import keys
from relay.fleet.bucket import Bucket, Listed


async def names(
    bucket: Bucket, *, ids: Sequence[str] = (), after: str = ""
) -> AsyncIterator[Listed]:
    """The records by their names, which are merged from 16 folders.

    `ids`: of these mails alone. `after` is a name that is known already.
    """
    if ids:
        for mail_id in sorted(set(ids)):
            if not (mail_id.isascii() and mail_id.isprintable()):
                continue  # no id of ours
            name = mail_id if "." in mail_id else f"{mail_id}."
            async for page in bucket.pages(keys.mail_key(name)):
                for listed in page:
                    if _name(listed) > after and _is_of(_name(listed), mail_id):
                        yield listed
        return
    folders = [
        _each(bucket, f"mail/{one}/", f"mail/{one}/{after}" if after else "")
        for one in keys.SHARDS
    ]
    heap: list[tuple[str, int, Listed]] = []
    for number, folder in enumerate(folders):
        async for listed in folder:
            heap.append((_name(listed), number, listed))
            break
    heapq.heapify(heap)
    while heap:
        _, number, listed = heap[0]
        yield listed
        async for following in folders[number]:
            heapq.heapreplace(heap, (_name(following), number, following))
            break
        else:
            heapq.heappop(heap)


async def _each(bucket: Bucket, folder: str, after: str) -> AsyncIterator[Listed]:
    async for page in bucket.pages(folder, after=after):
        for listed in page:
            yield listed


def _name(listed: Listed) -> str:
    return listed.key.rpartition("/")[2]


def _is_of(name: str, mail_id: str) -> bool:
    """Tell whether it is one of the mail's calls, or the report of that id."""
    parts = name.removeprefix(f"{mail_id}.")
    return name == mail_id or (parts != name and "." not in parts)
