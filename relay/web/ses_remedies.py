"""What to do about an answer of SES, one remedy for each class of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from shlex import quote
from typing import NamedTuple

from relay.ses import refused_keys
from relay.web.remedy import Circumstances, Fix, Remedy

CHECK = Fix("Have the relay look for itself", "relay check --online")

_REGION = re.compile(r"\bregion ([A-Z]{2}(?:-[A-Z]+)+-[0-9])\b", re.IGNORECASE)
_IDENTITIES = re.compile(
    r"identities failed the check in region [A-Z0-9-]+: ([^;()]+)", re.IGNORECASE
)
_ADDRESS = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]*[^\s<>\"',;:().]")
_STATEMENT = re.compile(r"this grants it: (\{.*\})\)", re.DOTALL)
_NAMED = (
    ("configuration set", "X-SES-CONFIGURATION-SET", "list-configuration-sets"),
    ("tenant", "X-SES-TENANT", "list-tenants"),
    ("list", "X-SES-LIST-MANAGEMENT-OPTIONS", "list-contact-lists"),
)
_SENDING = {
    "Effect": "Allow",
    "Action": ["ses:SendEmail", "ses:SendRawEmail"],
    "Resource": "*",
}


class Said(NamedTuple):
    """An answer of SES: its own words, and the mail that it is about.

    `by_client`: a header of the mail named what SES does not find.
    """

    detail: str
    sender: str = ""
    recipients: tuple[str, ...] = ()
    by_client: bool = False


def remedy(answer: str, said: Said, about: Circumstances) -> Remedy:
    """The remedy for an answer of the class `answer`."""
    return _REMEDIES.get(answer, _unknown)(said, about)


def _aws(said: Said, about: Circumstances, command: str) -> str:
    found = _REGION.search(said.detail)
    region = found[1].lower() if found else about.region
    return f"aws sesv2 {command}" + (f" --region {quote(region)}" if region else "")


def _not_verified(said: Said, about: Circumstances) -> Remedy:
    listed = _IDENTITIES.search(said.detail)
    named = list(dict.fromkeys(_ADDRESS.findall(listed[1]))) if listed else []
    known = {one.lower() for one in said.recipients}
    to = [one for one in named if one.lower() in known and one != said.sender]
    senders = [one for one in named if one not in to]
    if not named and said.sender:
        senders = [said.sender]
    fixes = []
    if senders or not to:
        domain = (senders[0] if senders else "acme.example").rpartition("@")[2]
        create = f"create-email-identity --email-identity {quote(domain)}"
        read = f"get-email-identity --email-identity {quote(domain)}"
        fixes = [
            Fix(
                f"Verify {domain}; the answer has the names for the DNS",
                _aws(said, about, create),
            ),
            Fix("See whether it is", _aws(said, about, read)),
        ]
    what = f"SES takes no mail from {' and '.join(senders[:3]) or 'this sender'}: "
    what += "neither the address nor its domain is verified in this account and region."
    if to:
        what = (
            f"SES takes no mail to {' and '.join(to[:3])}: a new account is in the "
            "sandbox, where recipients have to be verified as well. Leave it, or "
            "verify them."
        )
        leave = (
            "put-account-details --production-access-enabled --mail-type TRANSACTIONAL "
            "--website-url https://acme.example"
        )
        verify = f"create-email-identity --email-identity {quote(to[0])}"
        fixes = [
            *fixes,
            Fix("Ask to leave the sandbox", _aws(said, about, leave)),
            Fix(f"Or verify {to[0]}", _aws(said, about, verify)),
        ]
    wrong = ("From", "Sender") if senders or not to else ()
    return Remedy(
        what,
        "recipient" if to and not senders else "sender",
        (*wrong, *(("To", "Cc") if to else ())),
        tuple(fixes),
    )


def _mail_from(said: Said, about: Circumstances) -> Remedy:
    domain = said.sender.rpartition("@")[2] or "acme.example"
    command = (
        f"put-email-identity-mail-from-attributes --email-identity {quote(domain)} "
        "--behavior-on-mx-failure USE_DEFAULT_VALUE"
    )
    return Remedy(
        "The identity has a MAIL FROM domain of its own, whose MX record SES does not "
        "find. Publish the record, or let SES use its own domain meanwhile.",
        "sender",
        fixes=(Fix("Use the default meanwhile", _aws(said, about, command)),),
    )


def _access_denied(said: Said, about: Circumstances) -> Remedy:
    found = _STATEMENT.search(said.detail)
    statement: object = _SENDING
    if found:
        try:
            statement = json.loads(found[1])
        except ValueError:  # it was cut
            statement = _SENDING
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    what = "The relay's role or user may not send."
    if "explicit deny" in said.detail.lower():
        what += " A policy denies it outright, so none helps that allows it: find that."
    else:
        what += " This policy lets it; mail that waits goes by itself then."
    return Remedy(
        what, "ses", fixes=(Fix("Give its role", json.dumps(policy, indent=2)), CHECK)
    )


def _credentials(said: Said, about: Circumstances) -> Remedy:
    code = said.detail.partition(" ")[2].partition(":")[0]
    why = ", or there are none: a wrong or expired key, or a clock that is off by more "
    why += "than five minutes"
    if found := refused_keys.cure(code, said.detail):
        why = f": {found}"
    return Remedy(
        f"SES does not accept the relay's credentials{why}.",
        "settings",
        fixes=(CHECK, Fix("See whose they are", "aws sts get-caller-identity")),
    )


def _not_found(said: Said, about: Circumstances) -> Remedy:
    lower = said.detail.lower()
    found = (one for one in _NAMED if one[0] in lower)
    word, header, command = next(found, _NAMED[0])
    fix = Fix(f"See which {word}s there are", _aws(said, about, command))
    if said.by_client:
        return Remedy(
            f"The mail names a {word} that this account has not got in this region.",
            "header",
            (header,),
            (fix,),
        )
    return Remedy(
        f"The settings name a {word} that this account has not got in this region.",
        "settings",
        fixes=(fix, CHECK),
    )


def _content(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "SES does not like what is in the mail, such as an attachment of a kind that "
        "it never sends, or a virus. Its own words stand in the story.",
        "body",
    )


def _address(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "SES cannot read an address of the mail: its recipients, or one in its header.",
        "header",
        ("From", "Sender", "Reply-To", "To", "Cc"),
        (
            Fix(
                "Addresses look like this",
                'To: "Example, Ann" <ann@example.com>, bob@example.com',
            ),
        ),
    )


def _bad_request(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "SES cannot read the mail: its header or its parts break a rule of mail. "
        "Its own words stand in the story.",
        "header",
    )


def _too_long(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "The mail is larger than the 40 MB that SES takes, as it is encoded: a third "
        "more than its files. Attach less, or link to it.",
        "body",
    )


def _throttled(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "More mail went to SES in a second than the account may send. The relay slows "
        "down by itself; if others use the account too, give it less of the rate.",
        "ses",
        fixes=(
            Fix("See the rate", _aws(said, about, "get-account --query SendQuota")),
            Fix("A smaller part, in the settings", "[pace]\nshare = 0.5"),
        ),
    )


def _quota(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "The account has sent as much in 24 hours as it may. Mail waits, and goes "
        "when the older ones are out of that time; ask SES for a higher quota.",
        "ses",
        fixes=(
            Fix("See the quota", _aws(said, about, "get-account --query SendQuota")),
        ),
    )


def _paused(said: Said, about: Circumstances) -> Remedy:
    on = "put-account-sending-attributes --sending-enabled"
    return Remedy(
        "Somebody paused sending: for the account, or for a configuration set. Mail "
        "waits, and goes when it is on again.",
        "ses",
        fixes=(
            Fix("See whether it is the account", _aws(said, about, "get-account")),
            Fix("Switch the account on", _aws(said, about, on)),
        ),
    )


def _suspended(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "AWS suspended sending, mostly for bounces or complaints. Answer the case that "
        "it opened in the AWS Support Center; mail waits meanwhile.",
        "ses",
        fixes=(Fix("See how it stands", _aws(said, about, "get-account")),),
    )


def _unreachable(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "SES could not be reached: DNS, a firewall, a proxy, or no route out of the "
        "network. Mail waits, and goes by itself.",
        "ses",
        fixes=(CHECK,),
    )


def _tls(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "The connection to SES is not trusted: something between opens TLS, or the "
        "certificates of this machine are old. AWS_CA_BUNDLE names others.",
        "ses",
        fixes=(CHECK,),
    )


def _no_answer(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "The connection broke after the mail was on its way: SES may have it. The "
        "relay tries again later, and says that it may be the second time.",
        "ses",
    )


def _service_failure(said: Said, about: Circumstances) -> Remedy:
    return Remedy("SES is in trouble itself. Mail waits, and goes by itself.", "ses")


def _unknown(said: Said, about: Circumstances) -> Remedy:
    return Remedy(
        "SES said something that the relay does not know. Its own words stand in the "
        "story; mail waits meanwhile.",
        "ses",
        fixes=(CHECK,),
    )


_REMEDIES: Mapping[str, Callable[[Said, Circumstances], Remedy]] = {
    "throttled": _throttled,
    "quota": _quota,
    "paused": _paused,
    "suspended": _suspended,
    "not_verified": _not_verified,
    "access_denied": _access_denied,
    "content": _content,
    "mail_from": _mail_from,
    "not_found": _not_found,
    "credentials": _credentials,
    "address": _address,
    "bad_request": _bad_request,
    "too_long": _too_long,
    "unreachable": _unreachable,
    "tls": _tls,
    "no_answer": _no_answer,
    "service_failure": _service_failure,
    "unknown": _unknown,
}
