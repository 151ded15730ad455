"""Whether a bucket does what the queue stands on, before any mail is kept there."""

from __future__ import annotations

import secrets

from relay.fleet import keys
from relay.fleet.bucket import Bucket
from relay.queue import Unwritable


async def trial(bucket: Bucket) -> str:
    """Write one object, claim it twice, and delete it; what is wrong, "" for nothing.

    Raises Unwritable where the store cannot be asked.
    """
    name = f"trial{secrets.token_hex(8)}.0"
    key = keys.state_key(name)
    try:
        found = await bucket.get(key)
    except Unwritable as error:
        if " 403 " in f" {error} ":
            return (
                "a key that is not there is answered with 403, and 404 is what ends a "
                "mail: grant s3:ListBucket on the bucket, without a condition, and "
                "s3:GetObject"
            )
        raise
    if found is not None:
        return "an object is there that nobody wrote"
    try:
        etag = await bucket.put(key, b"{}", match="")
        if etag is None:
            return "If-None-Match: * is refused where there is no object"
        if await bucket.put(key, b"{ }", match="") is not None:
            return _ignores("If-None-Match")
        if await bucket.put(key, b"{  }", match='"of-another-object"') is not None:
            return _ignores("If-Match")
        if await bucket.put(key, b"{   }", match=etag) is None:
            return "If-Match is refused for the tag that the store itself gave"
    finally:
        await bucket.delete(key)
    return ""


def _ignores(condition: str) -> str:
    return (
        f"the store ignores {condition}, so that two relays could send one mail: use "
        "Amazon S3, or a store that has conditional writes"
    )
