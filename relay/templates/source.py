"""A template as it was read: of the settings, or of a file in the templates folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from relay.model.mail import Priority


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to a shared file: images, styles, and what is wrong in it."""

    images: tuple[bytes, ...] = ()
    css: str = ""
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of templates; `shared` are its files whose names begin with _."""

    path: Path
    shared: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Beside] = field(default_factory=dict)

    def named_in(self, text: str) -> tuple[str, ...]:
        """The shared files that a text names, and those that these name."""
        found: dict[str, None] = {}
        texts = [text]
        while texts:
            text = texts.pop()
            for name, content in self.shared.items():
                if name not in found and (f'"{name}"' in text or f"'{name}'" in text):
                    found[name] = None
                    texts.append(content)
        return tuple(found)

    def beside_of(self, text: str) -> list[Beside]:
        """What belongs to the shared files that a text names."""
        if not self.beside:
            return []
        return [
            self.beside[name] for name in self.named_in(text) if name in self.beside
        ]


@dataclass(frozen=True, slots=True)
class Source:
    """One template, not compiled yet; `place` is for messages about it."""

    usage_type: str
    subject: str
    content: str
    content_type: str = "text/html"
    text: str = ""
    locale: str = ""
    send_from: str = ""
    reply_to: str = ""
    valid_for: float | None = None
    supersedes: bool = False
    priority: Priority = Priority.NORMAL
    attachments: str = "keep"
    tracking: bool = True
    unsubscribe: str = ""
    per_recipient: tuple[int, float] | None = None  # mails, within seconds
    over_limit: str = "reject"
    place: str = ""
    syntax: str = "simple"
    timezone: str = "UTC"
    inline_css: bool = False
    # Where `content` and `text` were read from; None: they stand in the settings.
    file: Path | None = None
    text_file: Path | None = None
    # Where what they name is looked for: layouts, images.
    folder: Folder | None = None
    # The line of `file` that `content` begins in, and those of the settings above it.
    first_line: int = 1
    setting_lines: Mapping[str, int] = field(default_factory=dict)

    def at(self, name: str, line: int = 1, column: int = 0) -> str:
        """Where line and column of the setting `name` are: file and line, if of one."""
        spot = f":{column}" if column else ""
        if name == "text" and self.text_file is not None:
            return f"{self.text_file}:{line}{spot}"
        if self.file is not None:
            if name == "content":
                return f"{self.file}:{self.first_line + line - 1}{spot}"
            if name in self.setting_lines:
                return f"{self.file}:{self.setting_lines[name] + line - 1}: {name}"
        return f"{self.place}.{name}:{line}{spot}"
