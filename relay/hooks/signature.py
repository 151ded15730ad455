"""The signature of Standard Webhooks: symmetric, version v1."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence


def headers(
    hook_id: str, body: bytes, *, at: int, keys: Sequence[bytes]
) -> dict[str, str]:
    """The headers that say which event it is, when it was sent, and by whom.

    `at`: Unix seconds. Of several keys each signs, so that one can be replaced.
    """
    signed = b"%s.%d.%s" % (hook_id.encode(), at, body)
    signatures = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    return {
        "webhook-id": hook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(one).decode()}" for one in signatures
        ),
    }
