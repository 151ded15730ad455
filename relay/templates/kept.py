"""Kept tests: variables of a usage in `NAME.json`, the mail they made in `NAME.eml`.

What is compared is what a reader sees: the header's fields, text, HTML, and files;
not how they are encoded, which may change without anybody seeing it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from relay.content.header import parse
from relay.content.json_value import json_value
from relay.content.original import Original
from relay.content.transfer_encoding import transfer_decoded
from relay.model.submission import Envelope
from relay.templates.catalog import Templates

Read = Callable[[Path], str]

# The app's mail that templates may wrap.
ORIGINAL = parse(
    b"From: App <app@example.com>\r\nTo: Ann Example <ann@example.com>\r\n"
    b"Subject: The app's subject\r\n\r\nThe app's text.\r\n"
)
ENVELOPE = Envelope("app@example.com", ("ann@example.com",))

_BOUNDARY = re.compile(rb"=_[0-9a-f]{24}")
_KEYS = ("usage", "locale", "variables")
# About encodings, which nobody sees.
_UNSEEN = ("mime-version", "content-type", "content-transfer-encoding", "date")


class KeptError(Exception):
    """Tests that cannot be used, a line each; for who wrote them."""


@dataclass(frozen=True, slots=True)
class KeptTest:
    """One test; `file` is its JSON, `kept` what it should make."""

    name: str
    file: Path
    usage: str
    locale: str
    variables: Mapping[str, Any]
    text: str  # of the JSON

    @property
    def kept(self) -> Path:
        return self.file.with_suffix(".eml")

    def mail(self, templates: Templates) -> bytes:
        """What the templates make of it, the same each time. Raises Refused."""
        variables = dict(self.variables)
        locale = self.locale or str(variables.get("locale") or "")
        if locale:
            variables.setdefault("locale", locale)
        template = templates.choose(self.usage, locale)
        return stable(template.apply(ORIGINAL, ENVELOPE, variables))


def kept_tests(folder: Path, read: Read) -> tuple[KeptTest, ...]:
    """Those of a folder, by name; none where there is no folder. Raises KeptError."""
    if not folder.is_dir():
        return ()
    found, mistakes = [], []
    for file in sorted(folder.glob("*.json")):
        if file.name.startswith("."):
            continue
        try:
            found.append(_test(file, read(file)))
        except JSONDecodeError as error:
            mistakes.append(f"{file}:{error.lineno}:{error.colno}: {error.msg}")
        except ValueError as error:
            mistakes.append(f"{file}: {error}")
        except RecursionError:
            mistakes.append(f"{file}: is nested too deeply")
    if mistakes:
        raise KeptError("\n".join(mistakes))
    return tuple(found)


def _test(file: Path, text: str) -> KeptTest:
    given = json_value(text)
    example = '{"usage": "SignIn", "locale": "en", "variables": {"code": "123456"}}'
    if not isinstance(given, dict):
        raise ValueError(f"must be one object, such as {example}")
    for key in given:
        if key not in _KEYS:
            close = difflib.get_close_matches(key, _KEYS, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"{key}: unknown; there are {', '.join(_KEYS)}{hint}")
    usage, locale = given.get("usage", ""), given.get("locale", "")
    variables = given.get("variables", {})
    if not isinstance(usage, str) or not usage:
        raise ValueError(f"usage: must name the usage, as in {example}")
    if not isinstance(locale, str):
        raise ValueError('locale: must be a text, such as "fr-CA"')
    if not isinstance(variables, dict):
        raise ValueError('variables: must be an object, such as {"code": "123456"}')
    return KeptTest(file.stem, file, usage, locale, variables, text)


def stable(content: bytes) -> bytes:
    """The mail with boundaries that are not drawn by lot."""
    numbers: dict[bytes, bytes] = {}
    return _BOUNDARY.sub(
        lambda match: numbers.setdefault(match[0], b"=_%d" % (len(numbers) + 1)),
        content,
    )


def seen(content: bytes) -> dict[str, str]:
    """What a reader sees of a mail, by part. Raises Refused for one over the limits."""
    mail = Original(parse(content), Envelope(None, ()))
    header = [
        f"{field.name}: {mail.read(field)}"
        for field in mail.fields
        if field.name and field.name.lower() not in _UNSEEN
    ]
    files = [
        f"{part.type} {part.parameter('name')} {part.content_id}".strip()
        + f" sha256:{hashlib.sha256(transfer_decoded(part)).hexdigest()}"
        for part in (*mail.related, *mail.attachments)
    ]
    return {
        "header": "\n".join(header),
        "text": mail.text,
        "HTML": mail.html if mail.has_html else "",
        "files": "\n".join(files),
    }


def differences(name: str, kept: bytes, made: bytes) -> Iterator[str]:
    """Lines of a unified diff for each part that differs. Raises Refused."""
    before, now = seen(kept), seen(made)
    for part, was in before.items():
        if was != now[part]:
            yield from difflib.unified_diff(
                was.splitlines(),
                now[part].splitlines(),
                f"{name}: {part}, kept",
                f"{name}: {part}, now",
                lineterm="",
            )
