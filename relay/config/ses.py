"""The tables of the way out: SES, further accounts, the pace, and who may get mail.

A text below a setting is its description wherever people read of it: see described.
"""

# No `from __future__ import annotations`: see models.

from typing import Literal

from relay.config import values as v
from relay.config.table import Secret, Table
from relay.model.mail import SES_HEADERS


class Ses(Table):
    """How SES is called; the names are those of Logto's connector."""

    access_key_id: Secret = Secret("")
    """With accessKeySecret, or neither: the AWS default chain (role, profile,
    environment).

    Example: "AKIAIOSFODNN7EXAMPLE"
    """
    access_key_id_file: str = ""
    """Instead of accessKeyId: the file that holds it, relative to this one.

    Example: "secrets/access-key-id"
    """
    access_key_secret: Secret = Secret("")
    """The other half of the key.

    Example: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    """
    access_key_secret_file: str = ""
    """Instead of accessKeySecret: the file that holds it, relative to this one.

    Example: "secrets/access-key-secret"
    """
    region: v.Region = ""
    """The region of SES. Else AWS_REGION, AWS_DEFAULT_REGION, the profile.

    Example: "eu-west-1"
    """
    email_address: v.Email = ""
    """From of templated mail: "Acme <noreply@acme.example>" or the address alone.

    Example: "Acme <noreply@acme.example>"
    """
    email_address_identity_arn: v.Arn = ""
    """FromEmailAddressIdentityArn of every mail.

    Example: "arn:aws:ses:eu-west-1:123456789012:identity/acme.example"
    """
    feedback_forwarding_email_address: v.Email = ""
    """Where bounces and complaints go.

    Example: "bounces@acme.example"
    """
    feedback_forwarding_email_address_identity_arn: v.Arn = ""
    """The identity of feedbackForwardingEmailAddress.

    Example: "arn:aws:ses:eu-west-1:123456789012:identity/acme.example"
    """
    configuration_set_name: v.SetName = ""
    """The configuration set of every mail.

    Example: "transactional"
    """
    role_arn: v.Arn = ""
    """A role to assume before sending.

    Example: "arn:aws:iam::123456789012:role/mail"
    """
    endpoint_url: v.Url = ""
    """Another SES endpoint, for tests or a VPC.

    Example: "http://localhost:4566"
    """
    tags: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    """EmailTags of every mail, such as { app = "shop" }.

    Example: { app = "shop" }
    """
    usage_tag: v.TagName = "usage"
    """Adds this tag with the mail's usage; "" for none."""
    tenant_name: v.SetName = ""
    """The SES tenant of every mail.

    Example: "acme"
    """
    feedback_to_sender: v.Flag = False
    """Without a feedback address, use the client's MAIL FROM."""
    client_headers: tuple[v.ClientHeader, ...] = SES_HEADERS[:3]
    """Which X-SES-* headers of clients count."""
    reencode: Literal["auto", "never"] = "auto"
    """auto: what SES would break becomes quoted-printable or base64; or never."""
    connect_timeout: v.Seconds = 5
    """Seconds to connect to SES; shorter than attemptTimeout."""
    attempt_timeout: v.Seconds = 20
    """Seconds for one call, plus 1 s per 100 kB of content; shorter than grace."""
    concurrency: v.Count = 50
    """Calls at one time."""


class Account(Ses):
    """Another identity, role or region; what it does not say, [ses] says."""

    name: v.AccountName
    """For rules, fallbacks, the log and the page; "default" is [ses].

    Example: "brand-b"
    """
    domains: tuple[v.Domain, ...] = ()
    """Mail whose From has one of these domains leaves by it; "*.brand-b.example" is all
    below.

    Example: ["brand-b.example", "*.brand-b.example"]
    """
    fallback: str = ""
    """Who takes its mail where it cannot be connected to, is paused, suspended or over
    its quota: another account, or "default", which is [ses].

    Example: "default"
    """
    rate: v.Rate = "auto"
    """Recipients per second, as in [pace], for this account; what is not given is
    [pace]'s."""
    share: v.Share = 0.9
    """This relay's part of this account's rate, as in [pace]; what is not given is
    [pace]'s."""


class Pace(Table):
    """How fast mail leaves."""

    rate: v.Rate = "auto"
    """Recipients per second; auto: the account's own rate, as GetAccount says it, times
    share."""
    share: v.Share = 0.9
    """This relay's part of the account's rate."""


class Guard(Table):
    """For staging: who may get mail at all."""

    recipients: tuple[v.AddressPattern, ...] = ()
    """Patterns such as "*@acme.example", or a domain; empty: everybody, there is no
    guard.

    Example: ["*@acme.example"]
    """
    others: Literal["reject", "redirect", "capture"] = "reject"
    """What becomes of mail to all others: reject (550 5.7.1 at RCPT), redirect, or
    capture (the page's inbox keeps it, and nothing is sent)."""
    redirect_to: v.Email = ""
    """With redirect: who gets it instead, with an X-Original-To field for each of them.

    Example: "staging@acme.example"
    """
