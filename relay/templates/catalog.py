"""All templates, found by usage and locale."""

from __future__ import annotations

from collections.abc import Sequence

from relay.model.replies import no_template
from relay.templates.template import Source, Template

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
            warnings += (
                f"{source.place}.content:{danger.line}: {danger.text}"
                for danger in template.dangers
            )
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
        warnings += self._falling_short(missing)
        self.warnings = tuple(warnings)
        self.usages = tuple(self._by_usage)

    def _falling_short(self, missing: str) -> list[str]:
        """Usages whose mail falls back to Generic, and lacks what Generic shows."""
        shown = {
            name.partition(".")[0]
            for template in self._by_usage.get("Generic", {}).values()
            for name in template.variables
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
