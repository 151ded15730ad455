"""Any mail with odd parameters, charsets and addresses: prepared, or Refused.

Never another exception, which a client would hear as 451 each time it sent again.
"""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from relay.content.header import normalise
from relay.intake.prepare import Preparation
from relay.intake.sender_account import SenderAccount, SenderAccounts
from relay.model.reply import Refused
from relay.model.submission import Envelope, MailId, Order, Submission
from relay.rules.rules import Rules
from relay.rules.source import Source as RuleSource
from relay.templates.catalog import Templates
from relay.templates.source import Source

TEMPLATES = Templates(
    [
        Source("Name", "{{message.subject}}", "{{message.html}}", send_from="Desk"),
        Source(
            "Both",
            "{{code}}",
            "{{{message.text}}}{{user.name}}",
            send_from="{{name}} <{{message.from}}>",
            reply_to="{{message.from}}",
        ),
        Source("Plain", "x", "{{message.text}}", content_type="text/plain"),
    ],
    missing="empty",
)
PREPARATIONS = [
    Preparation(
        templates=TEMPLATES,
        accounts=SenderAccounts([SenderAccount(client_headers=["X-SES-MESSAGE-TAGS"])]),
    ),
    Preparation(
        templates=TEMPLATES,
        accounts=SenderAccounts([SenderAccount(reencode=False)]),
        without_usage="Both",
    ),
    Preparation(
        templates=TEMPLATES,
        headers_of=["mandrill", "mailgun", "sendgrid", "postmark"],
        rules=Rules(
            [
                RuleSource(
                    name="found",
                    header={"To": ["*@*"]},
                    body=["*e*", "/\\d/"],
                    usage="Name",
                    variables_from="text",
                    extract=[r"(?P<code>\pL+)", r"(?P<name>é)?"],
                    not_found="Both",
                    set_from="Acme <noreply@acme.example>",
                    headers={"X-Added": "é"},
                ),
                RuleSource(name="json", subject=["/^/"], variables_from="json"),
                RuleSource(
                    name="named",
                    from_=["*"],
                    set_from="a@b.example",
                    keep_from="name",
                ),
            ]
        ),
    ),
]

CHARSET = st.sampled_from(
    [
        *("idna", "undefined", "punycode", "unicode_escape", "raw_unicode_escape"),
        *("utf-7", "utf-16", "utf-32", "utf-8-sig", "hz", "iso-2022-kr", "rot13"),
        *("base64", "zlib", "bz2", "hex", "uu", "mbcs", "oem", "cp65001", "", "a\0b"),
        *("windows-1251 (Cyrillic)", "'utf-8'", "é", "x" * 70, "../utf8", "utf-8\t"),
    ]
) | st.text(max_size=12)
VALUE = st.binary(max_size=12).map(
    lambda data: "".join(f"%{byte:02X}" for byte in data)
) | st.text(max_size=20)
NAME = st.sampled_from(["name", "filename", "charset", "boundary", "x"])


@st.composite
def parameters(draw: st.DrawFn) -> str:
    """`; name*0*=idna'en'%FF`, and what is nearly that."""
    name, charset, value = draw(NAME), draw(CHARSET), draw(VALUE)
    return draw(
        st.sampled_from(
            [
                f"; {name}*={charset}''{value}",
                f"; {name}*={charset}'{value}",
                f"; {name}*0*={charset}'en'{value}; {name}*1*={value}",
                f"; {name}*1*={value}; {name}*999999999999999999999={value}",
                f"; {name}*0={value}; {name}*00={value}",
                f'; {name}="{value}"',
                f"; {name}={charset}",
                f"; {name}*=",
                f"; {name}",
            ]
        )
    )


KIND = st.sampled_from(
    [
        *("text/plain", "text/html", "text/calendar", "multipart/mixed; boundary=b"),
        *("multipart/related; boundary=b", "multipart/alternative; boundary=b"),
        *("message/rfc822", "application/pdf", "text", "", "é/é"),
    ]
)
ADDRESS = st.sampled_from(
    [
        *('"é"@acme.example', "é@acme.example", "a@é.example", "a@ß.example", "<>"),
        *('"\\"@acme.example', "a@[127.0.0.1]", "a@" + "x" * 70 + ".example", "a@"),
        *("undisclosed-recipients:;", "a@xn--.example", "@", "a b <c", "a@\u200d.de"),
        *("=?idna?q?=FF?= <a@b.example>", "=?a\0?b?eA?= <é@b.example>"),
    ]
) | st.text(max_size=30)
FIELD = st.one_of(
    st.builds(
        lambda kind, given: f"Content-Type: {kind}{''.join(given)}",
        KIND,
        st.lists(parameters(), max_size=3),
    ),
    st.builds(
        lambda given: f"Content-Disposition: attachment{''.join(given)}",
        st.lists(parameters(), max_size=3),
    ),
    st.builds(
        lambda name, address: f"{name}: {address}",
        st.sampled_from(["From", "Reply-To", "To", "Cc", "Sender"]),
        ADDRESS,
    ),
    st.builds(
        lambda name, charset, how, text: f"{name}: =?{charset}?{how}?{text}?= é",
        st.sampled_from(["Subject", "X-Relay-Variable-name", "X-Relay-Locale"]),
        CHARSET,
        st.sampled_from("bqBQx"),
        VALUE.map(lambda value: value.replace("%", "=")),
    ),
    st.sampled_from(
        [
            *("Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: 8bit"),
            *("Content-Transfer-Encoding: quoted-printable", "Content-ID: <a"),
            *("X-Relay-Usage: Name", "X-Relay-Usage: Both", "X-Relay-Usage: Plain"),
            *('X-Relay-Variables: {"user": {"name": 1e999}}', "X-SES-Message-Tags: a"),
            'X-Relay-Variables: {"name": "\\ud800", "code": [1], "user": {"name": []}}',
        ]
    ),
)
BODY = st.lists(
    st.sampled_from(["--b", "--b--", "", "é" * 600, "<a href='cid:a'>", "&#xD800;"])
    | FIELD
    | st.text(max_size=40),
    max_size=12,
)


def prepared_or_refused(submission: Submission) -> None:
    codes = []
    for preparation in PREPARATIONS:
        preparation.takes_long(submission)
        for plainly in (False, True):
            try:
                found = preparation.prepare(submission, plainly=plainly)
            except Refused as refused:
                codes.append(refused.reply.code)
            else:
                assert all(normalise(mail.content) for mail in found.mails)
    assert all(code >= 500 for code in codes)


@given(
    st.lists(FIELD, max_size=8),
    BODY,
    st.sampled_from(["", "Name", "Both", "Plain"]),
    st.sampled_from(["utf-8", "latin-1"]),
    st.sampled_from([None, "app@acme.example", "root", '"a b"@acme.example']),
)
@example(
    ['From: "é"@acme.example', "Subject: x"], ["x"], "Name", "utf-8", "a@b.example"
)
@example(
    ["Content-Disposition: attachment; filename*=idna''x.txt"],
    ["é"],
    "Name",
    "utf-8",
    "a@b.example",
)
@settings(max_examples=400)
def test_a_mail_is_prepared_or_refused(
    fields: list[str], body: list[str], usage: str, charset: str, sender: str | None
) -> None:
    content = "\r\n".join([*fields, "", *body]).encode(charset, "replace")
    envelope = Envelope(sender, ("ann@example.net",))
    prepared_or_refused(Submission(MailId("m"), envelope, content, usage=usage))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.text(), st.dictionaries(st.text(), ANYTHING, max_size=4), st.text())
@example("Both", {"name": '"é"@acme.example', "code": float("nan")}, "fr")
@settings(max_examples=200)
def test_an_order_is_prepared_or_refused(
    usage: str, variables: dict[str, object], locale: str
) -> None:
    for name in (usage, "Both", "Name"):
        order = Order(name, variables, locale)
        envelope = Envelope(None, ("ann@example.net",))
        prepared_or_refused(Submission(MailId("m"), envelope, b"", order=order))
