"""A mail's idempotency key, and the fingerprint of the submission that it stands for.

What another attempt of the same app, or a mail server on the way, makes anew is not in
it: dates, ids, traces, signatures of these, the folding of a header and the order of
its fields, and what separates the parts of a body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import sha256

from relay.content.encoded_words import decoded
from relay.content.header import Field, Message
from relay.content.mime_parts import Part, structure
from relay.intake.control_field import INDENTED_CONTROL, value_of
from relay.model.note import Key
from relay.model.replies import bad_header
from relay.model.submission import Submission

HEADER = "X-Relay-Idempotency-Key"
MAX_KEY = 256

# Made anew with each attempt.
_VOLATILE = frozenset(
    {
        *("date", "message-id", "received", "return-path", "delivered-to"),
        *("dkim-signature", "domainkey-signature", "authentication-results"),
        *("received-spf", "x-received", "x-original-to"),
        # In the fingerprint as variables and as recipients, or not at all.
        *("x-relay-variables", "bcc", "resent-bcc"),
        *("x-relay-idempotency-key", "x-relay-send-at"),
    }
)
_VOLATILE_PREFIXES = ("arc-", "x-relay-variable-")
_BOUNDARY = re.compile(
    r';\s*boundary(?:\*[0-9]*)?\*?\s*=\s*(?:"(?>(?:[^"\\]++|\\.)*)"|[^;\s]*+)',
    re.IGNORECASE,
)
_BLANKS = re.compile(r"\s+")


def is_key(text: str) -> bool:
    """Tell whether the text can be a key: 1 to 256 printable ASCII characters."""
    return 0 < len(text) <= MAX_KEY and text.isascii() and text.isprintable()


def asked(fields: Sequence[Field]) -> str:
    """The key that the header gives, "" for none. Raises Refused."""
    texts = [
        decoded(value_of(field, HEADER, INDENTED_CONTROL)).strip() for field in fields
    ]
    if not any(texts):
        return ""
    if len(texts) > 1:
        raise bad_header(HEADER, "given more than once")
    if not is_key(texts[0]):
        raise bad_header(HEADER, f"a key has 1 to {MAX_KEY} printable ASCII characters")
    return texts[0]


def key_of(
    text: str,
    submission: Submission,
    message: Message,
    *,
    usage: str,
    locale: str,
    variables: object,
) -> Key:
    """The key of a submission, with what it stands for.

    `message` is the mail as it came, `usage`, `locale` and `variables` what it says
    itself. Raises Refused where its parts are over the limits.
    """
    whose = f"user:{submission.user}"
    if not submission.user:
        whose = f"listener:{submission.listener}"
    digest = sha256()
    for piece in _pieces(submission, message, usage, locale, variables):
        digest.update(b"%d:" % len(piece))
        digest.update(piece)
    return Key(whose, text, digest.digest())


def _pieces(
    submission: Submission,
    message: Message,
    usage: str,
    locale: str,
    variables: object,
) -> Iterable[bytes | memoryview]:
    yield _bytes(usage)
    yield _bytes(locale)
    yield json.dumps(variables, sort_keys=True).encode()
    yield _bytes("\n".join(sorted(set(map(_address, submission.envelope.recipients)))))
    for part in structure(message):
        yield b"%d %s" % (part.depth, _bytes(part.type))
        yield _bytes("\n".join(sorted(_lines(part))))
        if part.leaf:
            yield memoryview(part.content)[part.body_start : part.end]


def _lines(part: Part) -> Iterable[str]:
    for field in part.fields:
        key = field.key
        if part.depth == 0 and (key in _VOLATILE or key.startswith(_VOLATILE_PREFIXES)):
            continue
        value = field.value
        if key == "content-type" and not part.leaf:
            value = _BOUNDARY.sub("", value)
        yield f"{key}:{_BLANKS.sub(' ', decoded(value)).strip()}"


def _address(address: str) -> str:
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def _bytes(text: str) -> bytes:
    # Bytes that were no UTF-8 are half pairs of surrogates here.
    return text.encode("utf-8", "surrogatepass")
