"""The JSON body of a SendEmail call, made around the content as bytes.

The SDK makes a str of the content's base64, and a longer one of the whole body,
before it makes bytes again. A mail here is never a str, and a large one never whole.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from pybase64 import b64encode

from relay.model.feedback import NO_MAIL, tag_of
from relay.model.mail import Mail, SendOptions
from relay.model.submission import MailId
from relay.ses.parameters import RequestSettings, feedback_address, rest

_BEFORE = b'{"Content": {"Raw": {"Data": "'
# A multiple of 3, so that base64 of the pieces is base64 of the whole. Small
# enough that hashing or encrypting a piece does not hold the loop.
_PIECE = 3 << 16
# Characters of the ends of bodies, which are alike for all mail of one usage; and of
# one of them, beyond which a mail's own tags are what makes it long.
_REMEMBERED = 400_000
_SHORT = 4_000
_OBJECTS = 1_000  # what the objects around the words take, counted high
# Stands for a mail's id in the ends of bodies that are alike; nobody can guess it.
_ID = secrets.token_hex(16)


class _Rest(NamedTuple):
    """The end of a body; of two parts where the mail's id is between them."""

    text: str
    is_plain: bool
    after_id: str = ""


class Payload:
    """Makes the bodies of calls by the settings."""

    def __init__(self, settings: RequestSettings) -> None:
        self._settings = settings
        # To find them costs a mail far less than to make them.
        self._known: dict[tuple[SendOptions, str], _Rest] = {}
        self._known_size = 0

    def parts(
        self, mail: Mail, mail_id: MailId = NO_MAIL
    ) -> tuple[bytes, bytes, bytes]:
        """Make the body at once: what is before the content, the content, the rest."""
        return _BEFORE, b64encode(mail.content), self._after(mail, mail_id)

    def pieces(self, mail: Mail, mail_id: MailId = NO_MAIL) -> Iterator[bytes]:
        """Make the same body piece by piece."""
        yield _BEFORE
        view = memoryview(mail.content)
        for start in range(0, len(view), _PIECE):
            yield b64encode(view[start : start + _PIECE])
        yield self._after(mail, mail_id)

    def is_plain(self, mail: Mail) -> bool:
        """Tell whether all but the content is text, and nothing the SDK could refuse.

        For such mail the SDK's own look, which costs more, can be left out.
        """
        return all(mail.envelope.recipients) and self._rest_of(mail).is_plain

    def _after(self, mail: Mail, mail_id: MailId) -> bytes:
        # ASCII alone, the rest escaped, as the SDK does it.
        recipients = ", ".join(map(quoted, mail.envelope.recipients))
        rest_of_it = self._rest_of(mail)
        text = rest_of_it.text
        if rest_of_it.after_id:
            text = f"{text}{tag_of(mail_id)}{rest_of_it.after_id}"
        return (
            f'"}}}}, "Destination": {{"ToAddresses": [{recipients}]}}{text}}}'
        ).encode("ascii")

    def _rest_of(self, mail: Mail) -> _Rest:
        key = mail.options, feedback_address(mail, self._settings)
        return self._known.get(key) or self._make_rest(key)

    def _make_rest(self, key: tuple[SendOptions, str]) -> _Rest:
        made = rest(*key, self._settings, _ID)
        text = f", {json.dumps(made)[1:-1]}" if made else ""
        before, _, after = text.partition(_ID)
        found = _Rest(before, _is_plain(made), after)
        if len(text) <= _SHORT:
            self._known[key] = found
            self._known_size += _size(found)
            while self._known_size > _REMEMBERED:
                oldest = next(iter(self._known))
                self._known_size -= _size(self._known.pop(oldest))
        return found


def _size(known: _Rest) -> int:
    # The key holds the same words once more.
    return 2 * (len(known.text) + len(known.after_id)) + _OBJECTS


def _is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return type(value) is str and value != ""
