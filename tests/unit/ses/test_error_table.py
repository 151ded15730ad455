"""The table of replies."""

from __future__ import annotations

from dataclasses import replace

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.model.mail import ListManagement, SendOptions
from relay.model.outcome import Deferred, Effect, Rejected, When
from relay.ses import error_table
from relay.ses.error_table import Named, cut, for_client, outcome_for
from tests.worst_input import is_linear, repeated

# code, status, SES' text, reply, when (None: rejected)
ROWS = [
    (
        "TooManyRequestsException",
        429,
        "Maximum sending rate exceeded.",
        "454 4.4.5 Throttling failure: Maximum sending rate exceeded",
        When.SOON,
    ),
    (
        "ThrottlingException",
        400,
        "Rate exceeded",
        "454 4.4.5 Throttling failure: Maximum sending rate exceeded",
        When.SOON,
    ),
    (
        "Throttling",
        400,
        "Daily message quota exceeded.",
        "454 4.3.2 Throttling failure: Daily message quota exceeded",
        When.SLOWLY,
    ),
    (
        "LimitExceededException",
        400,
        "x",
        "454 4.3.2 Throttling failure: Daily message quota exceeded",
        When.SLOWLY,
    ),
    ("SendingPausedException", 400, "x", "454 4.3.2 Sending paused", When.SLOWLY),
    (
        "MessageRejected",
        400,
        "Sending paused for this account.",
        "454 4.3.2 Sending paused",
        When.SLOWLY,
    ),
    (
        "AccountSuspendedException",
        400,
        "x",
        "554 5.7.1 Message rejected: sending suspended",
        When.SLOWLY,
    ),
    (
        "MessageRejected",
        400,
        "Email address is not verified. a@b.example",
        "554 5.7.1 Message rejected: Email address is not verified. a@b.example",
        When.SLOWLY,
    ),
    (
        "MessageRejected",
        400,
        "Bad\r\ncontent é",
        "554 5.6.0 Message rejected: Bad??content ?",
        None,
    ),
    (
        "MailFromDomainNotVerifiedException",
        400,
        "x",
        "554 5.1.8 MAIL FROM domain not verified",
        When.SLOWLY,
    ),
    (
        "NotFoundException",
        404,
        "Configuration set <x> does not exist.",
        "451 4.3.5 Relay configuration problem",
        When.SLOWLY,
    ),
    (
        "BadRequestException",
        400,
        "Missing final '@domain'",
        "553 5.1.3 Transaction failed: Missing final '@domain'",
        None,
    ),
    (
        "BadRequestException",
        400,
        "Duplicate header 'Subject'",
        "554 5.6.0 Transaction failed: Duplicate header 'Subject'",
        None,
    ),
    (
        "BadRequestException",
        400,
        "Message length is more than 41943040 bytes long: '50000000'.",
        "552 5.3.4 Message is too long",
        None,
    ),
    ("413", 413, "", "552 5.3.4 Message is too long", None),
    ("AccessDeniedException", 403, "x", "554 5.7.1 Access denied", When.SLOWLY),
    (
        "ExpiredTokenException",
        403,
        "x",
        "454 4.7.0 Temporary authentication failure",
        When.SOON,
    ),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is expired",
        "454 4.7.0 Temporary authentication failure",
        When.SOON,
    ),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is invalid.",
        "451 4.3.5 Relay credentials problem",
        When.SLOWLY,
    ),
    (
        "InvalidSignatureException",
        403,
        "Signature expired: 20260101T000000Z is now earlier than ...",
        "451 4.3.5 Relay credentials problem",
        When.SLOWLY,
    ),
    ("RequestExpired", 400, "x", "451 4.3.5 Relay credentials problem", When.SLOWLY),
    ("OptInRequired", 403, "x", "451 4.3.5 Relay credentials problem", When.SLOWLY),
    ("InternalFailure", 500, "x", "451 4.3.0 Temporary service failure", When.SOON),
    ("503", 503, "<html>", "451 4.3.0 Temporary service failure", When.SOON),
    (
        "NewException",
        400,
        "x",
        "451 4.3.0 SES answered with an unlisted error",
        When.SLOWLY,
    ),
    (
        "ConflictException",
        409,
        "x",
        "451 4.3.0 SES answered with an unlisted error",
        When.SLOWLY,
    ),
]


@pytest.mark.parametrize(("code", "status", "text", "reply", "when"), ROWS)
def test_each_row_has_its_reply_and_its_delay(
    code: str, status: int, text: str, reply: str, when: When | None
) -> None:
    outcome = outcome_for(code, status, text)
    found = outcome.when if isinstance(outcome, Deferred) else None
    assert (str(outcome.reply), found) == (reply, when)


def test_every_error_that_botocore_models_has_a_row() -> None:
    service = botocore.session.get_session().get_service_model("sesv2")
    shapes = service.operation_model("SendEmail").error_shapes
    assert shapes
    assert {shape.name for shape in shapes} <= error_table.OUTCOMES.keys()


def test_only_what_is_certainly_not_sent_and_soon_over_is_tried_again() -> None:
    values = [
        value
        for value in vars(error_table).values()
        if isinstance(value, Deferred) and value.again
    ]
    assert values == [error_table.THROTTLED, error_table.UNREACHABLE]
    assert not any(value.maybe_sent for value in values)


@pytest.mark.parametrize(
    "text",
    [
        "Missing final '@domain'",
        "Invalid email address <x>.",
        "Local address contains control or whitespace",
        "Domain contains control or whitespace",
        "Domain starts with dot",
        "Extra route-addr",
        "Missing local name",
    ],
)
def test_address_errors_of_ses_are_553(text: str) -> None:
    assert str(outcome_for("BadRequestException", 400, text).reply).startswith(
        "553 5.1.3 "
    )


@pytest.mark.parametrize(
    ("options", "configuration_set", "text", "code"),
    [
        (SendOptions(), "news", "Configuration set <news> does not exist", 451),
        (SendOptions(), "", "Configuration set <old> does not exist", 451),
        (SendOptions(configuration_set="mine"), "news", "not found", 554),
        (SendOptions(tenant="t"), "", "Tenant t not found", 554),
        (SendOptions(list_management=ListManagement("l")), "", "List l", 554),
        # Both named something: the text decides, and in doubt the mail waits.
        (SendOptions(tenant="t"), "news", "Tenant <t> not found", 554),
        (SendOptions(tenant="t"), "news", "Set <news> not found", 451),
        (SendOptions(tenant="t"), "news", "not found", 451),
        (SendOptions(tenant="new"), "news", "Set <news> not found", 451),
    ],
)
def test_what_is_not_found_is_the_fault_of_who_named_it(
    options: SendOptions, configuration_set: str, text: str, code: int
) -> None:
    named = Named.of(options, configuration_set=configuration_set, tenant="")
    outcome = outcome_for("NotFoundException", 404, text, named=named)
    assert outcome.reply.code == code
    assert isinstance(outcome, Rejected) == (code == 554)


@pytest.mark.parametrize(
    ("options", "effect"),
    [
        (SendOptions(), Effect.PAUSE),
        (SendOptions(configuration_set="mine"), Effect.NONE),
        (SendOptions(tenant="mine"), Effect.NONE),
        (SendOptions(list_management=ListManagement("l")), Effect.PAUSE),
    ],
)
def test_a_pause_of_what_a_client_named_pauses_nothing_else(
    options: SendOptions, effect: Effect
) -> None:
    named = Named.of(options, configuration_set="", tenant="")
    outcome = outcome_for("SendingPausedException", 400, "", named=named)
    assert isinstance(outcome, Deferred)
    assert outcome.effect is effect


def test_access_denied_names_permission_and_policy_in_the_log_alone() -> None:
    text = (
        "User `arn:aws:sts::111122223333:assumed-role/r/s' is not authorized to "
        "perform `ses:SendRawEmail' on resource "
        "`arn:aws:ses:eu-west-1:111122223333:identity/a.example'"
    )
    outcome = outcome_for("AccessDeniedException", 403, text)
    assert outcome.reply.text == "Access denied"
    assert outcome.detail == (
        f"403 AccessDeniedException: {text} (missing permission ses:SendRawEmail; "
        'this grants it: {"Effect": "Allow", "Action": ["ses:SendRawEmail"], '
        '"Resource": "arn:aws:ses:eu-west-1:111122223333:identity/a.example"})'
    )


def test_clients_see_neither_arns_nor_account_numbers() -> None:
    text = "set arn:aws-cn:ses:cn-north-1:111122223333:identity/a, of 111122223333!"
    assert for_client(text) == "set [ARN], of [account]!"


def test_the_log_has_the_text_whole_and_the_client_400_characters() -> None:
    outcome = outcome_for("MessageRejected", 400, "x" * 1000)
    assert outcome.reply.text == "Message rejected: " + "x" * 400
    assert outcome.detail == "400 MessageRejected: " + "x" * 1000


@given(st.text(), st.integers(0, 999), st.text())
def test_any_answer_makes_an_outcome_with_a_legal_reply(
    code: str, status: int, text: str
) -> None:
    for known in (code, *error_table.OUTCOMES):
        outcome = outcome_for(known, status, text)
        assert outcome.reply.code // 100 in (4, 5)
        assert len(outcome.reply.text) < 450


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sending paused for this account. For more information", error_table.PAUSED),
        ("Sending is paused for this account", error_table.PAUSED),
        ("Message rejected: Sending paused for this account", error_table.PAUSED),
        ("Sending suspended for this account. For more", error_table.SUSPENDED),
        ("Your account is suspended", error_table.SUSPENDED),
        ("Account's email sending has been shut down", error_table.SUSPENDED),
        ("Daily message quota exceeded.", error_table.QUOTA),
        ("Maximum sending rate exceeded.", error_table.THROTTLED),
    ],
)
def test_what_is_the_accounts_is_never_the_mails_fault(
    code: str, text: str, expected: Deferred
) -> None:
    outcome = outcome_for(code, 400, text)
    assert outcome == replace(expected, detail=f"400 {code}: {text}")
    assert isinstance(outcome, Deferred)
    assert outcome.effect is not Effect.NONE


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException"])
@pytest.mark.parametrize(
    "text",
    [
        "Duplicate header 'Sending suspended for this account'",
        "Invalid header: Sending paused for this account",
        "Restricted file type .exe",
        "Blocked attachment",
    ],
)
def test_a_mail_whose_words_ses_quotes_pauses_nothing(code: str, text: str) -> None:
    assert isinstance(outcome_for(code, 400, text), Rejected)


def test_a_suspended_tenant_of_a_client_pauses_nobody_else() -> None:
    own = Named(client=("shop",), scope=True)
    texts = ("Sending suspended for tenant shop", "Sending suspended for this account")
    effects = [
        outcome.effect
        for text in texts
        for outcome in [outcome_for("MessageRejected", 400, text, named=own)]
        if isinstance(outcome, Deferred)
    ]
    assert effects == [Effect.NONE, Effect.PAUSE]


def test_a_rules_set_is_the_operators_word_and_pauses_nobody_else() -> None:
    options = SendOptions(rules_set="news")
    named = Named.of(options, configuration_set="all", tenant="")
    assert named == Named(settings=("news",), scope=True)
    text = "Configuration set <news> does not exist"
    outcome = outcome_for("NotFoundException", 404, text, named=named)
    assert outcome == replace(error_table.NOT_FOUND, detail=outcome.detail)
    code = "SendingPausedException"
    paused = outcome_for(code, 400, "Configuration set is paused", named=named)
    assert paused == replace(
        error_table.PAUSED,
        effect=Effect.NONE,
        elsewhere=False,
        detail=paused.detail,
    )
    client = options._replace(configuration_set="mine")
    named = Named.of(client, configuration_set="all", tenant="")
    assert named == Named(client=("mine",), scope=True)


def test_a_mail_from_domain_that_is_not_verified_waits_under_either_code() -> None:
    text = "MAIL FROM domain not verified: DNS setup is invalid."
    outcome = outcome_for("MessageRejected", 400, text)
    assert outcome.reply == error_table.MAIL_FROM.reply


@pytest.mark.parametrize("letter", ["a", "é", "\N{GRINNING FACE}"])
def test_of_ses_text_2_kb_are_kept(letter: str) -> None:
    outcome = outcome_for("C" * 10_000, 400, letter * 100_000)
    assert 1_900 < len(outcome.detail.encode()) < 2_300
    assert cut(letter * 3) == letter * 3


@pytest.mark.parametrize("code", ["MessageRejected", "BadRequestException", "NotFound"])
@pytest.mark.parametrize(
    "piece",
    [
        *("arn:", "arn:a", "arn:aws", "1", "123456789012 ", "ses:A", "resource "),
        *("resource arn:", "sending ", "account ", "your account's ", "missing "),
        *("illegal ", " ", "é", "shop ", "shop-", "message rejected: "),
    ],
)
def test_reading_ses_text_takes_time_in_proportion(code: str, piece: str) -> None:
    both = Named(client=("shop", "list"), settings=("set",))

    def read(text: str) -> None:
        outcome_for(code, 400, text, named=both)
        outcome_for("AccessDeniedException", 403, text)
        for_client(text)

    assert is_linear(read, lambda size: piece * (size // len(piece)))


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "arn:",
        "arn:a-",
        "resource ",
        "resource",
        "1",
        "ses:",
        "domain ",
        "illegal ",
    ],
)
def test_twice_of_ses_text_takes_twice_the_time(piece: str) -> None:
    def read(text: str) -> None:
        for code in ("MessageRejected", "BadRequestException", "AccessDeniedException"):
            outcome_for(code, 400, text)

    assert is_linear(read, repeated(piece))


def test_a_long_text_of_ses_is_cut_and_says_no_account() -> None:
    text = f"{'x ' * 150}arn:aws:ses:eu-west-1:123456789012:identity/{'y' * 9000}"
    shown = for_client(text)
    assert shown == "x " * 150 + "[ARN]"
    assert len(for_client("z" * 250_000)) == 400
