"""Who gets no mail, by the API: a list with a search, and removal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.password import hashed
from tests.server.test_life import relay_command, through
from tests.web.site import Site, fake_ses, mail, running_site
from tests.web.test_safety import basic

ANN = basic("ann", "pass")
PATH = "/api/v1/suppression"


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    with fake_ses() as ses:
        yield through(
            ses,
            RELAY_QUEUE__ENGINE="sqlite",
            RELAY_QUEUE__PATH=str(tmp_path / "spool.db"),
            RELAY_SUPPRESSION__ENABLED="true",
        )


def add(settings: dict[str, str], directory: Path, *addresses: str) -> None:
    words = ("suppression", "add", *addresses, "--reason", "complaint")
    done = relay_command(*words, settings=settings, cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")


def addresses(site: Site, query: str = "") -> list[str]:
    found = site.get(f"{PATH}{query}", ANN).json
    return [one["address"] for one in found["entries"]]


def test_who_gets_no_mail_is_listed_searched_and_removed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    own = {"RELAY_WEB__USER": "ann", "RELAY_WEB__PASSWORD_HASH": hashed("pass")}
    file = str(tmp_path / "config.toml")
    Path(file).touch()
    with running_site("-c", file, settings=settings | own) as site:
        names = [f"{name}@acme.example" for name in ("ann", "bob", "eve")]
        add(settings, tmp_path, *names)
        first = site.get(f"{PATH}?limit=2", ANN).json
        assert first["enabled"] is True
        assert first["next"] == names[1]
        one = first["entries"][0]
        assert one.pop("since").endswith("Z")
        assert one == {
            "address": names[0],
            "reason": "complaint",
            "source": "hand",
            "detail": "",
        }
        assert addresses(site, f"?after={first['next']}") == names[2:]
        assert addresses(site, "?q=BOB") == [names[1]]
        assert addresses(site, "?reason=bounce") == []
        assert addresses(site, "?q=%FF%00'") == []
        assert site.get(f"{PATH}?reason=whim", ANN).status == 400
        assert "5.1.1" in refusal(site, names[0])
        now = site.get("/api/v1/figures", ANN).json["now"]
        assert now["suppressed"] == 3
        assert set(now["suppressionRefused"]) == {"bounce", "complaint", "manual"}
        assert now["suppressionRefused"]["complaint"] >= 1
        body = {"addresses": ["Ann@acme.example", "who@acme.example"]}
        answer = site.post(f"{PATH}/remove", body, ANN)
        assert answer.json == {"removed": 1, "missing": ["who@acme.example"]}
        assert addresses(site) == names[1:]
        assert site.submit(mail(names[0])).startswith("250 ")
        wrongs: list[list[str]] = [[], ["\ud800"], ["no address"]]
        for wrong in wrongs:
            body = {"addresses": wrong}
            assert site.post(f"{PATH}/remove", body, ANN).status == 400


def refusal(site: Site, address: str) -> str:
    """The reply to a recipient who gets no mail, once the relay has seen the list."""
    from tests.server.relay_process import until
    from tests.server.test_suppression import rcpt

    until(lambda: rcpt(site.relay, address)[0].startswith("550"))
    return rcpt(site.relay, address)[0]


def test_without_a_password_nobody_is_removed(
    settings: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    with running_site("-c", str(file), settings=settings) as site:
        answer = site.post(f"{PATH}/remove", {"addresses": ["a@b.example"]})
        assert answer.status == 403


def test_without_a_queue_there_is_no_list() -> None:
    with running_site() as site:
        found = site.get(PATH).json
        assert found == {"enabled": False, "entries": [], "next": None}
        answer = site.post(f"{PATH}/remove", {"addresses": ["a@b.example"]})
        assert answer.status == 409
