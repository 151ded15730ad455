"""Who holds on to what is to be taken away."""

from __future__ import annotations

import asyncio

from relay.delivery.use import Use


async def test_it_ends_with_the_last_who_holds_on() -> None:
    use = Use()
    await use.ended()  # nobody does
    use.enter()
    use.enter()
    ended = asyncio.create_task(use.ended())
    await asyncio.sleep(0)
    use.leave()
    await asyncio.sleep(0)
    assert not ended.done()
    use.leave()
    await ended
