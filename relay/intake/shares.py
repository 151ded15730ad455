"""The recipients of a mail, shared out among its calls."""

from __future__ import annotations

from relay.model.submission import Envelope


def shares(envelope: Envelope, most: int) -> list[Envelope]:
    """The recipients in their order, without duplicates, at most `most` in each."""
    if len(envelope.recipients) == 1:
        return [envelope]
    unique: dict[str, str] = {}
    for recipient in envelope.recipients:
        local, at, domain = recipient.rpartition("@")
        key = f"{local}@{domain.lower()}" if at else recipient
        unique.setdefault(key, recipient)
    recipients = tuple(unique.values())
    parts = [
        recipients[start : start + most] for start in range(0, len(recipients), most)
    ]
    return [Envelope(envelope.sender, part, envelope.dsn.about(part)) for part in parts]
