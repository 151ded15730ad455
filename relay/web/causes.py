"""Why mail waits or failed, in words: what it is called, and what cures it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from relay.model.cause import UNKNOWN, reply_class
from relay.model.mail import DEFAULT, Priority
from relay.observe.stats import Alarm
from relay.queue.groups import Group

# By account and sender, as the counts keep them.
Alarms = Mapping[tuple[str, str], Alarm]


class Words(NamedTuple):
    """What a cause is called, and what to do; "" where nothing is to be done."""

    title: str
    cure: str = ""


_BY_ITSELF = "The relay tries again by itself."

WORDS: Mapping[str, Words] = {
    "access_denied": Words(
        "Access denied",
        "The role or user that the relay runs as lacks a permission. Attach this "
        "policy to it; waiting mail then goes at its next try.",
    ),
    "not_verified": Words(
        "Identity not verified",
        "Verify the address or domain below in SES, in the region of this account. "
        "In SES' sandbox recipients have to be verified, too.",
    ),
    "mail_from": Words(
        "MAIL FROM domain not verified",
        "In SES, look at the custom MAIL FROM domain of the identity: its MX and SPF "
        "records are missing, or not seen yet.",
    ),
    "throttled": Words(
        "Sending rate exceeded",
        "Nothing has to be done: the relay sends more slowly, and this goes with it. "
        "A higher rate is asked for in the Service Quotas of AWS.",
    ),
    "quota": Words(
        "Daily quota used up",
        "SES takes more once the recipients of the last 24 hours are fewer. A higher "
        "quota is asked for in the Service Quotas of AWS.",
    ),
    "paused": Words(
        "Sending is paused in SES",
        "Somebody, or an alarm, paused the account or its configuration set. Resume "
        "it in SES; the relay looks by itself whether it is over.",
    ),
    "suspended": Words(
        "SES suspended sending",
        "Read the mail that AWS sent to the account's owner, and answer it. The relay "
        "looks by itself whether it is over.",
    ),
    "credentials": Words(
        "SES refuses the relay's credentials",
        "Keys that are wrong or ran out, or a clock that is off. relay check --online "
        "says which credentials are in use.",
    ),
    "not_found": Words(
        "SES does not know what is named",
        "A configuration set, tenant or contact list that the settings or a header "
        "name is not in this region. The log has its name.",
    ),
    "no_account": Words(
        "The settings have no such account",
        "Put the account back into [[accounts]], or drop its mail.",
    ),
    "unreachable": Words(
        "SES cannot be reached",
        f"{_BY_ITSELF} Where it lasts, look at network, DNS, proxy and firewall.",
    ),
    "tls": Words(
        "TLS with SES failed",
        "Look at the machine's clock and certificates, and at what inspects TLS on "
        "the way.",
    ),
    "no_answer": Words(
        "No answer from SES",
        "It may have been sent already; a further try may send it twice.",
    ),
    "service_failure": Words("SES is in trouble", _BY_ITSELF),
    "content": Words(
        "SES refused the content", "The same mail would be refused again."
    ),
    "bad_request": Words(
        "SES refused the mail", "The same mail would be refused again."
    ),
    "address": Words("SES refused an address", "The same mail would be refused again."),
    "suppressed": Words(
        "The recipient gets no mail",
        "Mail to it bounced, or was complained about. relay suppression list says why "
        "and since when; remove it there before these are retried.",
    ),
    "too_long": Words("Too large for SES", "The same mail would be refused again."),
    "expired": Words(
        "Its time was over",
        "It was tried until queue.giveUpAfter or its validFor ended. Retried, its "
        "time begins anew.",
    ),
    "unreadable": Words(
        "This release cannot read it",
        "Another release wrote it, or the disk is damaged.",
    ),
    "later": Words(
        "To be sent later", "It goes at the time that its client asked for."
    ),
    "new": Words("Not tried yet", "It goes when it is its turn."),
    UNKNOWN: Words(
        "An unlisted error",
        "The log has SES' own words.",
    ),
}
_ALL_SENDING = {
    "Effect": "Allow",
    "Action": ["ses:SendRawEmail"],
    "Resource": "*",
}
_GRANTS = "this grants it: "


def as_json(
    group: Group, unix: Callable[[float], float], alarms: Alarms
) -> dict[str, Any]:
    """The object of one group."""
    words = WORDS[group.cause]
    detail = _detail(group, alarms)
    return {
        "state": group.state,
        "account": group.account or DEFAULT,
        "cause": group.cause,
        "title": words.title,
        "cure": words.cure,
        "policy": _policy(detail) if group.cause == "access_denied" else "",
        "detail": detail,
        "mails": group.count,
        "ages": list(group.ages),
        "priorities": {one.name.lower(): group.priorities[one] for one in Priority},
        "maybeSent": group.maybe_sent,
        "dueNow": group.due_now,
        "oldest": round(unix(group.began), 3),
        "due": None if group.due is None else round(unix(group.due), 3),
        "said": group.said or "",
        "alike": group.alike,
    }


def _detail(group: Group, alarms: Alarms) -> str:
    """What SES said whole, where the latest alarm of the account is of this cause."""
    for (account, _), alarm in reversed(list(alarms.items())):
        if account != group.account:
            continue
        if reply_class(alarm.outcome.reply) == group.cause:
            return alarm.outcome.detail
    return ""


def _policy(detail: str) -> str:
    """The policy that grants what was denied; of what nobody said, all sending."""
    _, _, text = detail.partition(_GRANTS)
    try:
        statement, _ = json.JSONDecoder().raw_decode(text)
    except ValueError:
        statement = _ALL_SENDING
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2)
