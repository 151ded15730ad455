"""The listeners' certificate: from files, read again when they change, or made here."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from relay import log
from relay.smtp.tls import reason
from relay.system import files

if TYPE_CHECKING:  # slow to import, for who asks for what needs it
    from cryptography import x509

_VALID = timedelta(days=365)
_NAMES = ("localhost", "127.0.0.1", "::1")


class BadCertificate(Exception):  # noqa: N818 - a statement, meant for the operator
    """Certificate or key cannot be used; the text names the setting and the cure."""


class Certificate:
    """A certificate and its key in PEM files.

    `context` looks whether they changed, so a renewal needs no restart; what then
    cannot be used is logged, and the one before goes on.
    """

    def __init__(self, cert_file: Path, key_file: Path) -> None:
        self._cert_file = cert_file
        self._key_file = key_file
        self._seen = self._look()
        self._context = self._load()

    @property
    def shown(self) -> object:
        """Which files are in use, and what they were when they were read."""
        return self._cert_file, self._key_file, self._seen

    def context(self) -> ssl.SSLContext:
        """What the next handshake uses."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen  # so that what is wrong with them is said once
            try:
                self._context = self._load()
            except BadCertificate as error:
                log.line(
                    logging.ERROR,
                    "certificate not usable",
                    reason=str(error),
                    cure="the one before stays in use until the files change again",
                )
            else:
                log.line(
                    logging.INFO, "certificate read again", file=str(self._cert_file)
                )
        return self._context

    def ends(self) -> datetime:
        """When the certificate in the file ends. Raises BadCertificate."""
        from cryptography import x509

        text = _text(self._cert_file, self._cert())
        try:
            return x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
        except ValueError as error:
            raise BadCertificate(f"{self._cert()}: {error}") from error

    def _look(self) -> tuple[tuple[int, ...], ...]:
        """What changes with the files, links that are moved included."""
        return tuple(_signature(path) for path in (self._cert_file, self._key_file))

    def _cert(self) -> str:
        return f'tls.certFile = "{self._cert_file}"'

    def _key(self) -> str:
        return f'tls.keyFile = "{self._key_file}"'

    def _load(self) -> ssl.SSLContext:
        """A new context each time: a bad pair must not half replace a good one."""
        cert = _text(self._cert_file, self._cert())
        key = _text(self._key_file, self._key())
        if "-----BEGIN CERTIFICATE-----" not in cert:
            raise BadCertificate(f"{self._cert()}: holds no certificate in PEM form")
        if "PRIVATE KEY-----" not in key:
            raise BadCertificate(f"{self._key()}: holds no private key in PEM form")
        if "ENCRYPTED" in key:
            raise BadCertificate(
                f"{self._key()}: is encrypted; the relay needs it without a passphrase"
            )
        context = _context()
        try:
            context.load_cert_chain(self._cert_file, self._key_file, password=b"")
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise BadCertificate(
                    f"{self._key()}: is not the key of tls.certFile "
                    f'"{self._cert_file}"; give the pair that belongs together'
                ) from error
            raise BadCertificate(
                f"{self._cert()} with {self._key()}: cannot be used: {reason(error)}; "
                "give a certificate and its key in PEM form"
            ) from error
        except (OSError, ValueError) as error:
            raise BadCertificate(f"{self._cert()}: {error}") from error
        return context


class SelfSigned:
    """A certificate made at start, which no client trusts by itself."""

    def __init__(self, hostname: str) -> None:
        self._context, self.fingerprint = _made(hostname)

    def context(self) -> ssl.SSLContext:
        """What each handshake uses."""
        return self._context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996: no older one
    # A handshake costs the server more than the client, so one is enough.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _text(path: Path, setting: str) -> str:
    try:
        return files.read(path, limit=files.SECRET_BYTES).decode("ascii", "replace")
    except ValueError as error:
        raise BadCertificate(f"{setting}: {error}") from error


def _made(hostname: str) -> tuple[ssl.SSLContext, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    now = datetime.now(UTC)
    names = [_alternative(host) for host in dict.fromkeys((hostname, *_NAMES))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of clients may be a little behind.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = _context()
    import tempfile

    # Python's ssl takes a key from a file only; this one is readable by us alone,
    # and gone at once.
    try:
        with tempfile.TemporaryDirectory(prefix="relay-") as directory:
            file = Path(directory, "self-signed.pem")
            file.touch(mode=0o600)
            file.write_bytes(secret + pem)
            context.load_cert_chain(file)
    except OSError as error:
        raise BadCertificate(
            f"tls.selfSigned = true: no place for a temporary file: {error.strerror}; "
            "set TMPDIR to a directory that can be written"
        ) from error
    return context, certificate.fingerprint(hashes.SHA256()).hex()


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
