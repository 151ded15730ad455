"""What SES' word proves of a mail."""

from __future__ import annotations

from typing import get_args

import pytest

from relay.model.feedback import NO_MAIL, Feedback, Kind
from relay.model.proof import PROVING, Proof, proof_of
from relay.model.submission import MailId

ID = MailId("k3v9")
TO = ("Ann@Example.com", "bob@example.com")


def told(kind: Kind = "delivery", *, to: tuple[str, ...] = TO) -> Feedback:
    return Feedback(kind, "0102", 5.0, mail_id=ID, destination=to)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_all_that_is_told_of_one_mail_proves_that_ses_took_it(kind: Kind) -> None:
    proof = Proof(ID, "0102", frozenset({"ann@example.com", "bob@example.com"}))
    of_no_mail = kind in ("rendering_failure", "subscription")
    assert proof_of(ID, told(kind)) == (None if of_no_mail else proof)
    assert (kind in PROVING) is not of_no_mail


def test_without_an_id_or_recipients_nothing_is_proven() -> None:
    assert proof_of(NO_MAIL, told()) is None
    assert proof_of(ID, told(to=())) is None


def test_a_call_is_told_by_all_its_recipients_in_any_case_and_order() -> None:
    proof = proof_of(ID, told())
    assert proof is not None
    assert proof.is_of(["BOB@example.com", "ann@example.COM"])
    assert proof.is_of(["BOB@example.com", "ann@example.COM", "bob@example.com"])
    assert not proof.is_of(["ann@example.com"])
    assert not proof.is_of(["ann@example.com", "bob@example.com", "eve@example.com"])
    assert not proof.is_of([])
