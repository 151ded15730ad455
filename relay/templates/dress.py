"""What dresses an HTML at load: its styles put at its elements, its images found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from relay.templates.placeholder import spot


class Dress:
    """Dresses one file, whose lines are called as `at` says; collects what is wrong.

    Of an HTML that was made of something else, `at_name` says where that has a name.
    """

    def __init__(
        self,
        folder: Path | None,
        at: Callable[[int], str],
        at_name: Callable[[str], str] = lambda name: "",
    ) -> None:
        self._folder = folder
        self._at = at
        self._at_name = at_name
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def with_styles(
        self, html: str, syntax: str, *, css: str = "", own_styles: bool = True
    ) -> str:
        """The HTML with the styles at its elements, as `inline_css.inlined` does it."""
        from relay.templates.inline_css import CssError, inlined

        try:
            return inlined(html, syntax, self._wrong, css=css, own_styles=own_styles)
        except CssError as error:
            what = "inlineCss" if own_styles else "mj-style inline"
            self._wrong(1, f"{what}: {error}")
            return html

    def _wrong(self, line: int, text: str) -> None:
        self.errors.append(f"{self._at(line)}: {text}")

    def with_images(self, html: str) -> tuple[str, tuple[bytes, ...]]:
        """The HTML with the Content-IDs of its images, and these as MIME parts."""
        if "cid:" not in html.lower():
            return html, ()
        from relay.templates.images import embedded

        def say(level: str, position: int, text: str) -> None:
            said = self.errors if level == "error" else self.warnings
            name = text.partition(": ")[0]
            at = self._at_name(name) or self._at(spot(html, position)[0])
            said.append(f"{at}: {text}")

        return embedded(html, self._folder, say)
