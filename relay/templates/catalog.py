"""All templates, found by usage and locale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relay.model.replies import no_template
from relay.templates.known import Given
from relay.templates.source import Source
from relay.templates.template import Template

if TYPE_CHECKING:
    from relay.templates.jinja.library import Library
    from relay.templates.jinja.reading import Readings

# Variables of kept tests, by usage and locale.
Tried = Mapping[tuple[str, str], Mapping[str, Any]]

STANDARD = ("Register", "SignIn", "ForgotPassword", "Generic")
# What Logto never passes with a usage: an invitation has no code, a code no link.
_NEVER_GIVEN = {
    "OrganizationInvitation": frozenset({"code"}),
    **dict.fromkeys(
        (
            "SignIn",
            "Register",
            "ForgotPassword",
            "UserPermissionValidation",
            "BindNewIdentifier",
            "MfaVerification",
            "BindMfa",
        ),
        frozenset({"link"}),
    ),
}
_WITHOUT = {
    "reject": "its mail is refused",
    "keep": "its mail shows the placeholder",
    "empty": "its mail has a gap there",
}


class TemplateError(Exception):
    """The templates cannot be used; the text is for the operator."""


class Templates:
    """All templates, by usage and locale.

    Those of `known` that were made of the same are taken from there.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        email_address: str = "",
        missing: str = "reject",
        known: Templates | None = None,
        given: Callable[[], Given] = dict,
        tried: Callable[[], Tried] = dict,
    ) -> None:
        # Variables to look at them with, beside samples.
        self.tried = tried
        # What their mail is known to have beside what Logto passes, for the lint.
        self.given = given
        self.made_by = email_address, missing  # the same for all of them
        # Made of texts alone, these hold whatever else is another.
        readings = None if known is None else known.readings
        if known is not None and known.made_by != self.made_by:
            known = None
        self._by_usage: dict[str, dict[str, Template]] = {}
        errors: list[str] = []
        warnings: list[str] = []
        made = Maker(email_address, missing, readings)
        for source in sources:
            template = (known and known.made_of(source)) or made.of(source)
            errors += template.errors
            warnings += template.warnings
            warnings += (
                f"{source.at('content', danger.line)}: {danger.text}"
                for danger in template.dangers
            )
            locales = self._by_usage.setdefault(source.usage_type, {})
            key = _tag(source.locale)
            if key in locales:
                locale = f", locale {source.locale}" if source.locale else ""
                errors.append(
                    f"{source.place}: a second template for usage "
                    f"{source.usage_type}{locale}, beside "
                    f"{locales[key].source.place}; keep one"
                )
            locales[key] = template
        if errors:  # of a layout, each template that names it says the same
            raise TemplateError("\n".join(dict.fromkeys(errors)))
        for usage, locales in self._by_usage.items():
            if "" not in locales:
                warnings.append(
                    f"usage {usage}: all of its templates have a locale; mail in any "
                    "other language falls back to Generic, or is refused"
                )
        absent = [usage for usage in STANDARD if usage not in self._by_usage]
        if absent:
            warnings.append(f"no template for {', '.join(absent)}")
        warnings += self._falling_short(missing)
        self.readings: Readings | None = made.readings
        self.warnings = tuple(dict.fromkeys(warnings))
        self.usages = tuple(self._by_usage)

    def _falling_short(self, missing: str) -> list[str]:
        """Usages whose mail falls back to Generic, and lacks what Generic shows."""
        shown = {
            use.name.partition(".")[0]
            for template in self._by_usage.get("Generic", {}).values()
            for use in template.uses
            if not use.optional
        }
        found = []
        for usage, never in _NEVER_GIVEN.items():
            lacking = sorted(never & shown)
            if lacking and usage not in self._by_usage:
                names = ", ".join(f"{{{{{name}}}}}" for name in lacking)
                found.append(
                    f"no template for {usage}: Generic, which it falls back to, shows "
                    f"{names}, which Logto never passes with it; {_WITHOUT[missing]}"
                )
        return found

    def made_of(self, source: Source) -> Template | None:
        """The template that was made of just this."""
        locales = self._by_usage.get(source.usage_type, {})
        found = locales.get(_tag(source.locale))
        return found if found is not None and found.source == source else None

    @property
    def all(self) -> tuple[Template, ...]:
        """Every template, by usage in the order of the settings."""
        return tuple(
            template
            for locales in self._by_usage.values()
            for template in locales.values()
        )

    def choose(self, usage: str, locale: str) -> Template:
        """The usage's template in the best locale, else Generic's; or Refused."""
        for name in (usage, "Generic"):
            if (found := self._lookup(name, locale)) is not None:
                return found
        raise no_template(usage, self.usages)

    def _lookup(self, usage: str, locale: str) -> Template | None:
        """RFC 4647 section 3.4: the tag, then without its last part, then without."""
        locales = self._by_usage.get(usage)
        if not locales:
            return None
        if not locale:
            return locales.get("")
        tag = _tag(locale)[:200]
        while tag:
            if tag in locales:
                return locales[tag]
            tag = tag.rpartition("-")[0]
            if len(tag) > 1 and tag[-2:-1] == "-":  # a singleton goes with what follows
                tag = tag[:-2]
        return locales.get("")


class Maker:
    """Makes templates of sources; those in Jinja's syntax share what they include."""

    def __init__(
        self, email_address: str, missing: str, readings: Readings | None = None
    ) -> None:
        self._email_address = email_address
        self._missing = missing
        self.readings = readings
        # By the folder, whose files are others where styles are put at elements.
        self._libraries: dict[tuple[Path | None, bool], Library] = {}

    def of(self, source: Source) -> Template:
        if source.syntax != "jinja":
            return Template(
                source, email_address=self._email_address, missing=self._missing
            )
        # Here, since it takes a while to import.
        from relay.templates.jinja.library import Library
        from relay.templates.jinja.reading import Readings
        from relay.templates.jinja.template import JinjaTemplate

        if self.readings is None:
            self.readings = Readings()
        path = None if source.folder is None else source.folder.path
        key = path, source.inline_css
        if key not in self._libraries:
            self._libraries[key] = Library(source.folder, self.readings)
        return JinjaTemplate(
            source,
            self._libraries[key],
            email_address=self._email_address,
            missing=self._missing,
        )


def _tag(locale: str) -> str:
    return locale.strip().replace("_", "-").lower()
