"""Each refusal says what is wrong, where it is, and what to copy."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest

from relay.app.asked import asked
from relay.model import replies
from relay.model.mail import Choice, Mail
from relay.model.outcome import Deferred, Outcome, Rejected
from relay.model.reply import FaultKind, Refused, Reply
from relay.model.submission import Envelope, MailId, Order, Submission
from relay.observe.events import Answered, Attempted, NotTaken
from relay.observe.journal import Journal
from relay.observe.stats import answer_class
from relay.ses.error_table import (
    BY_STATUS,
    NO_CREDENTIALS,
    NO_TLS,
    OUTCOMES,
    TROUBLE,
    UNKNOWN,
    UNREACHABLE,
    Named,
    outcome_for,
)
from relay.smtp import replies as smtp_replies
from relay.templates.catalog import Templates
from relay.templates.source import Source
from relay.web.remedy import Circumstances
from relay.web.why import REMEDIES, why

ABOUT = Circumstances(
    usage_header="X-Relay-Usage",
    templates=Templates(
        [Source("SignIn", "Your code is {{code}}", "<p>{{code}}</p>", place="here")],
        email_address="noreply@acme.example",
    ),
    region="eu-west-1",
    guard="only *@acme.example get mail; mail to others is refused",
)
ENVELOPE = Envelope("app@acme.example", ("ann@example.com",))

# What the functions of `replies` are given.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "bad_header": ("X-Relay-Send-At", "no time"),
    "no_usage": ("X-Relay-Usage",),
    "no_template": ("Signin", ["SignIn"]),
    "not_found": ("shop: reset mails",),
    "not_given": (["code"],),
    "not_a_text": ("user", "an object"),
    "not_read": ("when", "date"),
    "not_a_link": ("link", ["https"]),
    "no_address": ("sendFrom",),
    "no_link": ("unsubscribe",),
    "too_many": ("SignIn",),
    "dropped": ("k3v9",),
    "expired": (None,),
    "no_account": ("brand-b",),
    "unreadable": ("options",),
    "suppressed": ("2026-01-31", "hard bounce"),
}
NO_REFUSAL = {"ok", "queued", "due"}


def own_replies() -> Iterator[tuple[str, Reply]]:
    """All that `replies` can say of a mail that is not taken."""
    for name, found in vars(replies).items():
        if isinstance(found, Reply):
            yield name, found
        elif (
            inspect.isfunction(found)
            and found.__module__ == replies.__name__
            and not name.startswith("_")
            and name not in NO_REFUSAL
        ):
            made = found(*ARGUMENTS[name])
            yield name, made.reply if isinstance(made, Refused) else made


# Those of a session that are about a mail.
BEFORE = {
    name: reply
    for name, reply in vars(smtp_replies).items()
    if isinstance(reply, Reply) and reply.fault and not hasattr(replies, name)
}
OWN = {**dict(own_replies()), **BEFORE}


def submitted(content: str = "", order: Order | None = None) -> Submission:
    return Submission(
        MailId("k3v9"),
        ENVELOPE,
        content.replace("\n", "\r\n").encode(),
        listener="http" if order else "local",
        order=order,
    )


def refused(
    reply: Reply,
    content: str = "",
    *,
    order: Order | None = None,
    about: Circumstances = ABOUT,
) -> dict[str, Any]:
    """What the story says of why, with the headers of the mail under `headers`."""

    def asked_of(submission: Submission) -> Any:  # noqa: ANN401
        return asked(submission, "X-Relay-Usage", captures=True)

    journal = Journal(subject=lambda _: "", asked=asked_of)
    submission = submitted(content, order)
    taken = NotTaken(
        submission, reply, 0.01, why="dropped" if reply.code == 250 else "refused"
    )
    journal(taken)
    entry = journal.get("k3v9")
    assert entry is not None
    found = why(entry, about)
    assert found is not None
    return {**found, "headers": [name for name, _ in entry.headers]}


@pytest.mark.parametrize("name", OWN)
def test_each_refusal_of_the_relays_own_has_its_reason(name: str) -> None:
    reply = OWN[name]
    assert reply.fault is not None
    found = refused(reply, "Subject: Hello\n\nhello\n")
    assert found["by"] == "relay"
    assert found["what"].endswith((".", "?"))
    assert found["what"][0].isupper()
    for said in (*reply.fault.names, *(fix["text"] for fix in found["fixes"])):
        assert (said.strip() and said.isprintable()) or "\n" in said
    # Whoever is at fault can do something, or is told that there is nothing to do.
    assert found["fixes"] or any(
        word in found["what"]
        for word in ("again", "Look", "report", "less", "newest", "without")
    )


def test_every_kind_of_fault_has_a_remedy_and_a_reply() -> None:
    assert set(REMEDIES) == set(get_args(FaultKind))
    used = {reply.fault.kind for reply in OWN.values() if reply.fault}
    assert used == set(get_args(FaultKind))


CONTENT = """From: app@acme.example
X-Relay-Usage: SignIn
X-Relay-Variables: {"other": "314159"}
Subject: Hello

hello
"""


def fixed(found: dict[str, Any]) -> str:
    return str(found["fixes"][0]["text"])


@pytest.mark.parametrize(
    ("refusal", "content", "wrong", "lacks", "fix"),
    [
        (
            replies.not_given(["code"]),
            CONTENT,
            ["X-Relay-Variables"],
            "",
            'X-Relay-Variables: {"other": "314159", "code": "123456"}',
        ),
        (
            replies.not_given(["code"]),
            "X-Relay-Usage: SignIn\n\n",
            [],
            "X-Relay-Variables",
            'X-Relay-Variables: {"code": "123456"}',
        ),
        (
            replies.no_usage("X-Relay-Usage"),
            "Subject: Hello\n\n",
            [],
            "X-Relay-Usage",
            "X-Relay-Usage: SignIn",
        ),
        (
            replies.no_template("Signin", ["SignIn"]),
            "X-Relay-Usage: Signin\n\n",
            ["X-Relay-Usage"],
            "",
            "X-Relay-Usage: SignIn",
        ),
        (
            replies.bad_header("X-Relay-Usage", "given more than once"),
            "X-Relay-Usage: SignIn\nTo: ann@example.com\nx-relay-usage: Other\n\n",
            ["X-Relay-Usage", "x-relay-usage"],
            "",
            "X-Relay-Usage: SignIn",
        ),
        (
            replies.bad_header("X-Relay-Variable-Code", "a name has letters"),
            "X-Relay-Variable-code=1: 2\nX-Relay-Variable-codes: 1\n\n",
            ["X-Relay-Variable-code=1"],
            "",
            "X-Relay-Variable-Code: 123456",
        ),
        (
            replies.not_a_text("first_name", "an object"),
            "X-Relay-Variable-first-name: Ann\n\n",
            ["X-Relay-Variable-first-name"],
            "",
            'X-Relay-Variables: {"first_name": "..."}',
        ),
        (
            Refused(replies.LOOP),
            "Received: a\nReceived: b\n\n",
            ["Received"] * 2,
            "",
            "",
        ),
        (
            Refused(replies.NO_FROM),
            "To: ann@example.com\n\n",
            [],
            "From",
            "From: Acme <noreply@acme.example>",
        ),
        (
            Refused(replies.GUARDED),
            "To: ann@example.com\n\n",
            ["To"],
            "",
            '[guard]\nrecipients = ["ann@example.com"]  # beside those there',
        ),
    ],
)
def test_the_wrong_header_is_marked_and_the_right_one_is_there_to_copy(
    refusal: Refused, content: str, wrong: list[str], lacks: str, fix: str
) -> None:
    reply = refusal.reply
    found = refused(reply, content)
    assert [found["headers"][place] for place in found["wrong"]] == wrong
    assert found["lacks"] == lacks
    assert fix == "" or fixed(found) == fix


def test_a_usage_whose_templates_are_all_for_other_locales_is_told_one() -> None:
    french = Source("SignIn", "Code", "<p>{{code}}</p>", locale="fr", place="here")
    about = replace(ABOUT, templates=Templates([french]))
    reply = replies.no_template("SignIn", ["SignIn"]).reply
    found = refused(reply, "X-Relay-Usage: SignIn\n\n", about=about)
    assert found["what"].startswith("The templates of SignIn are for fr alone")
    assert (fixed(found), found["lacks"]) == ("X-Relay-Locale: fr", "X-Relay-Locale")


def test_broken_json_is_marked_where_it_breaks() -> None:
    from relay.intake.control_field import json_object

    with pytest.raises(Refused) as caught:
        json_object('{"code": 12x}', "X-Relay-Variables")
    found = refused(caught.value.reply, 'X-Relay-Variables: {"code": 12x}\n\n')
    assert (found["at"], '{"code": 12x}'[found["at"] - 1]) == (12, "x")
    assert fixed(found) == 'X-Relay-Variables: {"code": "123456"}'


def test_a_refused_request_by_http_is_told_its_body() -> None:
    order = Order("SignIn", {"other": "314159"})
    found = refused(replies.not_given(["code"]).reply, order=order)
    assert json.loads(fixed(found)) == {
        "to": "ann@example.com",
        "type": "SignIn",
        "payload": {"code": "123456"},
    }
    assert (found["wrong"], found["lacks"]) == ([], "")


SECRET = """X-Relay-Usage: SignIn
 X-Relay-Variable-code: 314159
X-Relay-Variables: {"code": "314159"}
X-Relay-Variable-code 314159
X-Relay-Variable-x=314159: y
X-SMTPAPI: {"sub": {"code": ["314159"]}}
Subject: Your code is 314159

314159
"""


@pytest.mark.parametrize("name", OWN)
def test_where_mail_is_sent_no_value_of_it_is_said(name: str) -> None:
    def asked_of(submission: Submission) -> Any:  # noqa: ANN401
        return asked(submission, "X-Relay-Usage", captures=False)

    journal = Journal(subject=lambda _: "", asked=asked_of)
    journal(NotTaken(submitted(SECRET), OWN[name], 0.01))
    entry = journal.get("k3v9")
    assert entry is not None
    assert "314159" not in json.dumps([why(entry, ABOUT), entry.headers, entry.usage])
    assert entry.usage == "SignIn"
    assert ("X-Relay-Usage", "SignIn") in entry.headers
    assert ("Subject", "") in entry.headers


def test_the_wrong_header_is_there_however_many_stand_above_it() -> None:
    many = "".join(f"X-Filler-{number}: x\n" for number in range(80))
    content = f"{many}X-Relay-Send-At: soon\n\n"
    reply = replies.bad_header("X-Relay-Send-At", "no time").reply
    found = refused(reply, content)
    assert len(found["headers"]) == 51
    assert [found["headers"][place] for place in found["wrong"]] == ["X-Relay-Send-At"]


# SES.


def attempted(
    outcome: Outcome, content: str, *, heard: Reply | None = None
) -> dict[str, Any]:
    """What is said of a mail that SES answered so."""

    def asked_of(submission: Submission) -> Any:  # noqa: ANN401
        return asked(submission, "X-Relay-Usage", captures=False)

    journal = Journal(subject=lambda _: "", asked=asked_of)
    submission = submitted(content)
    mail = Mail(ENVELOPE, submission.content, choice=Choice())
    journal(Attempted(submission.id, 0, mail, 1, outcome, 0.1))
    assert isinstance(outcome, Deferred | Rejected)
    reply = heard or outcome.reply
    journal(Answered(submission, (mail,), reply, outcome, 1, 0.1))
    entry = journal.get("k3v9")
    assert entry is not None
    found = why(entry, ABOUT)
    assert found is not None
    return {**found, "headers": [name for name, _ in entry.headers]}


ALL_OF_SES = {
    **OUTCOMES,
    **{str(status): outcome for status, outcome in BY_STATUS.items()},
    "no credentials": NO_CREDENTIALS,
    "no TLS": NO_TLS,
    "5xx": TROUBLE,
    "unlisted": UNKNOWN,
    "unreachable": UNREACHABLE,
}


@pytest.mark.parametrize("code", ALL_OF_SES)
def test_each_answer_of_ses_has_its_reason(code: str) -> None:
    outcome = ALL_OF_SES[code]
    unlisted = attempted(UNKNOWN, "Subject: x\n\n")["what"]
    found = attempted(outcome, "Subject: x\n\n")
    assert found["by"] == "SES"
    assert (found["what"] == unlisted) is (answer_class(outcome) == "unknown")
    queued = attempted(outcome, "Subject: x\n\n", heard=replies.queued("k3v9", ""))
    assert queued["what"] == found["what"]


NOT_VERIFIED = (
    "Email address is not verified. The following identities failed the check in "
    "region EU-CENTRAL-1: {}"
)
FROM_TO = "From: app@acme.example\nTo: ann@example.com\nSubject: x\n\n"


@pytest.mark.parametrize(
    ("names", "wrong", "commands"),
    [
        (
            "app@acme.example",
            ["From"],
            ["create-email-identity --email-identity acme.example"],
        ),
        (
            "ann@example.com",
            ["To"],
            ["put-account-details", "create-email-identity --email-identity ann@"],
        ),
        (
            "app@acme.example, ann@example.com",
            ["From", "To"],
            ["create-email-identity --email-identity acme.example"],
        ),
        (
            "$HOME@`id`.example",
            ["From"],
            ["create-email-identity --email-identity '`id`.example'"],
        ),
    ],
)
def test_an_identity_that_is_not_verified_is_named_with_its_command(
    names: str, wrong: list[str], commands: list[str]
) -> None:
    outcome = outcome_for("MessageRejected", 400, NOT_VERIFIED.format(names))
    found = attempted(outcome, FROM_TO)
    assert [found["headers"][place] for place in found["wrong"]] == wrong
    texts = [fix["text"] for fix in found["fixes"]]
    for command in commands:
        assert any(command in text for text in texts), texts
    for text in texts:
        assert text.startswith("aws sesv2 ")
        assert text.endswith(" --region eu-central-1")


def test_denied_access_gives_the_whole_policy() -> None:
    text = (
        "User: arn:aws:sts::111122223333:assumed-role/app is not authorized to "
        "perform: ses:SendEmail on resource: "
        "arn:aws:ses:eu-west-1:111122223333:identity/a.example"
    )
    found = attempted(outcome_for("AccessDeniedException", 403, text), FROM_TO)
    assert json.loads(fixed(found)) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ses:SendEmail", "ses:SendRawEmail"],
                "Resource": "arn:aws:ses:eu-west-1:111122223333:identity/a.example",
            }
        ],
    }
    denied = f"{text} with an explicit deny in a service control policy"
    found = attempted(outcome_for("AccessDeniedException", 403, denied), FROM_TO)
    assert "denies it outright" in found["what"]


def test_what_a_client_named_and_ses_does_not_know_is_marked() -> None:
    text = "Configuration set <news> does not exist."
    content = f"X-SES-CONFIGURATION-SET: news\n{FROM_TO}"
    named = Named(client=("news",))
    found = attempted(outcome_for("NotFoundException", 404, text, named=named), content)
    assert found["headers"][found["wrong"][0]] == "X-SES-CONFIGURATION-SET"
    assert "list-configuration-sets --region eu-west-1" in fixed(found)
    by_settings = Named(settings=("news",))
    outcome = outcome_for("NotFoundException", 404, text, named=by_settings)
    found = attempted(outcome, content)
    assert (found["wrong"], found["place"]) == ([], "settings")
