"""TLS without I/O: two ends in this process, and the bytes between them in pieces."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.smtp.certificate import BadCertificate, Certificate, SelfSigned
from relay.smtp.tls import Tls, TlsError
from relay.system.files import SECRET_BYTES
from tests import certificates


class Client:
    """OpenSSL's other end."""

    def __init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.in_, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.in_, self.out)

    def shake(self, received: bytes) -> bytes:
        self.in_.write(received)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.out.read()

    def encrypted(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.out.read()

    def decrypted(self, data: bytes) -> bytes:
        self.in_.write(data)
        return self.tls.read(1000)

    def close_notify(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.out.read()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.fixture(scope="module")
def certificate() -> SelfSigned:
    return SelfSigned("relay.test")


def agreed(certificate: SelfSigned, size: int = 10_000) -> tuple[Client, Tls]:
    """Both ends after the handshake, which went in pieces of `size` bytes."""
    client, tls = Client(), Tls(certificate.context())
    said = client.shake(b"")
    done = False
    while not done:
        for piece in pieces(said, size):
            done = tls.handshake(piece)
        said = client.shake(tls.outgoing())
    return client, tls


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_data_comes_through_in_any_pieces(certificate: SelfSigned, size: int) -> None:
    client, tls = agreed(certificate, size)
    assert tls.version == "TLSv1.3"
    words = b"EHLO t\r\n" + b"x" * 50_000
    found = [tls.decrypted(piece) for piece in pieces(client.encrypted(words), size)]
    assert b"".join(found) == words
    assert client.decrypted(tls.encrypted(b"250 ok\r\n")) == b"250 ok\r\n"


def test_what_came_before_the_end_is_given_and_the_answer_still_goes_out(
    certificate: SelfSigned,
) -> None:
    client, tls = agreed(certificate)
    said = client.encrypted(b"QUIT\r\n") + client.close_notify()
    assert tls.decrypted(said) == b"QUIT\r\n"
    assert tls.ended
    with pytest.raises(EOFError):
        tls.decrypted(b"")
    # TLS 1.3 lets one side end alone (RFC 8446 section 6.1).
    assert client.decrypted(tls.encrypted(b"221 bye\r\n")) == b"221 bye\r\n"
    assert tls.closing() != b""


def test_what_is_no_tls_is_named_and_answered_with_an_alert(
    certificate: SelfSigned,
) -> None:
    tls = Tls(certificate.context())
    with pytest.raises(TlsError, match=r"http request|wrong version number"):
        tls.handshake(b"EHLO client.example\r\n")
    broken = Tls(certificate.context())
    hello = Client().shake(b"")  # its length differs between versions of OpenSSL
    with pytest.raises(TlsError):
        broken.handshake(hello[:5] + b"\xff" * (len(hello) - 5))
    assert broken.outgoing().startswith(b"\x15\x03")


def test_a_forged_record_breaks_the_connection_and_says_nothing(
    certificate: SelfSigned,
) -> None:
    client, tls = agreed(certificate)
    first, second = client.encrypted(b"NOOP\r\n"), client.encrypted(b"RSET\r\n")
    forged = second[:-1] + bytes([second[-1] ^ 1])
    assert tls.decrypted(first + forged) == b"NOOP\r\n"
    with pytest.raises(TlsError):
        tls.decrypted(b"")


def test_a_client_may_not_shake_hands_again(certificate: SelfSigned) -> None:
    assert certificate.context().options & ssl.OP_NO_RENEGOTIATION
    assert certificate.context().minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("which", ["certFile", "keyFile"])
@pytest.mark.parametrize("kind", ["pipe", "device", "long"])
def test_its_files_are_regular_and_bounded(
    tmp_path: Path, which: str, kind: str
) -> None:
    cert, key = certificates.make(tmp_path)
    path = cert if which == "certFile" else key
    text = path.read_text()
    path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.write_text(text + "#" * SECRET_BYTES)
    with pytest.raises(BadCertificate) as refused:
        Certificate(cert, key)
    why = "is larger than 64,000 bytes" if kind == "long" else "is no regular file"
    assert str(refused.value).startswith(f'tls.{which} = "{path}": {why}')
