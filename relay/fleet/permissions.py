"""Which of its calls a relay may make, one by one, for `relay check --online`.

What is tried harms no relay that runs: an object that nobody looks for, and a hint of
mail that is not there, which whoever receives it deletes.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from relay.fleet import keys
from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.hint import Hint
from relay.queue import Unwritable

LOOKS = 3  # receives, for a hint that may stand behind others
LOOKS_FOR = 1  # seconds of each
HIDES_FOR = 10  # seconds that another's message is hidden, if it cannot be given back


@dataclass
class Tried:
    """What came of it: `missing` are texts with permissions, `found` says the rest."""

    missing: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    async def may(self, permission: str, call: Callable[[], Awaitable[Any]]) -> bool:
        """Make a call; False where it is denied. Raises Unwritable for all else."""
        try:
            await call()
        except Unwritable as error:
            said, _, cure = str(error).partition("; grant ")
            if not cure:
                raise
            needed = cure if "kms:" in cure else permission
            self.missing.append(f"{said}; grant {needed}")
            return False
        return True


async def of_bucket(bucket: Bucket) -> Tried:
    """Put, read, list and delete one object. Raises Unwritable."""
    tried = Tried()
    below = f"{bucket.name}/{bucket.prefix}*"
    of_list = f"s3:ListBucket on {bucket.name}, without a condition"
    key = keys.state_key(f"check{secrets.token_hex(8)}.0")
    puts = await tried.may(
        f"s3:PutObject on {below}", lambda: bucket.put(key, b"{}", match="")
    )
    # Without s3:ListBucket a key that is not there has the same answer as a denied one.
    lists = await tried.may(of_list, lambda: bucket.has_any(key))
    if puts or lists:
        await tried.may(f"s3:GetObject on {below}", lambda: bucket.get(key))
    await tried.may(f"s3:DeleteObject on {below}", lambda: bucket.delete(key))
    return tried


async def of_queue(bell: Bell) -> Tried:
    """Send a hint, receive it and delete it. Raises Unwritable."""
    tried = Tried()
    on = "on the queue"
    text = Hint(f"check{secrets.token_hex(8)}.0", 0, 0.0, begun=True).to_text()
    sends = await tried.may(
        f"sqs:SendMessage {on}", lambda: bell.send(text, delay=0, group="")
    )
    receipt = ""

    async def look() -> None:
        nonlocal receipt
        for _ in range(LOOKS):
            found = await bell.receive(10, wait=LOOKS_FOR, visibility=HIDES_FOR)
            for other in found:
                if other.text != text:
                    bell.hide(other.receipt, 0)
            if ours := [one.receipt for one in found if one.text == text]:
                receipt = ours[0]
                return

    receives = await tried.may(f"sqs:ReceiveMessage {on}", look)
    await tried.may(f"sqs:ChangeMessageVisibility {on}", bell.may_hide)
    deletes = await tried.may(f"sqs:DeleteMessage {on}", bell.may_forget)
    if receipt and deletes:
        bell.forget(receipt)
    await bell.drained()
    if receipt and deletes:
        tried.found.append("a hint was sent, received and deleted")
    elif sends and receives:
        tried.found.append("a hint was sent; a relay or what waits was before this one")
    return tried
