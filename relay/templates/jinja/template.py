"""A template in Jinja's syntax: compiled at the start, applied to a mail."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2.exceptions import TemplateRuntimeError

from relay import log
from relay.content.header import Field, Message
from relay.content.new_field import one_line
from relay.content.original import Original
from relay.model.replies import TEMPLATE_FAILED, not_given
from relay.model.reply import Refused
from relay.model.submission import Envelope
from relay.templates.jinja.library import Compiled, Library
from relay.templates.jinja.linear import linear
from relay.templates.jinja.pieces import TRUSTED, Shown
from relay.templates.jinja.run import Run
from relay.templates.jinja.shape import Shapes
from relay.templates.limits import RanAway, TakesLong
from relay.templates.placeholder import Problems
from relay.templates.places import Danger, Places
from relay.templates.source import Source
from relay.templates.template import Template, clean
from relay.templates.unsubscribe import FIXED, encoded, fields_of
from relay.templates.use import Use

_LINK = re.compile(
    r"\s*(?:https://|\{\{-?\s*[\w.]+\s*\|\s*safe\s*-?\}\})", re.IGNORECASE
)


class JinjaTemplate(Template):
    """One compiled template; `library` has the files that it may name."""

    def __init__(
        self, source: Source, library: Library, *, email_address: str, missing: str
    ) -> None:
        self._library = library
        super().__init__(source, email_address=email_address, missing=missing)

    def _compile(self, text: str, problems: Problems) -> Sequence[Danger]:
        source = self.source
        self._compiled: list[Compiled] = []
        self._settings: list[str] = []
        is_html = source.content_type != "text/plain"

        def compiled(setting: str, text: str, *, html: bool = False) -> Compiled | None:
            if not text:
                return None
            made = self._library.compiled(
                text,
                f"{problems.place} {setting}",
                lambda line: problems.place_of(setting, line),
                html=html,
            )
            if made is not None:
                self._compiled.append(made)
                self._settings.append(setting)
            return made

        before = len(self._library.errors), len(self._library.warnings)
        self._subject_text = compiled("subject", source.subject)
        self._sender_text = compiled("sendFrom", source.send_from)
        self._reply_text = compiled("replyTo", source.reply_to)
        self._link_text = compiled("unsubscribe", source.unsubscribe.strip())
        self._content_text = compiled("content", text, html=is_html)
        self._text_text = None
        if is_html and source.text:
            self._text_text = compiled("text", source.text)
        problems.errors += self._library.errors[before[0] :]
        problems.warnings += self._library.warnings[before[1] :]
        self._look_at_link(problems)
        fixed = "" if self._sender_text is None else self._sender_text.fixed
        self._has_address = any(letter in fixed for letter in "@<")
        derived = is_html and not source.text
        self._content_shapes = Shapes(html=is_html, text_too=derived)
        self._text_shapes = Shapes(html=False)
        self._wraps_html = is_html and "message.html" in self.variables
        if problems.errors or not is_html:
            return ()
        return Places(linear(text)).dangers

    def _look_at_link(self, problems: Problems) -> None:
        setting = self.source.unsubscribe
        if not setting.strip() or self._link_text is None:
            return
        if not _LINK.match(setting) or not FIXED.fullmatch(
            self._link_text.fixed.strip()
        ):
            problems.errors.append(
                f"{problems.place}: unsubscribe = {setting!r}: must be a link that "
                "begins with https:// and is plain ASCII without blanks, such as "
                "https://acme.example/u/{{ token }}, or a variable that is one: "
                "{{ link|safe }}"
            )

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables that it looks at, each once."""
        return tuple(
            dict.fromkeys(
                found.name for text in self._compiled for found, _ in text.variables
            )
        )

    @property
    def uses(self) -> tuple[Use, ...]:
        """Each place in which it or a file that it names looks at a variable."""
        return tuple(
            Use(
                found.name,
                setting,
                found.line,
                at(found.line),
                found.inside,
                found.optional,
            )
            for setting, text in zip(self._settings, self._compiled, strict=True)
            for found, at in text.variables
        )

    def apply(
        self,
        message: Message,
        envelope: Envelope,
        variables: Mapping[str, Any],
        sender: Field | None = None,
        *,
        locale: str = "",
        lacking: dict[str, None] | None = None,
    ) -> bytes:
        """The content to send. Raises Refused, and TakesLong on an event loop."""
        original = Original(message, envelope)
        run: Run | None = None
        named = variables.get("locale")
        try:
            run = Run(
                variables,
                original,
                missing=self._missing,
                locale=locale or (named if isinstance(named, str) else ""),
                timezone=self.source.timezone,
            )
            self._library.runs.run = run
            content = self._applied(run, original, sender)
        except (Refused, TakesLong, MemoryError):
            raise
        except Exception as error:
            if run is not None and run.not_given:  # as like as not because of it
                raise not_given(run.not_given) from None
            self._log(error)
            raise Refused(TEMPLATE_FAILED) from error
        finally:
            if run is not None:
                del self._library.runs.run
        if lacking is not None:
            lacking |= run.lacking
        return content

    def _applied(self, run: Run, original: Original, sender: Field | None) -> bytes:
        subject = self._line(run, self._subject_text, one_line)
        send_from = ""
        if sender is None:
            send_from = one_line(self._line(run, self._sender_text, clean)).strip()
        reply_to = one_line(self._line(run, self._reply_text, clean)).strip()
        link = self._line(run, self._link_text, encoded)
        content = _pieces(run, self._content_text)
        text_pieces = None
        if self._text_text is not None:
            text_pieces = _pieces(run, self._text_text)
        if run.not_given:
            raise not_given(run.not_given)
        text, html = self._content_shapes.parts(content, original, run)
        if text_pieces is not None:
            text, _ = self._text_shapes.parts(text_pieces, original, run)
        assert text is not None  # noqa: S101 - of a text, or made of the HTML
        return self._content(
            original,
            sender or self._sender(send_from, original),
            subject=subject,
            reply_to=reply_to,
            text=text,
            html=html,
            unsubscribe=fields_of(link),
        )

    def _line(
        self, run: Run, text: Compiled | None, as_value: Callable[[str], str]
    ) -> str:
        """A text of one line, its values as they have to be there."""
        return "".join(
            [
                (one_line if piece.slot[1] == TRUSTED else as_value)(piece.plain)
                if isinstance(piece, Shown)
                else piece
                for piece in _pieces(run, text)
            ]
        )

    def _log(self, error: Exception) -> None:
        why = type(error).__name__
        if isinstance(error, RanAway | TemplateRuntimeError):
            why = str(error)  # names, and never a value
        log.line(
            logging.ERROR,
            "template failed",
            usage=self.usage,
            template=self.source.place,
            place=self._library.place_of(error.__traceback__),
            error=why,
        )


def _pieces(run: Run, text: Compiled | None) -> list[str | Shown]:
    if text is None:
        return []
    template = text.made()
    context = template.new_context(run.variables)
    return text.environment.flat(template.root_render_func(context))
