"""The body of a call, byte for byte as the SDK serialises it."""

from __future__ import annotations

import tracemalloc
from functools import cache
from typing import Any

import botocore.session
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.submission import Envelope, MailId
from relay.ses.body import Payload
from relay.ses.parameters import RequestSettings, request_for

TEXT = st.text(max_size=30)  # quotes, controls, non-ASCII, astral: all of it
ADDRESS = st.text(min_size=1, max_size=30)
OPTIONS = st.builds(
    SendOptions,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.none() | st.builds(ListManagement, TEXT, TEXT),
    st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)
FLAG = st.booleans()
SETTINGS = st.builds(
    RequestSettings, TEXT, TEXT, TEXT, TEXT, TEXT, FLAG, FLAG, tags_id=FLAG
)


@cache
def model() -> Any:  # noqa: ANN401 - botocore has no types
    service = botocore.session.get_session().get_service_model("sesv2")
    return service.operation_model("SendEmail")


def by_the_sdk(request: dict[str, Any]) -> bytes:
    serializer = create_serializer("rest-json", include_validation=False)
    made: bytes = serializer.serialize_to_request(request, model())["body"]
    return made


@given(
    content=st.binary(max_size=200),
    recipients=st.lists(ADDRESS, min_size=1, max_size=4).map(tuple),
    sender=st.none() | ADDRESS,
    options=OPTIONS,
    settings=SETTINGS,
)
def test_each_body_is_the_sdks_whole_and_in_pieces(
    content: bytes,
    recipients: tuple[str, ...],
    sender: str | None,
    options: SendOptions,
    settings: RequestSettings,
) -> None:
    mail = Mail(Envelope(sender, recipients), content, options)
    payload = Payload(settings)
    # The second mail is made of what the first one left.
    for mail_id in (MailId("06db0v9t3nq8xk"), MailId("06db0v9t3nq8xm.0.r1")):
        expected = by_the_sdk(request_for(mail, settings, mail_id))
        assert b"".join(payload.parts(mail, mail_id)) == expected
        assert b"".join(payload.pieces(mail, mail_id)) == expected


def test_trap_31_a_large_content_is_the_same_in_pieces_and_no_piece_is_large() -> None:
    content = bytes(range(256)) * 5000 + b"\r\n"
    mail = Mail(Envelope(None, ("b@b.example",)), content)
    request = request_for(mail, RequestSettings())
    expected = by_the_sdk(request)
    pieces = list(Payload(RequestSettings()).pieces(mail))
    assert b"".join(pieces) == expected
    assert max(map(len, pieces)) < 300_000


def test_what_is_remembered_of_bodies_is_bounded_in_bytes() -> None:
    payload = Payload(RequestSettings())

    def send(number: int, tags: int) -> None:
        options = SendOptions(
            tags=tuple((f"{number}-{tag}", "x" * 20) for tag in range(tags))
        )
        mail = Mail(Envelope(None, ("b@b.example",)), b"\r\n", options)
        assert f'"{number}-{tags - 1}"'.encode() in b"".join(payload.parts(mail))

    send(0, 1)
    tracemalloc.start()
    try:
        for number in range(200):
            send(number, 1000)
        for number in range(2000):
            send(number, 10)
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()


def test_what_is_alike_for_many_mails_is_made_once() -> None:
    payload = Payload(RequestSettings(configuration_set="news"))
    mail = Mail(Envelope(None, ("b@b.example",)), b"\r\n")
    (before, _, after) = payload.parts(mail)
    assert payload.parts(mail) == (before, b"DQo=", after)
    assert len(payload._known) == 1
