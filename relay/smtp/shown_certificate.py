"""What a certificate says that a server shows: for whom it is, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """`names` are the hosts that it is for, `ends` is in UTC."""

    names: tuple[str, ...]
    ends: datetime


def shown_certificate(der: bytes) -> ShownCertificate:
    """Read a certificate as TLS carries it. Raises ValueError."""
    certificate = x509.load_der_x509_certificate(der)
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        names: list[str] = []  # its common name is none for today's clients
    else:
        names = [
            *extension.value.get_values_for_type(x509.DNSName),
            *map(str, extension.value.get_values_for_type(x509.IPAddress)),
        ]
    return ShownCertificate(tuple(names), certificate.not_valid_after_utc)
