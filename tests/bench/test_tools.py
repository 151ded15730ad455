"""The bench's tools tell the truth: what one counts, the other has seen."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import tools
from bench.cases import Case
from bench.certificate import make_certificate
from bench.figures import percentile
from bench.mails import SUBJECT, USAGE, VARIABLES, mail, template
from bench.measure import Bench, Failed
from bench.process import cpu_seconds, memory, tree
from bench.relays import BASELINE, FLOOR, RELAY, Relay
from bench.tools import FakeSes, Load, Tools
from tests.server.relay_process import running_relay, until

SECONDS = 0.3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    try:
        return tools.build(tmp_path_factory.mktemp("built"))
    except tools.Unusable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def bench(made: Tools, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(made, tmp_path_factory.mktemp("bench"), drain=0.5)


@pytest.fixture
def ses(made: Tools, tmp_path: Path) -> Iterator[FakeSes]:
    make_certificate(tmp_path / "ses.pem")
    with FakeSes(made, tmp_path / "ses.pem", delay_ms=0, faults="throttle=25") as ses:
        yield ses


@pytest.mark.parametrize("per_connection", [0, 1, 3])
@pytest.mark.parametrize("pipelining", [False, True])
def test_the_generator_and_the_fake_ses_count_the_same_mails(
    made: Tools, bench: Bench, tmp_path: Path, per_connection: int, pipelining: bool
) -> None:
    case = Case(sessions=7, delay_ms=0)
    with bench.running(FLOOR, case) as (running, ses, directory):
        file, latencies = directory / "mail.eml", tmp_path / "latencies"
        file.write_bytes(mail(4000))
        load = Load(
            port=running.port,
            file=file,
            sessions=7,
            mails=100,
            per_connection=per_connection,
            pipelining=pipelining,
            latencies=latencies,
        )
        heard = tools.send(made, load)
        counts = ses.counts()
    assert heard["mails"] == counts["sent"] == counts["requests"] == 100
    assert heard["replies"] == {"250": 100}
    assert set(heard["errors"].values()) == {0}
    assert heard["connections"] >= (100 / per_connection if per_connection else 7)
    assert counts["connections"] == counts["handshakes"] <= 7
    # Base64 of the whole mail, and the JSON around it.
    assert counts["body_bytes"] > 100 * 4000 * 4 / 3
    times = [int(line) / 1000 for line in latencies.read_text().split()]
    assert len(times) == 100
    for share, name in ((0.5, "p50_ms"), (0.95, "p95_ms"), (0.99, "p99_ms")):
        assert heard[name] == pytest.approx(percentile(times, share), abs=0.001)
    assert heard["max_ms"] == pytest.approx(max(times), abs=0.001)


def test_the_fake_ses_answers_after_its_delay_and_many_wait_at_once(
    made: Tools, bench: Bench
) -> None:
    with bench.running(FLOOR, Case(sessions=20, delay_ms=50)) as (running, ses, folder):
        file = folder / "mail.eml"
        file.write_bytes(mail(1000))
        load = Load(port=running.port, file=file, sessions=20, mails=100)
        heard = tools.send(made, load)
        assert ses.counts()["sent"] == 100
    assert heard["p50_ms"] >= 50
    assert heard["seconds"] < 100 * 0.05 / 2  # one after the other takes 5 s


def test_the_fake_ses_throttles_the_share_that_it_was_told(
    ses: FakeSes, tmp_path: Path
) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "ses.pem")
    line = http.client.HTTPSConnection("127.0.0.1", ses.port, context=context)
    said = []
    for _ in range(8):
        line.request("POST", "/v2/email/outbound-emails", b'{"Content": {}}')
        answer = line.getresponse()
        said.append((answer.status, answer.headers["x-amzn-ErrorType"]))
        found = json.loads(answer.read())
        assert ("MessageId" in found) == (answer.status == 200)
    line.request("GET", "/v2/email/account")
    account = json.loads(line.getresponse().read())
    line.request("GET", "/elsewhere")
    missing = line.getresponse()
    missing.read()
    line.close()
    assert said.count((200, None)) == 6
    assert said.count((429, "TooManyRequestsException")) == 2
    assert account["SendQuota"]["MaxSendRate"] == 1_000_000
    assert missing.status == 404
    counts = ses.counts()
    assert counts["connections"] == counts["handshakes"] == 1
    assert (counts["sent"], counts["throttle"], counts["wrong"]) == (6, 2, 1)


def test_the_fake_ses_mixes_faults_by_their_weight(made: Tools, tmp_path: Path) -> None:
    make_certificate(tmp_path / "ses.pem")
    context = ssl.create_default_context(cafile=tmp_path / "ses.pem")
    faults = "throttle=20,internal=10,unavailable=5,refuse=5,reset=10"
    said: list[tuple[int, str | None]] = []
    resets = 0
    with FakeSes(made, tmp_path / "ses.pem", delay_ms=0, faults=faults) as ses:
        for _ in range(100):
            line = http.client.HTTPSConnection("127.0.0.1", ses.port, context=context)
            line.request("POST", "/v2/email/outbound-emails", b"{}")
            try:
                answer = line.getresponse()
            except (ConnectionError, http.client.RemoteDisconnected):
                resets += 1
            else:
                answer.read()
                said.append((answer.status, answer.headers["x-amzn-ErrorType"]))
            line.close()
        counts = ses.counts()
    expected = {
        (429, "TooManyRequestsException"): 20,
        (500, "InternalFailure"): 10,
        (503, None): 5,
        (400, "MessageRejected"): 5,
    }
    # Of two that are due with one call, the second comes with the next.
    for each, number in expected.items():
        assert said.count(each) == pytest.approx(number, abs=1)
    assert resets == counts["reset"] == pytest.approx(10, abs=1)
    assert counts["sent"] == said.count((200, None)) < 60
    assert counts["requests"] == 100


def test_a_fault_that_the_fake_ses_does_not_know_is_named(
    made: Tools, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "ses.pem")
    unknown = FakeSes(made, tmp_path / "ses.pem", delay_ms=0, faults="thunder=1")
    with pytest.raises(tools.Unusable, match="the fake SES ended with 1"), unknown:
        pass


def test_a_far_ses_is_far_for_the_handshake_too(made: Tools, tmp_path: Path) -> None:
    make_certificate(tmp_path / "ses.pem")
    context = ssl.create_default_context(cafile=tmp_path / "ses.pem")
    with FakeSes(made, tmp_path / "ses.pem", delay_ms=100, far=True) as ses:
        line = http.client.HTTPSConnection("127.0.0.1", ses.port, context=context)
        start = time.monotonic()
        line.connect()
        connected = time.monotonic()
        line.request("POST", "/v2/email/outbound-emails", b"{}")
        assert line.getresponse().status == 200
        answered = time.monotonic()
        line.close()
    assert connected - start >= 0.2
    assert answered - connected >= 0.1


def test_refusals_are_counted_by_their_code(made: Tools, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(b"X-Relay-Usage: Unheard\r\n\r\ntext\r\n")
    settings = {"RELAY_WITHOUT_USAGE": "reject"}
    with running_relay("--capture", settings=settings) as relay:
        load = Load(port=relay.port(), file=file, sessions=2, mails=10)
        heard = tools.send(made, load)
    assert heard["mails"] == 0
    assert heard["replies"] == {"550": 10}


def test_mail_arrives_as_the_file_holds_it(made: Tools, tmp_path: Path) -> None:
    content = b"From: a@acme.example\r\nSubject: dots\r\n\r\n.\r\n..two\r\nend.\r\n"
    file = tmp_path / "mail.eml"
    file.write_bytes(content)
    with running_relay() as relay:
        tools.send(made, Load(port=relay.port(), file=file, mails=1))
        shown = relay.next_captured()
    assert shown.content == content
    assert shown.recipients == ["someone@example.net"]


def test_the_templated_mail_becomes_the_templates(made: Tools, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(mail(4000, templated=True))
    one = {"usageType": USAGE, "subject": SUBJECT, "content": template()}
    settings = {"RELAY_TEMPLATES": json.dumps([one])}
    with running_relay("--capture", "--show", settings=settings) as relay:
        tools.send(made, Load(port=relay.port(), file=file, mails=1))
        content = relay.next_captured().content
    assert b"Subject: 123456 is your code for Acme\r\n" in content
    assert b"quick brown fox" not in content
    assert 1900 < len(template()) < 2300
    assert all(f"{{{{{name}}}}}" in template() for name in VARIABLES)


def test_large_mail_beside_small_is_counted_apart(made: Tools, bench: Bench) -> None:
    with bench.running(FLOOR, Case(sessions=2, delay_ms=0)) as (running, ses, folder):
        small, large = folder / "mail.eml", folder / "large.eml"
        small.write_bytes(mail(1000))
        large.write_bytes(mail(3_000_000))
        load = Load(
            port=running.port,
            file=small,
            sessions=2,
            seconds=SECONDS,
            large_file=large,
            large_sessions=1,
        )
        heard = tools.send(made, load)
        sent = ses.counts()["sent"]
    assert heard["large"]["mails"] > 0
    assert heard["mails"] + heard["large"]["mails"] == sent


def test_idle_connections_are_held_until_the_block_ends(made: Tools) -> None:
    ended = threading.Semaphore(0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(client: socket.socket) -> None:
            with client:
                client.sendall(b"220 here\r\n")
                assert client.recv(100) == b"EHLO bench.example\r\n"
                client.sendall(b"250-here\r\n250 SIZE 1\r\n")
                assert client.recv(100) == b""
            ended.release()

        def accept() -> None:
            for _ in range(30):
                threading.Thread(target=serve, args=(server.accept()[0],)).start()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        with tools.idle(made, server.getsockname()[1], 30) as held:
            assert held == 30
            assert not ended.acquire(blocking=False)
        acceptor.join()
        for _ in range(30):
            assert ended.acquire(timeout=10)


@pytest.mark.parametrize("relay", [RELAY, BASELINE, FLOOR], ids=lambda one: one.name)
def test_each_relay_of_ours_can_be_measured(bench: Bench, relay: Relay) -> None:
    sample = bench.sample(relay, Case(sessions=3, delay_ms=5), seconds=SECONDS)
    assert sample.mails > 0
    assert sample.errors == sample.queued == 0
    assert 0 < sample.cpu_ms < 1000
    assert 5 <= sample.p50_ms <= sample.p95_ms <= sample.p99_ms <= sample.max_ms
    assert sample.peak > 10_000_000
    # One per session, kept; and one for the account's quota, asked for meanwhile.
    assert sample.ses_connections <= 4


def test_start_and_idle_memory_are_measured(bench: Bench) -> None:
    found = bench.footprint(FLOOR, starts=2, connections=(10, 20))
    assert len(found.seconds_to_220) == 2
    assert all(0 < seconds < 30 for seconds in found.seconds_to_220)
    assert found.held == {10: 10, 20: 20}
    assert 0 <= found.others_load <= 1
    assert found.idle > 10_000_000
    assert all(size >= found.idle * 0.9 for size in found.with_connections.values())


def test_a_relay_that_keeps_what_it_accepts_to_itself_has_no_figure(
    bench: Bench,
) -> None:
    command = (sys.executable, "-m", "relay", "serve", "--capture", "-c", "{config}")
    with pytest.raises(Failed, match="were accepted, and SES got 0"):
        bench.sample(Relay("capture", command), Case(sessions=1), seconds=SECONDS)


def test_a_relay_that_does_not_start_says_why(bench: Bench) -> None:
    command = (sys.executable, "-c", "raise SystemExit('no such setting')", "{port}")
    with pytest.raises(Failed, match="it did not start: no such setting"):
        bench.sample(Relay("broken", command), Case(sessions=1), seconds=SECONDS)


def test_a_relay_that_is_not_there_says_so(bench: Bench) -> None:
    with pytest.raises(Failed, match="/no/such/relay: No such file or directory"):
        bench.sample(
            Relay("away", ("/no/such/relay",)), Case(sessions=1), seconds=SECONDS
        )


def test_a_server_that_is_away_ends_the_generator(made: Tools, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(mail(1000))
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        heard = tools.send(made, Load(port=port, file=file, sessions=2, seconds=30))
    assert heard["mails"] == 0
    assert heard["errors"]["gave_up"] == 2
    assert heard["errors"]["not_connected"] == heard["connections"]


BUSY = """
import sys, time, subprocess
def burn(seconds):
    while time.process_time() < seconds: pass
burn(0.3)
if sys.argv[1:] == ["parent"]:
    subprocess.run([sys.executable, __file__], check=True)
    child = subprocess.Popen([sys.executable, __file__, "wait"], stdin=sys.stdin)
    child.wait()
else:
    print("burnt", flush=True)
    if sys.argv[1:] == ["wait"]: sys.stdin.read()
"""


def test_cpu_time_counts_children_that_live_and_those_that_ended(
    tmp_path: Path,
) -> None:
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    with subprocess.Popen(
        [sys.executable, str(script), "parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == b"burnt\n"
        until(lambda: len(tree(process.pid)) == 2)
        used = cpu_seconds(process.pid)
        size = memory(process.pid)
    assert 0.87 < used < 1.5  # three times 0.3, ticks of 0.01, and the starts
    assert 0 < size.resident <= size.peak
