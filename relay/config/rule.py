"""The table of a rule: which mail it is about, and what becomes of that.

A text below a setting is its description wherever people read of it: see described.
"""

# No `from __future__ import annotations`: see models.

from typing import Literal

from relay.config import values as v
from relay.config.table import Table


class Rule(Table):
    """Which mail of an app that sets no header it is about, and what becomes of it."""

    name: v.RuleName = ""
    """For the log, the page and messages; default: "rule 1", "rule 2" …

    Example: "shop: reset"
    """
    listener: v.Patterns = ()
    """The listener's name. Here and below: one text, or a list of which one is enough.

    Example: "local"
    """
    user: v.Patterns = ()
    """Who logged in.

    Example: ["app", "shop-*"]
    """
    client: v.AllowedNetworks = ()
    """Networks of clients, such as "10.1.0.0/16".

    Example: "10.1.0.0/16"
    """
    sender: v.Patterns = ()
    """MAIL FROM, as in users.senders; "<>" is the null sender. Patterns here and below
    have "*" and "?" as in the shell; between slashes stands an expression of RE2.

    Example: "*@shop.acme.example"
    """
    from_: v.Patterns = ()
    """The address of the From field.

    Example: "shop@acme.example"
    """
    recipient: v.Patterns = ()
    """One of the recipients.

    Example: "*@acme.example"
    """
    subject: v.Patterns = ()
    """The decoded Subject.

    Example: "Reset your password*"
    """
    body: v.Patterns = ()
    """The decoded text, its first 256 kB.

    Example: "*one-time code*"
    """
    header: dict[str, v.Patterns] = {}  # noqa: RUF012 - nobody changes it
    """Decoded headers by their names; "*" present, "" absent.

    Example: { X-App = "shop" }
    """
    usage: v.Word = ""
    """The usage of mail that names none.

    Example: "ForgotPassword"
    """
    locale: v.Word = ""
    """The locale of its mail, where the mail names none.

    Example: "fr-CA"
    """
    variables: v.Variables = {}  # noqa: RUF012 - nobody changes it
    """Variables that the mail does not give.

    Example: { application = "shop" }
    """
    variables_from: Literal["", "text", "json"] = ""
    """"", text (by extract), or json (the part of the mail that is one JSON object)."""
    extract: tuple[str, ...] = ()
    r"""Expressions whose named groups are variables, such as 'code is (?P<code>\d{6})'.

    Example: ['code is (?P<code>\d{6})']
    """
    account: str = ""
    """The account that the mail leaves by, whatever its From; "default" is [ses].

    Example: "brand-b"
    """
    not_found: v.Name = "pass"
    """What becomes of a mail in which one of the variables that it looks for was not
    found: pass, reject, or another usage."""
    configuration_set_name: v.SetName = ""
    """The configuration set of its mail; a client's X-SES-CONFIGURATION-SET goes before
    it.

    Example: "transactional"
    """
    tags: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    """EmailTags of its mail, over those of ses.tags.

    Example: { app = "shop" }
    """
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    """Fields that are added where the mail has none, such as
    { "Feedback-ID" = "reset:shop" }.

    Example: { "Feedback-ID" = "reset:shop" }
    """
    priority: Literal["", "high", "normal", "low"] = ""
    """high, normal or low. Default: the template's."""
    set_from: v.Email = ""
    """The new mailbox of From, such as "Acme <noreply@acme.example>"; Sender and
    DKIM-Signature go.

    Example: "Acme <noreply@acme.example>"
    """
    keep_from: Literal["reply-to", "name", "drop"] = "reply-to"
    """What becomes of the old From: reply-to (where there is none), name (its display
    name is kept), drop."""
    tracking: v.Flag = True
    """false: SES counts neither opening nor clicks of its mail, with a template or
    without."""
