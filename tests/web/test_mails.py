"""The list of mails, the story of each, and what is in captured ones."""

from __future__ import annotations

import json
import select
import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from http.client import HTTPConnection, HTTPException
from itertools import count
from urllib.parse import urlencode

import pytest

from tests.fake_ses import error
from tests.server.relay_process import WAIT, until
from tests.server.test_life import through
from tests.web.site import (
    TEMPLATE,
    Site,
    fake_ses,
    mail,
    running_site,
    sending_site,
    submit,
    templated,
)


def ids(site: Site, query: str = "") -> list[str]:
    """The recipients that a list shows: one each, and unlike."""
    found = site.get(f"/api/v1/mails{query}").json["mails"]
    return [one["to"][0].partition("@")[0] for one in found]


@pytest.fixture
def four(site: Site) -> Site:
    site.submit(mail("one@example.com", "Invoice 17"))
    site.submit(templated("123456", "two@example.com"))
    site.submit(mail("reject@relay.test, three@example.com", "Refused"))
    site.submit(mail("four@example.org", "Überschrift"))
    return site


def test_the_newest_mail_stands_first_and_filters_choose(four: Site) -> None:
    assert ids(four) == ["four", "reject", "two", "one"]
    assert ids(four, "?usage=SignIn") == ["two"]
    assert ids(four, "?state=captured") == ["four", "two", "one"]
    assert ids(four, "?state=refused") == ["reject"]
    assert ids(four, "?to=%40example.COM") == ["reject", "two", "one"]
    assert ids(four, "?q=invoice+17") == ["one"]
    assert ids(four, "?q=%C3%BCberschrift") == ["four"]
    assert ids(four, "?q=invoice+four") == []
    first = four.get("/api/v1/mails").json["mails"][-1]["at"]
    assert ids(four, f"?until={first}") == []
    assert len(ids(four, f"?since={first}")) == 4


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("from:acme subject:invoice", ["one"]),
        ("-invoice", ["four", "reject", "two"]),
        ("-to:example.com", ["four"]),
        ('"invoice 17"', ["one"]),
        ('"17 invoice"', []),
        ('subject:"invoice 17" from:APP@', ["one"]),
        ("usage:signin", ["two"]),
        ("state:refused", ["reject"]),
        ("-state:captured to:relay.test", ["reject"]),
        ("since:10m", ["four", "reject", "two", "one"]),
        ("until:10m", []),
        ("-since:10m", []),
        ("since:2020-01-01 until:2020-01-02T10:30", []),
        ("http://x Re: 12:30", []),
    ],
)
def test_words_of_the_search_say_what_is_wanted(
    four: Site, words: str, found: list[str]
) -> None:
    assert ids(four, f"?{urlencode({'q': words})}") == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("form:acme", "q: form: is none of usage:, state:, to:, from:, subject:, "),
        ("since:soon", "q: since:soon: such as 10m, 2h, 7d, 2026-11-24 or "),
        ("state:lost", "q: state:lost: one of captured, sent, "),
    ],
)
def test_words_that_the_search_does_not_know_are_said(
    site: Site, words: str, said: str
) -> None:
    answer = site.get(f"/api/v1/mails?{urlencode({'q': words})}")
    assert answer.status == 400
    assert answer.json["error"].startswith(said)


def test_times_of_the_search_are_those_of_the_readers_clock(site: Site) -> None:
    site.submit(mail())
    [one] = site.get("/api/v1/mails").json["mails"]
    moment = datetime.fromtimestamp(one["at"] - 60, UTC)
    for zone in (0, 330, -480):
        there = (moment + timedelta(minutes=zone)).strftime("%Y-%m-%dT%H:%M:%S")
        asked = urlencode({"q": f"since:{there}", "zone": zone})
        assert len(site.get(f"/api/v1/mails?{asked}").json["mails"]) == 1
        asked = urlencode({"q": f"until:{there}", "zone": zone})
        assert site.get(f"/api/v1/mails?{asked}").json["mails"] == []
    assert site.get("/api/v1/mails?zone=1440").status == 400


def test_a_long_list_is_read_page_by_page(four: Site) -> None:
    seen: list[str] = []
    before = ""
    while True:
        page = four.get(f"/api/v1/mails?limit=3{before}").json
        seen += [one["to"][0] for one in page["mails"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(seen) == len(set(seen)) == 4


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=x", "limit=9999999999999999999"),
        *("before=-1", "state=lost", "since=soon", "since=nan", "until=-1"),
        f"q={'x' * 501}",
    ],
)
def test_what_cannot_be_asked_is_named(site: Site, query: str) -> None:
    answer = site.get(f"/api/v1/mails?{query}")
    assert answer.status == 400
    assert answer.json["error"].startswith(query.partition("=")[0])


def test_a_story_has_all_but_the_content(site: Site) -> None:
    reply = site.submit(templated("123456"))
    [one] = site.get("/api/v1/mails").json["mails"]
    story = site.get(f"/api/v1/mails/{one['id']}").json
    assert story["reply"] == reply
    assert story["peer"] == "127.0.0.1"
    assert story["listener"] == "local"
    assert (story["usage"], story["template"]) == ("SignIn", "SignIn")
    assert story["variables"] == ["code"]
    assert [one["answer"] for one in story["attempts"]] == ["accepted"]
    assert story["calls"][0]["messageId"] == one["id"]
    assert story["parameters"] == [
        {
            "Destination": {"ToAddresses": ["ann@example.com"]},
            "EmailTags": [{"Name": "usage", "Value": "SignIn"}],
        }
    ]
    assert site.get("/api/v1/mails/nosuchmail").status == 404


def test_mail_that_the_relay_refuses_has_its_story_too(site: Site) -> None:
    message = mail()
    message["X-Relay-Usage"] = "SignIn"  # and no code
    assert site.submit(message).startswith("550 5.6.0")
    [one] = site.get("/api/v1/mails").json["mails"]
    assert one["state"] == "refused"
    assert one["reply"] == "550 5.6.0 Variables not given: code"
    assert (one["usage"], one["subject"]) == ("SignIn", "Hello")
    story = site.get(f"/api/v1/mails/{one['id']}").json
    assert ["Subject", "Hello"] in story["headers"]
    assert ["X-Relay-Usage", "SignIn"] in story["headers"]


def test_where_mail_is_sent_a_refused_one_has_the_names_of_its_headers_alone() -> None:
    with (
        fake_ses() as ses,
        sending_site(through(ses, RELAY_TEMPLATES=TEMPLATE)) as site,
    ):
        message = mail(subject="Secret 314159")
        message["X-Relay-Usage"] = "SignIn"
        message["X-Relay-Variables"] = '{"other": "314159"}'
        assert site.submit(message).startswith("550 5.6.0")
        [one] = site.get("/api/v1/mails").json["mails"]
        story = site.get(f"/api/v1/mails/{one['id']}")
        assert story.json["usage"] == "SignIn"
        assert ["X-Relay-Variables", ""] in story.json["headers"]
        assert b"314159" not in story.body


def test_an_identity_that_ses_refuses_is_named_and_goes_when_it_passes() -> None:
    refused = error("MessageRejected", 400, "Email address is not verified.")
    with fake_ses(refused) as ses, sending_site(through(ses)) as site:
        other = mail()
        other.replace_header("From", "other@acme.example")

        def troubles() -> list[str]:
            found = site.get("/api/v1/status").json["troubles"]
            assert all(not one["cure"].startswith("Email address") for one in found)
            return [one["text"] for one in found]

        assert site.submit(mail()).startswith("554 5.7.1")
        said = (
            "SES refuses mail from app@acme.example: Message rejected: "
            "Email address is not verified."
        )
        assert troubles() == [said]
        assert site.submit(other).startswith("250")  # others pass, and this one stays
        assert troubles() == [said]
        assert site.submit(mail()).startswith("250")
        assert troubles() == []


def test_a_captured_mail_is_there_whole(site: Site) -> None:
    message = mail(subject="Grüße")
    message.add_alternative(
        '<p>Hi <a href="https://acme.example/a?b=1&amp;c=2">there</a>'
        '<img src="https://tracker.example/x.gif"></p>',
        subtype="html",
    )
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="é")
    site.submit(message)
    [one] = site.get("/api/v1/mails").json["mails"]
    content = site.get(f"/api/v1/mails/{one['id']}/content").json
    assert content["subject"] == "Grüße"
    assert content["text"] == "hello\n"
    assert "<p>Hi" in content["html"]
    assert content["links"] == ["https://acme.example/a?b=1&c=2"]
    assert content["remote"] == 1
    assert content["attachments"] == [
        {"name": "é", "type": "application/pdf", "size": 4, "shown": ""}
    ]
    raw = site.get(f"/api/v1/mails/{one['id']}/raw")
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment;")
    assert raw.body.replace(b"\r\n", b"\n").rstrip() == message.as_bytes().rstrip()


def test_a_mail_is_shown_in_a_frame_that_runs_and_loads_nothing(site: Site) -> None:
    message = mail()
    message.add_alternative(
        "<script>alert(1)</script><link rel=preconnect href=//t.example>"
        '<meta http-equiv=refresh content="0;//t.example"><base href=//t.example>hi',
        subtype="html",
    )
    site.submit(message)
    [one] = site.get("/api/v1/mails").json["mails"]
    view = site.get(f"/view/{one['id']}")
    assert view.headers["content-security-policy"].startswith(
        "sandbox allow-popups allow-popups-to-escape-sandbox; "
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    )
    assert view.headers["x-frame-options"] == "SAMEORIGIN"
    for tag in (b"<link", b"<meta", b"<base"):
        assert tag not in view.body
    remote = site.get(f"/view/{one['id']}?remote=1").headers["content-security-policy"]
    assert remote.startswith(
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
    )
    assert "script-src" not in remote


def test_images_that_came_with_a_mail_are_shown_without_asking(site: Site) -> None:
    message = mail()
    message.add_alternative('<img src="cid:logo@acme">', subtype="html")
    html = list(message.iter_parts())[1]
    assert isinstance(html, EmailMessage)
    html.add_related(b"GIF89a", "image", "gif", cid="<logo@acme>")
    site.submit(message)
    [one] = site.get("/api/v1/mails").json["mails"]
    content = site.get(f"/api/v1/mails/{one['id']}/content").json
    assert 'src="data:image/gif;base64,R0lGODlh"' in content["html"]
    assert content["remote"] == 0


def test_waiting_ends_when_the_mail_comes(site: Site) -> None:
    timer = threading.Timer(
        0.3, submit, (site.relay.port(), templated("481516", "bob@example.com"))
    )
    timer.start()
    site.submit(mail("ann@example.com"))
    found = site.get("/api/v1/wait?to=BOB%40example.com&timeout=15")
    timer.join()
    assert found.status == 200
    assert found.json["code"] == "481516"
    again = site.get("/api/v1/wait?to=bob%40example.com&usage=SignIn&timeout=0")
    assert again.json["id"] == found.json["id"]
    after = site.get(f"/api/v1/wait?after={found.json['id']}&timeout=0.1")
    assert after.status == 404
    assert after.json == {"error": "No such mail came within 0.1 s"}
    code = site.get(f"/api/v1/mails/{found.json['id']}/code")
    assert code.json == {"code": "481516"}


def test_clearing_forgets_mail_and_stories(site: Site) -> None:
    site.submit(mail())
    [one] = site.get("/api/v1/mails").json["mails"]
    assert site.ask("DELETE", "/api/v1/mails").json == {"cleared": 1}
    listed = site.get("/api/v1/mails").json
    assert (listed["mails"], listed["next"], listed["kept"]) == ([], None, 0)
    assert site.get(f"/api/v1/mails/{one['id']}/raw").status == 404


class Reader:
    """One reader of the event stream."""

    def __init__(self, site: Site) -> None:
        self.connection = HTTPConnection("127.0.0.1", site.port, timeout=WAIT)
        self.connection.request("GET", "/api/v1/events")
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        assert self.response.headers["content-type"] == "text/event-stream"
        self.lines = self._lines()
        assert next(self.lines) == "retry: 2000"

    def _lines(self) -> Iterator[str]:
        while line := self.response.readline():
            yield line.decode().rstrip("\n")

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def event(self, name: str) -> str:
        for line in self.lines:
            if line == f"event: {name}":
                return next(self.lines).removeprefix("data: ")
        raise AssertionError(f"the stream ended before {name}")


def test_readers_hear_of_mail_in_bundles(site: Site) -> None:
    reader = Reader(site)
    for number in range(5):
        site.submit(mail(f"r{number}@example.com"))
    seen: set[str] = set()
    bundles = 0
    while len(seen) < 5:
        data = reader.event("mails")
        bundles += 1
        seen |= {f"r{number}" for number in range(5) if f"r{number}@" in data}
    assert bundles <= 5
    assert '"counts"' in reader.event("point")
    listed = site.get("/api/v1/mails").json
    assert site.ask("DELETE", "/api/v1/mails").status == 200
    cleared = json.loads(reader.event("cleared"))
    assert cleared["oldest"] == 1 + max(one["seq"] for one in listed["mails"])
    reader.close()


def test_a_reader_is_told_how_far_the_relay_is_and_what_changed_since(
    site: Site,
) -> None:
    site.submit(mail("one@example.com"))
    reader = Reader(site)
    here = json.loads(reader.event("here"))
    listed = site.get("/api/v1/mails").json
    assert here == {name: listed[name] for name in here}
    site.submit(mail("two@example.com"))
    told = json.loads(reader.event("mails"))
    assert (told["run"], told["since"], told["more"]) == (
        here["run"],
        here["asOf"],
        False,
    )
    assert [one["to"] for one in told["mails"]] == [["two@example.com"]]
    assert told["mails"][0]["rev"] == told["asOf"]
    # The same is had by asking, whatever was missed; with a search, what is not in it.
    changed = f"/api/v1/mails?changed={here['asOf']}"
    found = site.get(changed).json
    assert (found["mails"], found["asOf"]) == (told["mails"], told["asOf"])
    seq = told["mails"][0]["seq"]
    assert site.get(f"{changed}&to=one%40").json["gone"] == [seq]
    assert site.get(f"{changed}&after={seq}").json["mails"] == []
    reader.close()


def test_a_reader_is_told_of_a_mail_that_is_deleted(site: Site) -> None:
    site.submit(mail())
    [one] = site.get("/api/v1/mails").json["mails"]
    reader = Reader(site)
    reader.event("here")
    assert site.ask("DELETE", f"/api/v1/mails/{one['id']}").status == 200
    told = json.loads(reader.event("mails"))
    assert (told["gone"], told["mails"]) == ([one["seq"]], [])
    reader.close()


def test_of_a_crowd_of_changes_a_reader_is_told_the_newest(
    site: Site,
) -> None:
    reader = Reader(site)
    here = json.loads(reader.event("here"))
    with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
        for number in range(200):
            client.sendmail("a@b.example", f"r{number}@example.com", "\r\nx\r\n")
    seen: list[str] = []
    since = here["asOf"]
    while len(seen) < 200:
        told = json.loads(reader.event("mails"))
        assert told["since"] == since  # nothing is left out between two bundles
        since = told["asOf"]
        if told["more"]:
            newest = [one["seq"] for one in told["mails"]]
            assert 50 < len(newest) <= 100  # however many there were
            assert newest == list(range(newest[0], newest[0] - len(newest), -1))
            changed = f"/api/v1/mails?limit=500&changed={told['since']}"
            told = site.get(changed).json
        seen = list({*seen, *(one["to"][0] for one in told["mails"])})
    reader.close()


def test_a_stop_ends_the_readers() -> None:
    with running_site() as site:
        reader = Reader(site)
        reader.event("here")
        assert site.relay.stop() == 0
        assert [line for line in reader.lines if line.startswith("event")] == []
        reader.close()


def test_readers_that_left_are_forgotten(site: Site) -> None:
    for _ in range(60):  # more than may read at a time
        reader = Reader(site)
        reader.close()
        until(lambda: site.get("/api/v1/status").status == 200)
        site.submit(mail())
    assert site.get("/api/v1/mails?limit=1").status == 200


def test_a_reader_that_does_not_keep_up_is_dropped(site: Site) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", site.port))
        slow.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"
        reader = Reader(site)  # one that keeps up is told all the same
        with smtplib.SMTP("127.0.0.1", site.relay.port()) as client:
            for _ in range(24):
                for _ in range(24):  # so few that all of them are in the bundle
                    client.sendmail(
                        "a@b.example", "c@d.example", f"Subject: {'x' * 900}\r\n\r\n"
                    )
                reader.event("mails")
        assert was_reset(slow)
        reader.close()


def was_reset(line: socket.socket) -> bool:
    """Tell whether the other side gave up, before it was read to the end."""
    ended = select.poll()
    ended.register(line, select.POLLERR | select.POLLHUP)
    return bool(ended.poll(WAIT * 1000))


def test_who_gives_up_waiting_leaves_the_place_to_another(site: Site) -> None:
    path = "/api/v1/wait?to=nobody@example.com&timeout="
    made = count(1)
    with ExitStack() as lines:

        def one_more() -> None:
            assert next(made) < 250, "nobody is told that there is no place"
            line = socket.create_connection(("127.0.0.1", site.port), timeout=WAIT)
            lines.enter_context(line)
            line.sendall(f"GET {path}300 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        def no_place_is_left() -> bool:
            one_more()  # one whose head came too slowly has lost its place
            return site.get(f"{path}0").status == 503

        for _ in range(99):  # of the 100 that may wait at a time
            one_more()
        until(no_place_is_left)
    until(lambda: site.get(f"{path}0").status == 404)


def test_a_request_without_a_host_is_refused_without_a_question_to_the_dns(
    site: Site,
) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=WAIT) as line:
        line.sendall(b"GET /api/v1/status HTTP/1.0\r\n\r\n")
        assert line.recv(12) == b"HTTP/1.0 403"


def test_connections_have_a_limit_and_the_page_outlives_those_above_it(
    site: Site,
) -> None:
    lines = [
        socket.create_connection(("127.0.0.1", site.port), timeout=WAIT)
        for _ in range(600)
    ]
    assert lines[0].recv(1) == b""  # the one that was silent longest
    for line in lines:
        line.close()
    until(lambda: answers(site))


def answers(site: Site) -> bool:
    try:
        return site.get("/api/v1/status").status == 200
    except (OSError, HTTPException):
        return False
