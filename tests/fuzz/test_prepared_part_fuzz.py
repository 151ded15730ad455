"""A part that is encoded in pieces, for any template and any values."""

from __future__ import annotations

import email
from html import escape

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.content.header import parse
from relay.content.original import Original
from relay.content.transfer_encoding import encoded_body
from relay.model.submission import Envelope
from relay.templates.placeholder import Problems, Values, compile_text
from relay.templates.prepared_part import PreparedPart

# What quoted-printable and line ends care about, alone and in long lines.
LINE_ENDS = ["\r\n", "\r", "\n"]
ODD = [" ", "\t", ".", "=", "=3D", "&<>'\"", "\x00", "\x7f", "\ud800"]
WORDS = ["é", "日本語", "Привет", "word ", "x" * 75, "x" * 76, "a line of words " * 9]
PIECE = st.sampled_from([*LINE_ENDS, *ODD, *WORDS]) | st.text(
    st.characters(exclude_characters="{}"), max_size=10
)
TEXT = st.lists(PIECE, max_size=6).map("".join)
TEMPLATE = st.lists(TEXT | st.sampled_from(["{{a}}", "{{b}}", "{{{a}}}"]), max_size=12)
ORIGINAL = Original(parse(b""), Envelope(None, ()))


def same(text: str) -> str:
    return text


@given(TEMPLATE, TEXT, TEXT, st.booleans())
@settings(max_examples=500)
def test_a_part_in_pieces_is_the_filled_template(
    pieces: list[str], a: str, b: str, html: bool
) -> None:
    as_value = escape if html else same
    given_values = {"{{a}}": as_value(a), "{{b}}": as_value(b), "{{{a}}}": a}
    filled = "".join(given_values.get(piece, piece) for piece in pieces)
    lines = filled.replace("\r\n", "\n").replace("\r", "\n")
    data = lines.encode("utf-8", "replace").replace(b"\n", b"\r\n")

    problems = Problems("t")
    text = compile_text("".join(pieces), "content", problems)
    prepared = PreparedPart(text, "plain")
    values = Values({"a": a, "b": b}, ORIGINAL, "reject")
    part = b"".join(prepared.fill(values, as_value, raw=same))

    head, body = part.split(b"\r\n\r\n", 1)
    # Measured: Python's encoder writes 77 where a line that is full ends in a space.
    assert all(len(line) <= 77 for line in body.split(b"\r\n"))
    rest = part.replace(b"\r\n", b"")
    assert rest.isascii()
    assert b"\r" not in rest
    assert b"\n" not in rest
    # The line end after it is the delimiter's, which base64 does not count.
    decoded = email.message_from_bytes(part).get_payload(decode=True)
    assert decoded in (data, data + b"\r\n")
    # In pieces it is as good as the whole.
    encoding, whole = encoded_body(data, text=True)
    assert head.endswith(f"Content-Transfer-Encoding: {encoding}".encode())
    assert body == whole + b"\r\n"
