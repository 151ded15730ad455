"""What SES said, or what went wrong on the way to it, as an outcome.

The table of replies is here and nowhere else. Doubtful cases wait, because a wait
ends and a lost mail does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from relay.model.mail import SendOptions
from relay.model.outcome import Deferred, Effect, Rejected, When
from relay.model.reply import Reply, printable
from relay.ses import refused_keys

MAX_TEXT = 400  # characters of SES' own text in a reply
MOST_BYTES = 2_000  # of it anywhere: in the log, the spool, on the page
_MOST_OF_CODE = 200

THROTTLED = Deferred(
    Reply(454, "4.5", "Throttling failure: Maximum sending rate exceeded"),
    When.SOON,
    effect=Effect.SLOWER,
    again=True,
)
QUOTA = Deferred(
    Reply(454, "3.2", "Throttling failure: Daily message quota exceeded"),
    When.SLOWLY,
    effect=Effect.PAUSE,
    elsewhere=True,
)
PAUSED = Deferred(
    Reply(454, "3.2", "Sending paused"),
    When.SLOWLY,
    effect=Effect.PAUSE,
    elsewhere=True,
    alarm=True,
)
SUSPENDED = Deferred(
    Reply(554, "7.1", "Message rejected: sending suspended"),
    When.SLOWLY,
    effect=Effect.PAUSE,
    elsewhere=True,
    alarm=True,
)
UNVERIFIED = Deferred(
    Reply(554, "7.1", "Message rejected"), When.SLOWLY, tell=True, alarm=True
)
CONTENT = Rejected(Reply(554, "6.0", "Message rejected"))
MAIL_FROM = Deferred(
    Reply(554, "1.8", "MAIL FROM domain not verified"), When.SLOWLY, alarm=True
)
NOT_FOUND = Deferred(
    Reply(451, "3.5", "Relay configuration problem"), When.SLOWLY, alarm=True
)
NOT_FOUND_FOR_CLIENT = Rejected(
    Reply(554, "3.5", "SES does not know what an X-SES header of this mail names")
)
ADDRESS = Rejected(Reply(553, "1.3", "Transaction failed"))
BAD = Rejected(Reply(554, "6.0", "Transaction failed"))
TOO_LONG = Rejected(Reply(552, "3.4", "Message is too long"))
DENIED = Deferred(Reply(554, "7.1", "Access denied"), When.SLOWLY, alarm=True)
EXPIRED = Deferred(
    Reply(454, "7.0", "Temporary authentication failure"), When.SOON, at_once=True
)
NO_CREDENTIALS = replace(EXPIRED, alarm=True, silent=True)
KEYS = Deferred(Reply(451, "3.5", "Relay credentials problem"), When.SLOWLY, alarm=True)
UNREACHABLE = Deferred(
    Reply(451, "4.1", "SES cannot be reached"),
    When.SOON,
    again=True,
    silent=True,
    elsewhere=True,
)
NO_TLS = Deferred(
    Reply(454, "7.5", "TLS with SES failed"),
    When.SOON,
    alarm=True,
    silent=True,
    elsewhere=True,
)
LOST = Deferred(
    Reply(451, "4.2", "No answer from SES; the mail may have been sent"),
    When.UNSEEN,
    maybe_sent=True,
    silent=True,
)
TROUBLE = Deferred(
    Reply(451, "3.0", "Temporary service failure"), When.SOON, maybe_sent=True
)
UNKNOWN = Deferred(
    Reply(451, "3.0", "SES answered with an unlisted error"), When.SLOWLY, alarm=True
)

_CURES: Mapping[Reply, str] = {
    UNVERIFIED.reply: (
        "verify it in SES' console, Identities, in this account and region; in the "
        "sandbox each recipient too"
    ),
    NOT_FOUND.reply: (
        "the settings name it: make it in this account and region, or name another"
    ),
}

# Error code -> outcome. `outcome_for` looks at SES' text where one code stands for
# several rows.
OUTCOMES: Mapping[str, Deferred | Rejected] = {
    "TooManyRequestsException": THROTTLED,
    "TooManyRequests": THROTTLED,
    "Throttling": THROTTLED,
    "ThrottlingException": THROTTLED,
    "ThrottledException": THROTTLED,
    "RequestThrottled": THROTTLED,
    "RequestThrottledException": THROTTLED,
    "LimitExceededException": QUOTA,
    "LimitExceeded": QUOTA,
    "SendingPausedException": PAUSED,
    "AccountSendingPausedException": PAUSED,
    "ConfigurationSetSendingPausedException": PAUSED,
    "AccountSuspendedException": SUSPENDED,
    "MessageRejected": CONTENT,
    "MailFromDomainNotVerifiedException": MAIL_FROM,
    "NotFoundException": NOT_FOUND,
    # As SES' older interface calls it.
    "ConfigurationSetDoesNotExist": NOT_FOUND,
    "ConfigurationSetDoesNotExistException": NOT_FOUND,
    "BadRequestException": BAD,
    "InvalidParameterValue": BAD,
    "RequestEntityTooLargeException": TOO_LONG,
    "RequestEntityTooLarge": TOO_LONG,
    "AccessDeniedException": DENIED,
    "AccessDenied": DENIED,
    "ExpiredTokenException": EXPIRED,
    "ExpiredToken": EXPIRED,
    "UnrecognizedClientException": KEYS,
    "InvalidClientTokenId": KEYS,
    "InvalidAccessKeyId": KEYS,
    "InvalidSignatureException": KEYS,
    "SignatureDoesNotMatch": KEYS,
    "IncompleteSignature": KEYS,
    "IncompleteSignatureException": KEYS,
    "MissingAuthenticationToken": KEYS,
    "MissingAuthenticationTokenException": KEYS,
    "OptInRequired": KEYS,
    # The clock is off by more than 5 minutes; a token that is too old has its own.
    "RequestExpired": KEYS,
    "RequestTimeTooSkewed": KEYS,
    "RequestTimeoutException": LOST,
    "RequestTimeout": LOST,
}
BY_STATUS: Mapping[int, Deferred | Rejected] = {408: LOST, 429: THROTTLED}

# What SES says about addresses is what JavaMail's parser says.
_ABOUT_ADDRESS = re.compile(
    r"invalid email address|(local address|domain) (contains|starts|ends)"
    r"|missing (final '@domain'|local name|domain|route-addr)"
    r"|(extra|illegal|unexpected end of) route-addr|empty address"
    r"|illegal (address|whitespace in address|semicolon)",
    re.IGNORECASE,
)
# What SES says about the account stands at the beginning, where no words of the mail
# can: those are quoted later, and a mail must not be able to pause all others.
_STATE = re.compile(
    r"(?:message rejected: ?)?(?:(?:your|this|the) )?(?:aws )?"
    r"(?:(?:account(?:'s)? )?(?:e?-?mail )?sending(?: privileges| ability)?|account)"
    r"(?: is| are| was| has been| have been)?(?: currently| temporarily| permanently)?"
    r" (?P<state>paused|disabled|suspended|shut ?down|restricted|revoked|blocked)\b",
    re.IGNORECASE,
)
_QUOTA = re.compile(
    r"(?:message rejected: ?)?(?:your |the )?(?:daily (?:message|sending) quota|"
    r"maximum 24.hour send)",
    re.IGNORECASE,
)
_PACE = re.compile(
    r"(?:message rejected: ?)?(?:your |the )?maximum send(?:ing)? rate", re.IGNORECASE
)
_PAUSES = ("paused", "disabled")
_ARN = re.compile(r"\barn:[a-z][a-z-]*+:[^\s'\"`,;<>()\[\]]*+", re.IGNORECASE)
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_ACTION = re.compile(r"\bses:[A-Za-z]+\b")
_RESOURCE = re.compile(r"\bresource\b[^a-z]*+(arn:[^\s'\"`,;<>()]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """Who named what SES may not find.

    `scope`: the mail's own client or rule named the configuration set or the tenant, so
    that a pause is theirs alone.
    """

    client: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    scope: bool = False

    @classmethod
    def of(cls, options: SendOptions, *, configuration_set: str, tenant: str) -> Named:
        """Tell what a call names by its mail's options, and what by the settings."""
        chosen = options.list_management
        client = (
            options.configuration_set,
            options.tenant,
            *((chosen.contact_list, chosen.topic) if chosen else ()),
        )
        settings = (
            "" if options.configuration_set else options.rules_set or configuration_set,
            "" if options.tenant else tenant,
        )
        return cls(
            tuple(filter(None, client)),
            tuple(filter(None, settings)),
            scope=bool(
                options.configuration_set or options.tenant or options.rules_set
            ),
        )


NOTHING_NAMED = Named()


def outcome_for(
    code: str, status: int, text: str, *, named: Named = NOTHING_NAMED
) -> Deferred | Rejected:
    """Find what SES' error `code` with HTTP `status` and its `text` come to."""
    outcome = OUTCOMES.get(code) or BY_STATUS.get(status)
    if outcome is None:
        outcome = TROUBLE if status >= 500 else UNKNOWN
    if status == 413:
        outcome = TOO_LONG
    code, text = code[:_MOST_OF_CODE], cut(text)
    said = text.lower()
    if outcome is THROTTLED and "daily message quota exceeded" in said:
        outcome = QUOTA
    elif outcome in (CONTENT, BAD) and (state := _of_account(text)):
        outcome = state
    elif outcome is CONTENT and said.startswith("mail from domain"):
        outcome = MAIL_FROM
    elif outcome is CONTENT and "not verified" in said:
        outcome = UNVERIFIED
    elif outcome in (CONTENT, BAD) and "message length is more than" in said:
        outcome = TOO_LONG
    elif outcome is BAD and _ABOUT_ADDRESS.search(text):
        outcome = ADDRESS
    elif outcome is KEYS and "security token" in said and "expired" in said:
        outcome = EXPIRED
    elif outcome is NOT_FOUND and _clients_fault(text, named):
        outcome = NOT_FOUND_FOR_CLIENT
    detail = f"{status} {code}: {text}"
    if cure := _cure(outcome, code, text):
        detail = f"{detail} ({cure})"
    if named.scope and (
        outcome is PAUSED or (outcome is SUSPENDED and _spares_account(code, said))
    ):
        outcome = replace(outcome, effect=Effect.NONE, elsewhere=False)
    if outcome in (UNVERIFIED, CONTENT, ADDRESS, BAD):
        outcome = _with_text(outcome, text)
    return replace(outcome, detail=detail)


def cut(text: str) -> str:
    """Cut a text that came from outside to what is kept of it anywhere."""
    if len(text) * 4 <= MOST_BYTES:
        return text
    return text[:MOST_BYTES].encode()[:MOST_BYTES].decode(errors="ignore")


def for_client(text: str) -> str:
    """Cut SES' text down to what a client may read: no ARNs, no account numbers."""
    redacted = _ACCOUNT.sub("[account]", _ARN.sub("[ARN]", cut(text).strip()))
    return printable(redacted)[:MAX_TEXT]


def _of_account(text: str) -> Deferred | None:
    """Tell what a refusal of the mail says that is no fault of the mail."""
    if found := _STATE.match(text):
        return PAUSED if found["state"].lower() in _PAUSES else SUSPENDED
    if _QUOTA.match(text):
        return QUOTA
    return THROTTLED if _PACE.match(text) else None


def _spares_account(code: str, said: str) -> bool:
    """A configuration set or tenant is suspended, which this mail alone named."""
    return code != "AccountSuspendedException" and "account" not in said


def _with_text(outcome: Deferred | Rejected, text: str) -> Deferred | Rejected:
    shown = for_client(text)
    if not shown:
        return outcome
    reply = replace(outcome.reply, text=f"{outcome.reply.text}: {shown}")
    return replace(outcome, reply=reply)


def _clients_fault(text: str, named: Named) -> bool:
    if not named.client:
        return False
    if not named.settings:
        return True
    # Both named something: only SES' text can tell. In doubt the mail waits.
    return _mentions(text, named.client) and not _mentions(text, named.settings)


def _mentions(text: str, names: tuple[str, ...]) -> bool:
    return any(
        re.search(rf"(?<![A-Za-z0-9_-]){re.escape(name)}(?![A-Za-z0-9_-])", text)
        for name in names
    )


def _cure(outcome: Deferred | Rejected, code: str, text: str) -> str:
    """What an operator does about it, where SES' own words do not say so."""
    if outcome is DENIED:
        return _grant(text)
    if outcome in (KEYS, EXPIRED):
        return refused_keys.cure(code, text)
    return _CURES.get(outcome.reply, "")


def _grant(text: str) -> str:
    """Name the permission that is missing, and a policy statement that grants it."""
    found = _ACTION.search(text)
    # The v2 call with raw content is authorised as SES' older SendRawEmail.
    action = found[0] if found else "ses:SendRawEmail"
    resource = _RESOURCE.search(text)
    statement = {
        "Effect": "Allow",
        "Action": list(dict.fromkeys([action, "ses:SendRawEmail"])),
        "Resource": resource[1] if resource else "*",
    }
    return f"missing permission {action}; this grants it: {json.dumps(statement)}"
