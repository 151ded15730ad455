"""Settings that change while the relay runs: taken whole, or not at all."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import smtplib
import sqlite3
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.password import hashed
from tests.certificates import make
from tests.fake_ses import Answer, FakeSes, Request, error
from tests.server.relay_process import running_relay, until
from tests.server.reloading import (
    CODE,
    LOCAL,
    PLAIN,
    Reloading,
    Settings,
    kubernetes_volume,
    no_queue,
    reloading,
    ses,
    spool,
    template,
)
from tests.server.test_life import Client, through
from tests.server.test_tls import in_file, served
from tests.unit.templates.pictures import PNG

FOOT = "<mj-section><mj-column><mj-text>{}</mj-text></mj-column></mj-section>"
PAUSED = error("SendingPausedException", 400, "Sending paused for this account.")


def text_of(request: Request) -> bytes:
    return request.mail


def subject(request: Request) -> bytes:
    found = re.search(rb"^Subject: (.*)\r$", request.mail, re.MULTILINE)
    return found[1] if found else b""


async def test_a_sighup_takes_changed_templates_and_says_which_settings_changed(
    tmp_path: Path,
) -> None:
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), templates=[template("one")]
        )

        def use(relay: Reloading) -> list[dict[str, Any]]:
            relay.submit()
            found = [relay.change(templates=[template("two")])]
            relay.submit()
            found.append(relay.hup())
            return found

        changed, same = await reloading(settings, use)
        assert [subject(one) for one in fake.sent] == [b"one", b"two"]
    assert changed["changed"] == ["templates"]
    assert same["changed"] == []
    assert changed["settings"] == same["settings"]


async def test_each_setting_that_is_taken_over(tmp_path: Path) -> None:
    """One relay, and one change after the other: what it does with a mail then."""
    cheap = hashed("s3cret")
    open_door = {**LOCAL, "auth": "optional", "insecureAuth": True}
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), templates=[template("one")]
        )

        def last() -> Request:
            return fake.sent[-1]

        def use(relay: Reloading) -> None:
            def taken(name: str, **changes: object) -> None:
                entry = relay.change(**changes)
                assert (entry["event"], entry["changed"]) == ("reloaded", [name])

            ok = "250 2.0.0 Ok"
            taken("templates", templates=[template("{{code}}!")])
            assert relay.submit().startswith(ok)
            assert subject(last()) == b"123456!"
            taken("missingVariables", missingVariables="empty")
            assert relay.submit(CODE.replace(b"code", b"other")).startswith(ok)
            assert subject(last()) == b"!"
            taken("usageHeader", usageHeader="X-Kind")
            assert relay.submit(CODE.replace(b"X-Relay-Usage", b"X-Kind")).startswith(
                ok
            )
            assert subject(last()) == b"123456!"
            taken("withoutUsage", withoutUsage="reject")
            assert relay.submit(PLAIN).startswith("550 5.6.0 ")
            taken("withoutUsage", withoutUsage="pass")
            taken("headersOf", headersOf=["mandrill"])
            mandrill = PLAIN.replace(b"\r\n\r\n", b"\r\nX-MC-Tags: t\r\n\r\n", 1)
            assert relay.submit(mandrill).startswith(ok)
            assert {"Name": "tag", "Value": "t"} in last().json["EmailTags"]
            taken("rules", rules=[{"sender": "*@shop.example", "usage": "SignIn"}])
            assert relay.submit(PLAIN, sender="a@shop.example").startswith(ok)
            assert subject(last()) == b"!"
            taken("guard", guard={"recipients": ["*@acme.example"]})
            assert relay.submit(PLAIN).startswith("550 5.7.1 ")
            taken("guard", guard=None)
            taken("limits", limits={"recipients": 1})
            assert relay.submit(
                PLAIN, recipients=("a@b.example", "c@d.example")
            ).startswith("452 4.5.3 ")
            taken("limits", limits={"messageSize": 100})
            assert relay.submit(PLAIN + b"x" * 200).startswith("552 5.3.4 ")
            taken("limits", limits={"messagesPerMinute": 1})
            assert relay.submit(PLAIN).startswith(ok)
            assert relay.submit(PLAIN).startswith("450 4.7.1 ")
            taken("limits", limits={"connections": 1})
            with smtplib.SMTP("127.0.0.1", relay.relay.port()):
                assert not _greets(relay.relay.port())
            until(lambda: _greets(relay.relay.port()))
            taken("limits", limits={"memory": 10})
            assert relay.submit(PLAIN).startswith("452 4.3.1 ")
            taken("limits", limits=None)
            taken("users", users=[{"name": "app", "passwordHash": cheap}])
            taken("listeners", listeners=[open_door])
            assert relay.submit(PLAIN, login=("app", "s3cret")).startswith(ok)
            assert relay.submit(PLAIN, login=("app", "wrong")).startswith("535 5.7.8 ")
            taken("listeners", listeners=[{**LOCAL, "usage": "SignIn"}])
            assert relay.submit(PLAIN).startswith(ok)
            assert subject(last()) == b"!"
            taken("listeners", listeners=[{**LOCAL, "allow": ["192.0.2.0/24"]}])
            with pytest.raises(smtplib.SMTPConnectError, match=r"5\.7\.1"):
                smtplib.SMTP("127.0.0.1", relay.relay.port())
            taken("listeners", listeners=[LOCAL])
            taken("ses", ses=ses(fake, configurationSetName="news"))
            assert relay.submit(PLAIN).startswith(ok)
            assert last().json["ConfigurationSetName"] == "news"
            taken("pace", pace={"rate": 1000})
            taken("log", log={"addresses": "masked"})
            relay.submit(PLAIN)
            until(lambda: bool(relay.said("sent")))
            until(lambda: relay.said("sent")[-1]["recipients"] == ["a***@example.com"])
            taken("log", log={"level": "debug"})
            taken("grace", grace=26)
            taken("queue", queue={"engine": "none", "answerWithin": 2})

        await reloading(settings, use)


def _greets(port: int) -> bool:
    try:
        smtplib.SMTP("127.0.0.1", port).close()
    except smtplib.SMTPConnectError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("transport", {"transport": "capture"}),
        ("queue.engine", {"queue": {"engine": "sqlite"}}),
        ("web.listen", {"web": {"listen": "127.0.0.1:1"}}),
        ("health.listen", {"health": {"listen": "127.0.0.1:1"}}),
        ("listeners", {"listeners": [LOCAL, {"name": "b", "address": "127.0.0.1:1"}]}),
        ("listeners", {"listeners": [{"name": "local", "address": "127.0.0.2:0"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_needs_a_restart_is_named_and_the_rest_is_taken(
    tmp_path: Path, name: str, changes: dict[str, object]
) -> None:
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), templates=[template("one")]
        )

        def use(relay: Reloading) -> dict[str, Any]:
            done = relay.change(templates=[template("two")], **changes)
            assert (done["event"], done["changed"]) == ("reloaded", ["templates"])
            assert relay.submit().startswith("250 2.0.0 Ok")
            return relay.relay.event("needs a restart")

        told = await reloading(settings, use, environment={"RELAY_WEB__LISTEN": None})
        assert subject(fake.sent[-1]) == b"two"
    assert (told["level"], told["settings"]) == ("warning", [name])


async def test_a_mistake_keeps_the_last_good_set_and_is_said_as_at_a_start(
    tmp_path: Path,
) -> None:
    health = {"listen": "127.0.0.1:0"}
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            templates=[template("one")],
            health=health,
            web={"listen": "127.0.0.1:0"},
        )

        def use(relay: Reloading) -> None:
            def page(path: str) -> str:
                port = relay.relay.port("web")
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as found:
                    text: str = found.read().decode()
                return text

            def status() -> dict[str, Any]:
                found: dict[str, Any] = json.loads(page("/api/v1/status"))
                return found

            first = status()["settings"]
            assert first["mistake"] == ""
            refused = relay.change(
                templates=[template("{{code")], limits={"recipients": 3}
            )
            assert refused["level"] == "error"
            place = f"{settings.file}: templates[0] (SignIn)"
            assert refused["reason"] == (
                f"{place}.subject:1:1: {{{{ is not closed\n"
                f"{place}.content:1:1: {{{{ is not closed"
            )
            assert relay.submit().startswith("250 2.0.0 Ok")
            assert subject(fake.sent[-1]) == b"one"
            assert status()["settings"] == {**first, "mistake": refused["reason"]}
            assert status()["troubles"][0]["cure"] == refused["reason"]
            assert "relay_reload_failed 1.0" in page("/metrics")
            refused = relay.change(templates=[template("two")], grace="soon")
            assert refused["reason"].startswith(f"{settings.file}: grace ")
            settings.file.write_text("no toml\n")
            assert "is not TOML" in relay.hup()["reason"]
            taken = relay.change(grace=None, limits=None)
            assert taken["changed"] == ["templates"]
            assert "relay_reload_failed 0.0" in page("/metrics")
            now = status()
            assert now["settings"]["mistake"] == ""
            assert now["settings"]["hash"] == taken["settings"] != first["hash"]
            assert now["settings"]["at"] > first["at"]
            assert f'settings_hash="{taken["settings"]}"' in page("/metrics")
            assert now["troubles"] == []

        await reloading(settings, use, environment={"RELAY_WEB__LISTEN": None})


async def test_a_file_that_changes_is_read_by_itself_and_a_mistake_said_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "mail.html").write_text("<p>one</p>")
    by_file = {"usageType": "SignIn", "subject": "s", "contentFile": "mail.html"}
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            templates=[by_file],
            reload="auto",
        )

        def use(relay: Reloading) -> list[dict[str, Any]]:
            (tmp_path / "mail.html").write_text("<p>{{ half")
            half = relay.next()
            settings.set(grace=26)  # looked at again, and the mistake is the same
            looked_again = tmp_path / "mail.html"
            looked_again.write_text("<p>{{ half of it")
            (tmp_path / "mail.html").write_text("<p>whole</p>")
            whole = relay.next()
            relay.submit()
            return [half, whole]

        half, whole = await reloading(settings, use)
        assert b"<p>whole</p>" in fake.sent[-1].mail
    assert "is not closed" in half["reason"]
    assert whole["changed"] == ["grace", "templates"]


async def test_the_swap_of_a_kubernetes_volume_is_a_change_like_any_other(
    tmp_path: Path,
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    by_file = {"usageType": "SignIn", "subject": "s", "contentFile": "mail.html"}
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            templates=[by_file],
            reload="auto",
        )
        files = {"config.toml": settings.text, "mail.html": "<p>one</p>"}
        kubernetes_volume(volume, 1, files)
        settings.file = volume / "config.toml"

        def use(relay: Reloading) -> list[list[str]]:
            kubernetes_volume(volume, 2, {**files, "mail.html": "<p>two</p>"})
            found = [relay.next()["changed"]]
            relay.submit()
            settings.now["grace"] = 26
            kubernetes_volume(volume, 3, {**files, "config.toml": settings.text})
            found.append(relay.next()["changed"])
            return found

        changed = await reloading(settings, use)
        assert b"<p>two</p>" in fake.sent[-1].mail
    assert changed == [["templates"], ["grace", "templates"]]


async def test_a_folder_of_templates_is_looked_at_with_all_that_is_in_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    top = '+++\nsubject = "s"\n+++\n'
    (folder / "SignIn.html").write_text(f"{top}<p>one</p>")
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            templatesDir="templates",
            reload="auto",
        )

        def use(relay: Reloading) -> list[str]:
            found = []
            for change in (
                lambda: (folder / "SignIn.html").write_text(f"{top}<p>two</p>"),
                lambda: (folder / "SignIn.txt").write_text("three"),
                lambda: (folder / "Register.html").write_text(f"{top}<p>four</p>"),
                lambda: (folder / "Register.html").unlink(),
            ):
                change()
                found.append(relay.next()["event"])
                relay.submit()
            return found

        assert await reloading(settings, use) == ["reloaded"] * 4
        texts = [one.mail for one in fake.sent]
    assert [b"<p>two</p>" in text for text in texts] == [True] * 4
    assert [b"three" in text for text in texts] == [False, True, True, True]


async def test_files_that_templates_name_are_read_again_too(tmp_path: Path) -> None:
    parts = tmp_path / "templates" / "parts"
    parts.mkdir(parents=True)
    top = '+++\nsubject = "s"\n+++\n'
    (parts / "foot.mjml").write_text(FOOT.format("one"))
    (parts / "logo.png").write_bytes(PNG)
    (tmp_path / "templates" / "SignIn.mjml").write_text(
        top + '<mjml><mj-body><mj-include path="parts/foot.mjml" /></mj-body></mjml>'
    )
    (tmp_path / "templates" / "Register.html").write_text(
        top + '<p>{{code}}</p><img src="cid:parts/logo.png" alt="">'
    )
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            templatesDir="templates",
            reload="auto",
        )

        def use(relay: Reloading) -> None:
            relay.submit()
            (parts / "foot.mjml").write_text(FOOT.format("two"))
            assert relay.next()["event"] == "reloaded"
            relay.submit()
            (parts / "logo.png").write_bytes(PNG + b"\0")
            assert relay.next()["event"] == "reloaded"
            relay.submit(CODE.replace(b"SignIn", b"Register"))

        await reloading(settings, use)
        first, second, third = (one.mail for one in fake.sent)
    assert b">one</div>" in first
    assert b">two</div>" in second
    assert base64.encodebytes(PNG + b"\0").strip() in third.replace(b"\r", b"")


async def test_a_mail_in_hand_at_a_sighup_is_sent_once_by_the_set_that_it_took(
    tmp_path: Path,
) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with FakeSes(Answer(after=released)) as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), templates=[template("one")]
        )

        def use(relay: Reloading) -> tuple[str, str]:
            with closing(Client(relay.relay.port())) as client:
                client.begin()
                client.say(CODE.decode().rstrip("\r\n"), ".")
                asyncio.run_coroutine_threadsafe(fake.arrived.wait(), loop).result(30)
                # Other keys, so that the connections in use are others as well.
                keys = {"accessKeyId": "AKIABRAND", "accessKeySecret": "brand-secret"}
                relay.change(templates=[template("two")], ses=ses(fake, **keys))
                second = relay.submit()
                loop.call_soon_threadsafe(released.set)
                return client.reply(), second

        replies = await reloading(settings, use)
        assert [(subject(one), one.key_id) for one in fake.sent] == [
            (b"one", "AKIAFAKE"),
            (b"two", "AKIABRAND"),
        ]
    assert all(reply.startswith("250 2.0.0 Ok") for reply in replies)


async def test_a_mail_that_is_still_coming_in_takes_the_set_in_force_at_its_end(
    tmp_path: Path,
) -> None:
    async with FakeSes() as fake:
        first = {**LOCAL, "usage": "First"}
        settings = Settings(
            tmp_path,
            ses=ses(fake),
            queue=no_queue(),
            listeners=[first],
            templates=[template("one", "First")],
        )

        def use(relay: Reloading) -> str:
            with closing(Client(relay.relay.port())) as client:
                client.begin()
                client.say("From: app@acme.example", "Subject: x", "")
                # The usage is the listener's, and either set knows its own alone.
                relay.change(
                    listeners=[{**LOCAL, "usage": "Second"}],
                    templates=[template("two", "Second")],
                )
                client.say("text", ".")
                return client.reply()

        assert (await reloading(settings, use)).startswith("250 2.0.0 Ok")
        assert [subject(one) for one in fake.sent] == [b"two"]


async def test_accounts_that_change_while_their_mail_waits(tmp_path: Path) -> None:
    """A new account takes its mail, a gone one's waits, and what comes back goes."""
    async with FakeSes(PAUSED) as ours, FakeSes() as brands:
        brand = {
            "name": "brand",
            "domains": ["brand.example"],
            "accessKeyId": "AKIABRAND",
            "accessKeySecret": "brand-secret",
            "region": "us-east-1",
            "endpointUrl": "http://127.0.0.1:9",  # nobody is there
        }
        settings = Settings(
            tmp_path,
            ses=ses(ours, emailAddress=""),
            queue=spool(tmp_path, slowDelays=[0.4, 600]),
            accounts=[brand],
        )
        of_brand = b"From: a@brand.example\r\nSubject: brand\r\n\r\nx\r\n"

        def waiting() -> int:
            with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
                query = "SELECT count(*) FROM job WHERE state = 'queued'"
                (count,) = connection.execute(query).fetchone()
            return int(count)

        def use(relay: Reloading) -> list[str]:
            replies = [relay.submit(PLAIN), relay.submit(of_brand)]
            assert waiting() == 2
            # The pause of an account that is the same stays, and what it looks by.
            done = [relay.change(accounts=None)["event"]]
            relay.relay.event("deferred", lambda one: "account" in one["reply"])
            done.append(
                relay.change(accounts=[{**brand, "endpointUrl": brands.url}])["event"]
            )
            until(lambda: len(brands.sent) == 1 and len(ours.sent) == 2)
            until(lambda: waiting() == 0)
            assert done == ["reloaded"] * 2
            return replies

        replies = await reloading(settings, use)
        assert [one.key_id for one in brands.sent] == ["AKIABRAND"]
        assert [subject(one) for one in ours.sent] == [b"plain", b"plain"]
    assert all(reply.startswith("250 2.0.0 queued as ") for reply in replies)


async def test_what_an_account_that_is_no_more_was_reached_by_is_closed(
    tmp_path: Path,
) -> None:
    async with FakeSes() as old, FakeSes() as new:
        settings = Settings(tmp_path, ses=ses(old), queue=spool(tmp_path))

        def use(relay: Reloading) -> None:
            relay.submit(PLAIN)
            relay.change(ses=ses(new))
            relay.submit(PLAIN)
            asyncio.run_coroutine_threadsafe(old.all_closed(), loop).result(30)

        loop = asyncio.get_running_loop()
        await reloading(settings, use)
        assert (len(old.sent), len(new.sent)) == (1, 1)


async def test_users_come_and_go_also_in_sessions_that_are_open(tmp_path: Path) -> None:
    door = {**LOCAL, "auth": "required", "insecureAuth": True}
    ann = {"name": "ann", "passwordHash": hashed("s3cret")}
    ben = {"name": "ben", "passwordHash": hashed("s3cret")}
    async with FakeSes() as fake:
        settings = Settings(
            tmp_path, ses=ses(fake), queue=no_queue(), listeners=[door], users=[ann]
        )

        def use(relay: Reloading) -> None:
            def said(name: str) -> str:
                return relay.submit(PLAIN, login=(name, "s3cret"))

            assert said("ben").startswith("535 5.7.8 ")
            with smtplib.SMTP("127.0.0.1", relay.relay.port()) as smtp:
                smtp.login("ann", "s3cret")
                relay.change(users=[ann, ben])
                assert smtp.mail("a@b.example")[0] == 250
                assert said("ben").startswith("250 ")
                smtp.rset()
                relay.change(users=[ben])
                code, text = smtp.mail("a@b.example")
                assert (code, text.split()[0]) == (421, b"4.7.0")
            assert said("ann").startswith("535 5.7.8 ")
            assert said("ben").startswith("250 ")
            relay.change(users=[{**ben, "passwordHash": hashed("other")}])
            assert said("ben").startswith("535 5.7.8 ")

        await reloading(settings, use)


def test_a_rotated_certificate_and_another_file_of_it(tmp_path: Path) -> None:
    first, first_key = make(tmp_path, "first.test")
    second, second_key = make(tmp_path, "second.test")
    listener = {**LOCAL, "tls": "implicit"}
    settings = Settings(
        tmp_path,
        transport="capture",
        queue=no_queue(),
        listeners=[listener],
        tls={"certFile": str(first), "keyFile": str(first_key)},
    )

    def use(relay: Reloading) -> None:
        assert served(relay.relay) == in_file(first)
        done = relay.change(tls={"certFile": str(second), "keyFile": str(second_key)})
        assert done["changed"] == ["tls"]
        assert served(relay.relay) == in_file(second)
        refused = relay.change(tls={"certFile": str(first), "keyFile": str(second_key)})
        assert "is not the key of tls.certFile" in refused["reason"]
        assert served(relay.relay) == in_file(second)
        settings.now["tls"] = {"certFile": str(second), "keyFile": str(second_key)}
        settings.now["reload"] = "auto"
        settings.write()
        assert relay.hup()["changed"] == ["reload"]
        make(tmp_path, "second.test")
        assert relay.next()["changed"] == ["tls"]
        assert served(relay.relay) == in_file(second)

    asyncio.run(reloading(settings, use))


async def test_a_rotated_secret_is_read_from_its_file_without_a_settings_file(
    tmp_path: Path,
) -> None:
    key, secret = tmp_path / "id", tmp_path / "secret"
    key.write_text("AKIAFAKE\n")
    secret.write_text("fake-secret\n")
    async with FakeSes() as fake:
        given = {
            "RELAY_SES__REGION": "eu-west-1",
            "RELAY_SES__ENDPOINT_URL": fake.url,
            "RELAY_SES__ACCESS_KEY_ID_FILE": str(key),
            "RELAY_SES__ACCESS_KEY_SECRET_FILE": str(secret),
            "RELAY_RELOAD": "signal",
        }

        def inside() -> dict[str, Any]:
            with running_relay("-c", "", settings=given) as process:
                relay = Reloading(process, Settings(tmp_path))
                relay.submit(PLAIN)
                key.write_text("AKIABRAND\n")
                secret.write_text("brand-secret\n")
                done = relay.hup()
                relay.submit(PLAIN)
                secret.unlink()
                refused = relay.hup()["reason"]
                assert refused.startswith("RELAY_SES__ACCESS_KEY_SECRET_FILE = ")
                assert relay.submit(PLAIN).startswith("250 2.0.0 Ok")
                return done

        done = await asyncio.to_thread(inside)
        keys = [one.key_id for one in fake.sent]
    assert keys == ["AKIAFAKE", "AKIABRAND", "AKIABRAND"]
    assert done["changed"] == ["ses"]


async def test_a_hangup_ends_nothing_at_the_start_or_at_the_stop(
    tmp_path: Path,
) -> None:
    released = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with FakeSes(Answer(after=released)) as fake:
        settings = through(fake, RELAY_QUEUE__ENGINE="none")

        def inside() -> tuple[str, int]:
            with running_relay("-c", "", settings=settings, up_to="listening") as relay:
                relay.process.send_signal(signal.SIGHUP)  # in the middle of the start
                relay.event("reloaded")
                with closing(Client(relay.port())) as client:
                    client.submit()
                    arrived = asyncio.run_coroutine_threadsafe(
                        fake.arrived.wait(), loop
                    )
                    arrived.result(30)
                    relay.process.send_signal(signal.SIGTERM)
                    relay.event("stopping")
                    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                        relay.process.send_signal(number)
                    loop.call_soon_threadsafe(released.set)
                    return client.reply(), relay.wait()

        reply, code = await asyncio.to_thread(inside)
        assert len(fake.sent) == 1
    assert reply.startswith("250 2.0.0 Ok")
    assert code == 0


def test_capture_mode_with_samples_is_read_again_too() -> None:
    with running_relay(settings={"RELAY_RELOAD": "signal"}) as process:
        process.process.send_signal(signal.SIGHUP)
        assert process.event("reloaded")["changed"] == []
        with smtplib.SMTP("127.0.0.1", process.port()) as smtp:
            smtp.sendmail("a@b.example", ["c@d.example"], CODE)
        assert process.next_captured().words["template"] == "SignIn"


def test_never_means_never(tmp_path: Path) -> None:
    settings = Settings(
        tmp_path, transport="capture", queue=no_queue(), reload="never", grace=25
    )

    def use(relay: Reloading) -> None:
        settings.set(grace=27)
        assert relay.hup()["reason"] == 'reload = "never": restart'
        assert relay.said("reloaded") == []

    asyncio.run(reloading(settings, use))
