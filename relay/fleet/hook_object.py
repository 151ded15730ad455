"""Some events for one endpoint as an object of the bucket; pure.

Unknown fields are ignored. Times are Unix time; attempts are not kept, so that whoever
takes them over begins anew with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from relay.fleet.record import VERSION, known, object_of
from relay.model.hook import Hook
from relay.queue.rows import Unreadable

MOST = 500  # events of one object
MOST_CHARACTERS = 1_000_000  # of their bodies, but for the first


def parts(hooks: Iterable[Hook]) -> Iterator[list[Hook]]:
    """The hooks in parts that are one object each: by endpoint, in their order."""
    found: dict[str, list[Hook]] = {}
    sizes: dict[str, int] = {}
    for hook in hooks:
        name, size = hook.endpoint, len(hook.body)
        part = found.setdefault(name, [])
        if part and (len(part) == MOST or sizes[name] + size > MOST_CHARACTERS):
            yield part
            part = found[name] = []
        if not part:
            sizes[name] = 0
        part.append(hook)
        sizes[name] += size
    yield from found.values()


def to_bytes(hooks: Sequence[Hook], *, ahead: float) -> bytes:
    """The object; Unix time is `ahead` of the clock of the hooks."""
    return json.dumps(
        {
            "v": VERSION,
            "endpoint": hooks[0].endpoint,
            "hooks": [
                {"id": hook.id, "at": hook.at + ahead, "body": hook.body}
                for hook in hooks
            ],
        }
    ).encode()


def read(stored: bytes, *, ahead: float, now: float) -> list[Hook]:
    """The hooks in an object, all of them due. Raises Later and Unreadable."""
    found = object_of(stored)
    known(found)
    try:
        endpoint = str(found["endpoint"])
        hooks = []
        for one in found["hooks"]:
            at = one["at"] - ahead
            due = min(at, now)  # the clock of who wrote it may be ahead
            hooks.append(Hook(str(one["id"]), endpoint, str(one["body"]), at, due))
        return hooks
    except (KeyError, TypeError, ValueError) as error:
        raise Unreadable("hooks") from error
