"""Who says what: a package's defaults, the file, the environment, the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import config, password
from relay.config import ConfigError, revealed


@pytest.fixture
def defaults(tmp_path: Path) -> Path:
    """A package's own settings, where RELAY_DEFAULTS has them."""
    directory = tmp_path / "share"
    directory.mkdir()
    (directory / "settings.toml").write_text(
        "[queue]\npath = '/spool/mail.db'\nanswerWithin = 2\n"
        "[ses]\nregion = 'eu-west-1'\ntags = { from = 'package' }\n"
    )
    (directory / "capture.toml").write_text(
        "[queue]\nanswerWithin = 1\n"
        "[web]\nlisten = '0.0.0.0:8025'\nuser = 'dev'\npasswordHash = 'generate'\n"
    )
    return directory


def environ(defaults: Path, **others: str) -> dict[str, str]:
    return {"RELAY_DEFAULTS": str(defaults), **others}


def test_each_layer_goes_over_the_weaker_ones(tmp_path: Path, defaults: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[queue]\nanswer_within = 4\n[ses]\ntags = { app = 'shop' }\n")

    packaged = config.load(None, environ(defaults))
    assert str(config.spool_path(packaged)) == "/spool/mail.db"
    assert packaged.queue.answer_within == 2
    assert packaged.ses.tags == {"from": "package"}

    filed = config.load(file, environ(defaults))
    assert str(config.spool_path(filed)) == "/spool/mail.db"
    assert filed.queue.answer_within == 4
    assert filed.ses.tags == {"app": "shop"}  # a list or a map comes whole
    assert filed.file == file  # what paths are relative to

    last = config.load(file, environ(defaults, RELAY_QUEUE__ANSWER_WITHIN="5"))
    assert last.queue.answer_within == 5


def test_they_are_no_settings_of_anybody(defaults: Path) -> None:
    assert not config.any_settings(None, environ(defaults))
    assert config.any_settings(None, environ(defaults, RELAY_GRACE="30"))


def test_a_mistake_names_the_layer_that_made_it(tmp_path: Path, defaults: Path) -> None:
    file = tmp_path / "config.toml"

    def refused(text: str, **others: str) -> str:
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            config.load(file, environ(defaults, **others))
        return str(caught.value)

    assert refused("[queue]\nkeepSent = -1\n").startswith(f"{file}: queue.keepSent")
    variable = refused("", RELAY_QUEUE__KEEP_SENT="-1")
    assert variable.startswith("RELAY_QUEUE__KEEP_SENT = -1: ")
    (defaults / "settings.toml").write_text("[queue]\nkeepSent = -1\nkeep = 2\n")
    own = defaults / "settings.toml"
    assert refused("").startswith(f"{own}: queue.keep: unknown setting")
    (defaults / "settings.toml").write_text("[queue]\nkeepSent = -1\n")
    assert refused("").startswith(f"{own}: queue.keepSent = -1: ")
    (defaults / "settings.toml").unlink()
    assert refused("").lower().startswith(f"{own}: no such file or directory")


def test_a_change_of_them_is_seen_like_any_other(defaults: Path) -> None:
    read: list[Path] = []
    config.load(None, environ(defaults), capture=True, note=read.append)
    assert read == [defaults / "settings.toml", defaults / "capture.toml"]


def test_the_page_has_a_password_of_this_run_alone(defaults: Path) -> None:
    chosen = config.load(None, environ(defaults), capture=True)
    made = config.generated_password(chosen)
    assert len(made) >= 14
    assert password.matches(revealed(chosen.web.password_hash), made.encode())
    assert chosen.queue.answer_within == 1
    # Settings that are read again are the same: nobody is logged out.
    assert config.load(None, environ(defaults), capture=True) == chosen
    own = password.hashed("open sesame")
    given = environ(defaults, RELAY_WEB__PASSWORD_HASH=own)
    assert config.generated_password(config.load(None, given, capture=True)) == ""


def test_a_file_may_hold_the_password_in_its_place(
    tmp_path: Path, defaults: Path
) -> None:
    own = password.hashed("open sesame")
    (tmp_path / "hash").write_text(own)
    file = tmp_path / "config.toml"
    file.write_text("[web]\npasswordHashFile = 'hash'\n")
    chosen = config.load(file, environ(defaults), capture=True)
    assert revealed(chosen.web.password_hash) == own


def test_where_mail_goes_out_no_password_is_made() -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(
            None,
            {
                "RELAY_SES__REGION": "eu-west-1",
                "RELAY_WEB__USER": "dev",
                "RELAY_WEB__PASSWORD_HASH": "generate",
            },
        )
    assert str(caught.value) == (
        'RELAY_WEB__PASSWORD_HASH = "generate": in capture mode alone; '
        "relay password prints a hash"
    )
