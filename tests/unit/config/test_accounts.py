"""Accounts and the guard in the settings: what is whose, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import config

TWO = "[ses]\nregion = 'eu-west-1'\n[[accounts]]\nname = 'b'\nregion = 'us-east-1'\n"


def loaded(directory: Path, toml: str) -> config.Config:
    file = directory / "config.toml"
    file.write_text(toml)
    return config.load(file, {})


def refusal(directory: Path, toml: str) -> str:
    with pytest.raises(config.ConfigError) as caught:
        loaded(directory, toml)
    return str(caught.value).replace(f"{directory}/config.toml: ", "")


def test_what_an_account_does_not_say_is_that_of_ses(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "[ses]\nregion = 'eu-west-1'\nconfigurationSetName = 'all'\ntenantName = 't'\n"
        "[pace]\nrate = 5\nshare = 0.5\n"
        "[[accounts]]\nname = 'b'\nregion = 'us-east-1'\ntenantName = ''\nshare = 1\n"
        "domains = ['Brand.example', '*.bücher.example']\n",
    )
    default, account = config.accounts(settings)
    assert (default.name, default.key, default.ses) == ("default", "", settings.ses)
    assert (account.name, account.key) == ("b", "b")
    assert account.ses.region == "us-east-1"
    assert account.ses.configuration_set_name == "all"
    assert account.ses.tenant_name == ""
    assert (account.rate, account.share) == (5, 1)
    assert account.domains == ("brand.example", "*.xn--bcher-kva.example")


def test_keys_and_role_come_together(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        "[ses]\nregion = 'eu-west-1'\naccessKeyId = 'A'\naccessKeySecret = 'B'\n"
        "[[accounts]]\nname = 'role'\nroleArn = 'arn:aws:iam::1:role/r'\n"
        "[[accounts]]\nname = 'same'\nregion = 'us-east-1'\n",
    )
    _, role, same = config.accounts(settings)
    assert config.revealed(role.ses.access_key_id) == ""
    assert role.ses.role_arn == "arn:aws:iam::1:role/r"
    assert config.revealed(same.ses.access_key_id) == "A"


def test_a_secret_of_an_account_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("S\n")
    settings = loaded(
        tmp_path,
        TWO + "accessKeyId = 'B'\naccessKeySecretFile = 'secret'\n",
    )
    assert config.revealed(config.accounts(settings)[1].ses.access_key_secret) == "S"


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        (TWO + "fallback = 'c'", 'accounts[0].fallback = "c": no such account; known'),
        (TWO + "fallback = 'b'", 'accounts[0].fallback = "b": a circle: b, b'),
        (
            TWO + "fallback = 'c'\n[[accounts]]\nname = 'c'\nregion = 'eu-west-2'\n"
            "fallback = 'b'",
            'accounts[0].fallback = "c": a circle: b, c, b',
        ),
        (
            TWO + "[[accounts]]\nname = 'c'\nfallback = 'default'",
            'accounts[1].fallback = "default": has the same credentials and region',
        ),
        (TWO + "[[accounts]]\nname = 'b'", 'accounts[1].name = "b": given twice'),
        (
            "[[accounts]]\nname = 'default'",
            'accounts[0].name = "default": is the name of [ses]; choose another',
        ),
        ("[[accounts]]\nname = 'a b'", 'accounts[0].name = "a b": must be 1 to 64'),
        ("[[accounts]]\nregion = 'x'", "accounts[0].name: is missing"),
        (
            TWO + "domains = ['a.example']\n[[accounts]]\nname = 'c'\n"
            "domains = ['A.example']",
            'accounts[1].domains[0] = "a.example": is a domain of accounts[0] (b) al',
        ),
        (TWO + "domains = ['a@b']", 'accounts[0].domains[0] = "a@b": must be a domain'),
        (
            TWO + "accessKeyId = 'A'",
            "accounts[0].accessKeyId: is given without accounts[0].accessKeySecret",
        ),
        (
            "[[accounts]]\nname = 'b'\nconcurrency = 3",
            (
                "accounts[0].concurrency = 3: ses has the same credentials and region, "
                "and concurrency = 50; set it there"
            ),
        ),
        ("[[accounts]]\nname = 'b'\nrate = 3", "accounts[0].rate = 3: ses has the sam"),
        (TWO + "attemptTimeout = 60", "accounts[0].attemptTimeout = 60: must be short"),
        (TWO + "tags = { a = 'ü' }", "accounts[0].tags: has 'a': names and values"),
        (TWO + "regoin = 'x'", "accounts[0].regoin: unknown setting; did you mean acc"),
        (TWO + "[[rules]]\naccount = 'c'", 'rules[0].account = "c": rule "rule 1": th'),
        (
            "[guard]\nothers = 'capture'",
            "guard.others: is given without guard.recipien",
        ),
        (
            "[guard]\nrecipients = ['*@a.example']\nothers = 'redirect'",
            'guard.others = "redirect": needs guard.redirectTo',
        ),
        (
            "[guard]\nrecipients = ['*@a.example']\nredirectTo = 'a@a.example'",
            'guard.redirectTo: is given, and guard.others is "reject"',
        ),
        (
            (
                "[guard]\nrecipients = ['*@a.example']\nothers = 'capture'\n"
                "[web]\nlisten = ''"
            ),
            'guard.others = "capture": needs web.listen',
        ),
        ("[guard]\nrecipients = ['a b']", 'guard.recipients[0] = "a b": must be ASCII'),
        ("[guard]\nrecipients = ['x']\nothers = 'drop'", 'guard.others = "drop": must'),
    ],
)
def test_what_cannot_be_is_named_with_its_place(
    toml: str, text: str, tmp_path: Path
) -> None:
    assert text in refusal(tmp_path, toml)


def test_no_secret_stands_in_a_message(tmp_path: Path) -> None:
    said = refusal(tmp_path, TWO + "accessKeyId = 5\naccessKeySecret = 'hidden value'")
    assert "hidden" not in said
    assert "must be a text in quotes" in said
