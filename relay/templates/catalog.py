"""All templates, found by usage and locale."""

from __future__ import annotations

from collections.abc import Sequence

from relay.model.replies import no_template
from relay.templates.template import Source, Template

STANDARD = ("Register", "SignIn", "ForgotPassword", "Generic")


class TemplateError(Exception):
    """The templates cannot be used; the text is for the operator."""


class Templates:
    """All templates, by usage and locale."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        email_address: str = "",
        missing: str = "reject",
    ) -> None:
        self._by_usage: dict[str, dict[str, Template]] = {}
        errors: list[str] = []
        warnings: list[str] = []
        for source in sources:
            template = Template(source, email_address=email_address, missing=missing)
            errors += template.errors
            warnings += template.warnings
            locales = self._by_usage.setdefault(source.usage_type, {})
            key = _tag(source.locale)
            if key in locales:
                locale = f", locale {source.locale}" if source.locale else ""
                errors.append(
                    f"{source.place}: a second template for usage "
                    f"{source.usage_type}{locale}; keep one"
                )
            locales[key] = template
        if errors:
            raise TemplateError("\n".join(errors))
        for usage, locales in self._by_usage.items():
            if "" not in locales:
                warnings.append(
                    f"usage {usage}: all of its templates have a locale; mail in any "
                    "other language falls back to Generic, or is refused"
                )
        absent = [usage for usage in STANDARD if usage not in self._by_usage]
        if absent:
            warnings.append(f"no template for {', '.join(absent)}")
        self.warnings = tuple(warnings)
        self.usages = tuple(self._by_usage)

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


def _tag(locale: str) -> str:
    return locale.strip().replace("_", "-").lower()
