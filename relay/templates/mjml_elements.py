"""The elements of MJML that the compiler has, and which may stand in which.

Of MJML 4 it lacks `mj-html-attributes`, and `mj-raw` in a menu or an accordion.
"""

from __future__ import annotations

# Elements with text and HTML, which say nothing to the compiler.
HOLD_HTML = frozenset(
    {
        *("mj-accordion-text", "mj-accordion-title", "mj-button"),
        *("mj-navbar-link", "mj-preview", "mj-raw", "mj-social-element", "mj-style"),
        *("mj-table", "mj-text", "mj-title"),
    }
)
_IN_COLUMN = frozenset(
    {
        *("mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image"),
        *("mj-navbar", "mj-raw", "mj-social", "mj-spacer", "mj-table", "mj-text"),
    }
)
# What belongs into each of the others.
HOLD: dict[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset(
        {
            *("mj-attributes", "mj-breakpoint", "mj-font"),
            *("mj-preview", "mj-raw", "mj-style", "mj-title"),
        }
    ),
    "mj-body": frozenset({"mj-section", "mj-wrapper", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _IN_COLUMN,
    "mj-hero": _IN_COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link"}),
    "mj-social": frozenset({"mj-social-element"}),
}
# Defaults for all elements stand in these two.
KNOWN = frozenset({"mj-all", "mj-attributes", "mj-class", "mj-include"}).union(
    HOLD, HOLD_HTML, *HOLD.values()
)
# Where what is written between elements comes out where it stood.
WITH_BLOCKS = frozenset(
    {
        *("mj-body", "mj-column", "mj-group", "mj-head", "mj-hero", "mj-section"),
        "mj-wrapper",
    }
)
