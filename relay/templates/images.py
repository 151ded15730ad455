"""Pictures that a template names by `cid:`, as parts that its mails carry.

They are read and encoded once, at load. Their Content-ID is made of what is in them,
so that it is no other picture's, whatever a wrapped mail calls its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from relay.content.html_tags import referenced
from relay.content.transfer_encoding import base64_body
from relay.templates.folder_file import UnusableFileError, folder_file

MAX_BYTES = 5_000_000  # of all images of a template together, before encoding

# In an attribute or in a CSS url(): behind a quote, a bracket or an equals sign.
_NAMED = re.compile(
    r"""(["'(=]\s*+cid:)([^"'()<>{}\s]++)(?![^"'()<>{}\s]*[{])""", re.IGNORECASE
)
_TYPES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".gif": "gif",
    ".webp": "webp",
    ".svg": "svg+xml",
}
_NAMES = {kind: kind.partition("+")[0].upper() for kind in _TYPES.values()}

# "error" or "warning", the position of what it is about, and words for it.
Say = Callable[[str, int, str], None]


def embedded(html: str, folder: Path | None, say: Say) -> tuple[str, tuple[bytes, ...]]:
    """The HTML with the images' own Content-IDs, and the images as MIME parts."""
    parts: dict[str, bytes] = {}
    by_name: dict[str, str | None] = {}
    size = 0
    for match in _NAMED.finditer(html):
        written = match[2]
        if written in by_name:
            continue
        by_name[written] = None
        name = unquote(referenced(written))
        about = _About(f"cid:{name}", match.start(2), say)
        data = _read(folder, name, MAX_BYTES - size, about)
        subtype = None if data is None else _subtype(name, data, about)
        if data is None or subtype is None:
            continue
        size += len(data)
        digest = sha256(data).hexdigest()[:32]
        cid = f"{digest}@ses-relay.invalid"
        by_name[written] = cid
        parts.setdefault(cid, _part(Path(name).name, subtype, cid, data))
    if not parts:
        return html, ()
    made = _NAMED.sub(lambda match: match[1] + (by_name[match[2]] or match[2]), html)
    return made, tuple(parts.values())


@dataclass(frozen=True, slots=True)
class _About:
    """Says what is wrong with one image."""

    shown: str
    position: int
    say: Say

    def error(self, text: str) -> None:
        self.say("error", self.position, f"{self.shown}: {text}")

    def warning(self, text: str) -> None:
        self.say("warning", self.position, f"{self.shown}: {text}")


def _read(folder: Path | None, name: str, room: int, about: _About) -> bytes | None:
    if folder is None:
        about.warning(
            "there is no folder to look for it; set templatesDir, or contentFile "
            "instead of content"
        )
        return None
    try:
        return folder_file(
            folder,
            name,
            at_most=room,
            because="every mail carries the images of its template, "
            f"{MAX_BYTES // 1_000_000} MB together at most",
        )
    except FileNotFoundError:
        about.warning(
            f"there is no such file in {folder}; mail shows a gap there, unless what "
            "it wraps brings that part"
        )
    except UnusableFileError as error:
        about.error(str(error))
    return None


def _subtype(name: str, data: bytes, about: _About) -> str | None:
    named = _TYPES.get(Path(name).suffix.lower())
    found = _of_content(data)
    if found is None or named is None:
        what = "its content is none" if named else "its name does not end like one"
        about.error(
            f"is no image that mail programs show ({what}); there are .png, .jpg, "
            ".gif, .webp and .svg"
        )
        return None
    if found != named:
        about.warning(f"is {_NAMES[found]}, whatever its name says")
    if found == "svg+xml":
        about.warning("most mail programs show no SVG; make a .png of it")
    return found


def _of_content(data: bytes) -> str | None:
    """What an image is by its first bytes."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    head = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n")
    return (
        "svg+xml"
        if head.startswith((b"<svg", b"<?xml", b"<!--")) and (b"<svg" in data)
        else None
    )


def _part(name: str, subtype: str, cid: str, data: bytes) -> bytes:
    """An embedded part, as it stands in every mail."""
    if name.isascii() and re.fullmatch(r"[ !#-\[\]-~]+", name):
        shown = f'filename="{name}"'
    else:  # RFC 2231
        shown = f"filename*=utf-8''{quote(name, safe='')}"
    head = (
        f"Content-Type: image/{subtype}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-ID: <{cid}>\r\n"
        f"Content-Disposition: inline;\r\n {shown}\r\n\r\n"
    )
    return head.encode("ascii") + base64_body(data)
