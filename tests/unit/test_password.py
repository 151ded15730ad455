"""Hashes of passwords."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from relay import password


def test_a_hash_matches_its_password_and_no_other() -> None:
    made = password.hashed("correct horse")
    assert password.is_hash(made)
    assert password.matches(made, b"correct horse")
    assert not password.matches(made, b"correct horsE")
    assert not password.matches(made, b"")


def test_a_password_beyond_ascii_is_compared_as_utf_8() -> None:
    assert password.matches(password.hashed("пароль"), "пароль".encode())


def test_two_hashes_of_one_password_differ() -> None:
    assert password.hashed("same") != password.hashed("same")


def test_hashes_of_other_tools_and_costs_work() -> None:
    other = PasswordHasher(time_cost=1, memory_cost=64, parallelism=2).hash("a")
    assert password.is_hash(other)
    assert password.matches(other, b"a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$6$rounds=5000$salt$hash",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$not base64 at all",
        "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0",
        "$argon2id$v=19$m=19456,t=999999,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0",
        "$argon2id$v=19$m=19456,t=x,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0",
        "$argon2id$v=19$m=19456,t=0,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0",
        "$argon2é$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$ZGlnZXN0ZGlnZXN0",
    ],
)
def test_what_is_no_hash_of_a_bearable_cost_is_none_and_matches_nothing(
    text: str,
) -> None:
    assert not password.is_hash(text)
    if "m=99999999" not in text and "t=999999" not in text:
        assert not password.matches(text, b"secret")


def test_a_decoy_costs_the_same_and_matches_nothing() -> None:
    made = password.hashed("secret")
    decoy = password.decoy(made)
    assert password.is_hash(decoy)
    assert decoy.split("$")[:4] == made.split("$")[:4]
    assert len(decoy) == len(made)
    assert not password.matches(decoy, b"secret")
