"""TLS of one connection, without I/O: bytes from the client in, bytes for it out.

Not asyncio's own transport, which ends a connection whole when the client closes its
sending side, and would leave the mail in hand without its answer; and because bytes
before the handshake, and after a PROXY header, are ours to place.
"""

from __future__ import annotations

import ssl

# What one SSLObject.read() gives at most is a record.
_RECORD = 16_384


class TlsError(ConnectionError):
    """The client does not speak TLS with us; the text is OpenSSL's reason."""


class Tls:
    """The server's end; what it has to say is fetched with `outgoing`."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side=True)
        self.ended = False  # the client said that it will send no more

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return self._out.read()

    def handshake(self, data: bytes) -> bool:
        """Go on with `data` from the client; True once both agree.

        Raises TlsError; `outgoing` may then hold an alert.
        """
        self._in.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsError(reason(error)) from error
        return True

    def decrypted(self, data: bytes) -> bytes:
        """What `data` from the client says; b"" when no record is complete yet.

        Raises EOFError after the client's close_notify, and TlsError.
        """
        self._in.write(data)
        pieces = []
        try:
            while not self.ended:
                piece = self._object.read(_RECORD)
                if not piece:  # so a close_notify is told
                    self.ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if not pieces:
                raise TlsError(reason(error)) from error
            # What came before was whole; the error comes again with the next bytes.
        if self.ended and not pieces:
            raise EOFError
        return b"".join(pieces)

    def encrypted(self, data: bytes) -> bytes:
        """The bytes that carry `data` to the client. Raises TlsError."""
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            raise TlsError(reason(error)) from error
        return self._out.read()

    def closing(self) -> bytes:
        """Our close_notify (RFC 8446 section 6.1); the client's is not waited for."""
        try:
            self._object.unwrap()
        except ssl.SSLError:
            pass  # it waits for the client's, or the connection is broken anyway
        return self._out.read()

    @property
    def version(self) -> str:
        """Such as TLSv1.3."""
        return self._object.version() or ""


def reason(error: ssl.SSLError) -> str:
    """OpenSSL's own words for it, in lower case and without its file and line."""
    return (error.reason or type(error).__name__).replace("_", " ").lower()
