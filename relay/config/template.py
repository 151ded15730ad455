"""The table of a template: what the mail of a usage looks like.

A text below a setting is its description wherever people read of it: see described.
"""

# No `from __future__ import annotations`: see models.

from typing import Literal

from relay.config import values as v
from relay.config.table import Table


class Template(Table):
    """What a usage's mail looks like, and in a locale where they differ."""

    usage_type: v.Name
    """The usage whose mail it is.

    Example: "SignIn"
    """
    subject: str
    """The subject; it may hold variables.

    Example: "Your code is {{code}}"
    """
    content: str = ""
    """The body; it may hold variables.

    Example: "<p>Your code is <b>{{code}}</b>.</p>"
    """
    content_file: str = ""
    """Instead of content: a file, relative to this one.

    Example: "templates/sign-in.html"
    """
    content_type: Literal["text/html", "text/mjml", "text/plain"] = "text/html"
    """text/html, text/plain, or text/mjml."""
    text: str = ""
    """The text part; default: made from the HTML.

    Example: "Your code is {{code}}."
    """
    locale: str = ""
    """Such as "fr" or "fr-CA"; without one it is for all.

    Example: "fr-CA"
    """
    send_from: str = ""
    """From: a display name, or a mailbox; may hold variables.

    Example: "Acme sign-in <noreply@acme.example>"
    """
    reply_to: str = ""
    """Reply-To: a mailbox; may hold variables.

    Example: "support@acme.example"
    """
    valid_for: v.Seconds | None = None
    """Seconds after which an unsent mail is given up, not sent late. Default: none.

    Example: 600
    """
    supersedes: v.Flag = False
    """true: of two waiting mails of this usage to one recipient only the newer is
    sent."""
    priority: Literal["", "high", "normal", "low"] = ""
    """high, normal or low: what leaves the queue first. Default: high with validFor."""
    attachments: Literal["keep", "drop"] = "keep"
    """keep or drop what the original mail had attached."""
    tracking: v.Flag = True
    """false: SES counts neither opening nor clicks of this mail, whatever the account
    or the configuration set says."""
    inline_css: v.Flag | None = None
    """true or false: its styles are put at their elements, or not. Default: as
    inlineCss at the top level.

    Example: true
    """
    unsubscribe: str = ""
    """A link that unsubscribes with one click, such as
    "https://acme.example/u/{{token}}": makes List-Unsubscribe and
    List-Unsubscribe-Post.

    Example: "https://acme.example/u/{{token}}"
    """
    per_recipient: v.PerRecipient = ""
    """How many of its mails one recipient may have per s, m, h or d, such as "5/h";
    above it 450 4.7.1. Empty: any.

    Example: "5/h"
    """
    over_limit: Literal["reject", "drop"] = "reject"
    """reject, or drop: what is above perRecipient is answered 250 and not sent."""
    syntax: Literal["", "simple", "jinja"] = ""
    """simple or jinja. Default: what the top level says."""
    timezone: v.TimeZone = ""
    """A time zone. Default: that of the top level.

    Example: "Europe/Berlin"
    """
