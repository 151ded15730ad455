"""A disk that is full, or takes no writes at all, and has room again later."""

from __future__ import annotations

import asyncio
import os
import resource
import smtplib
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from relay.queue import file
from tests.fake_ses import Answer, FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay, until
from tests.server.test_life import relay_command, through

NOT_KEPT = (451, b"4.3.0 The mail cannot be kept now, try again later")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; without the right to mount one, an ordinary directory."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", "size=24M", "tmpfs", os.fspath(path))
    if not mounted and os.geteuid() == 0 and not os.environ.get("CI"):
        pytest.skip("this machine mounts no tmpfs, not even for root")
    yield path
    if mounted:
        subprocess.run(["umount", "--lazy", path], check=True)


def _mount(*arguments: str) -> bool:
    try:
        found = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return found.returncode == 0


def is_small(path: Path) -> bool:
    """Tell whether the file system of its own could be mounted."""
    return path.is_mount()


@dataclass
class Disk:
    """Takes no more writes of the relay, or takes them again."""

    fill: Callable[[RelayProcess], None]
    clear: Callable[[RelayProcess], None]


def _filled(directory: Path) -> Disk:
    filler = directory / "filler"

    def fill(relay: RelayProcess) -> None:
        with filler.open("wb", buffering=0) as one:
            try:
                while True:
                    one.write(bytes(4096))
            except OSError:
                pass

    return Disk(fill, lambda relay: filler.unlink())


def _limited() -> Disk:
    """Every write to a file fails, as on a disk that turned read-only."""

    def limit(relay: RelayProcess, size: int) -> None:
        _, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    return Disk(
        lambda relay: limit(relay, 1),
        lambda relay: limit(relay, resource.RLIM_INFINITY),
    )


def spooled(ses: FakeSes, directory: Path, **more: str) -> dict[str, str]:
    """A relay with its spool there, that tries often."""
    settings = {
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_QUEUE__PATH": os.fspath(directory / "spool.db"),
        "RELAY_QUEUE__ANSWER_WITHIN": "10",
        "RELAY_QUEUE__RETRY_DELAYS": "[0.2]",
    }
    return through(ses, **{**settings, **more})


def submit(port: int, name: str, size: int = 10) -> tuple[int, bytes]:
    """Send one mail, and give its reply."""
    head = f"From: a@b.example\r\nMessage-ID: <{name}@b.example>\r\n\r\n"
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("a@b.example")
        smtp.rcpt("c@d.example")
        return smtp.data(head.encode() + (b"x" * 68 + b"\r\n") * (size // 70))


def names(ses: FakeSes) -> list[str]:
    """Which mails SES got."""
    return sorted(name_of(one.mail) for one in ses.sent)


def name_of(mail: bytes) -> str:
    """The name that a mail was submitted by."""
    return mail.partition(b"Message-ID: <")[2].partition(b"@")[0].decode()


def states(directory: Path) -> list[str]:
    """Where the mails of the spool stand, as somebody beside the relay sees it."""
    connection = file.opened(directory / "spool.db", write=False)
    try:
        found = connection.execute("SELECT state FROM job ORDER BY seq").fetchall()
        return [one[0] for one in found]
    finally:
        connection.close()


def empty_log(directory: Path) -> None:
    """Take from the spool the room that its log has already."""
    connection = file.opened(directory / "spool.db", write=True)
    try:
        [busy, *_] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert not busy
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["full", "no writes"])
async def test_a_disk_without_room_refuses_what_has_to_wait_and_forgets_no_end(
    small: Path, kind: str
) -> None:
    disk = _filled(small) if kind == "full" and is_small(small) else _limited()
    async with FakeSes() as ses:

        def work() -> dict[str, tuple[int, bytes]]:
            replies = {}
            settings = spooled(ses, small, RELAY_QUEUE__ANSWER_WITHIN="0.3")
            with running_relay("-c", os.devnull, settings=settings) as relay:
                replies["before"] = submit(relay.port(), "before")
                ses.answers.append(Answer(seconds=8))
                replies["under way"] = submit(relay.port(), "under way")
                assert states(small) == ["sending"]
                empty_log(small)
                disk.fill(relay)
                # SES is silent, so that these would have to wait.
                replies["meanwhile"] = submit(relay.port(), "meanwhile")
                replies["still"] = submit(relay.port(), "still", 100_000)
                relay.event("end not written")
                # What SES takes at once needs no disk.
                replies["past it"] = submit(relay.port(), "past it")
                disk.clear(relay)
                # Back to work by itself, and the end is on the disk.
                until(lambda: states(small) == ["sent"])
                replies["after"] = submit(relay.port(), "after")
                assert relay.stop() == 0
                assert "Traceback" not in "".join(relay.stderr)
            return replies

        replies = await asyncio.to_thread(work)
        assert names(ses) == ["after", "before", "past it", "under way"]
    for name in ("before", "past it", "after"):
        assert replies[name][0] == 250
        assert b" Ok " in b" " + replies[name][1]
    assert replies["under way"][0] == 250
    assert b"queued as" in replies["under way"][1]
    assert (replies["meanwhile"], replies["still"]) == (NOT_KEPT, NOT_KEPT)


async def test_a_spool_that_fills_its_disk_is_emptied_and_takes_mail_again(
    small: Path,
) -> None:
    if not is_small(small):
        pytest.skip("needs a small file system, which only root may mount")
    async with FakeSes() as ses:
        url = ses.url
    # Nobody listens there now: an outage, with few attempts that no one needs here.
    more = {"RELAY_QUEUE__ANSWER_WITHIN": "0.2", "RELAY_QUEUE__RETRY_DELAYS": "[2]"}
    settings = spooled(ses, small, **more)
    with running_relay("-c", os.devnull, settings=settings) as relay:
        kept = []
        for number in range(500):
            code, text = submit(relay.port(), f"m{number}", 200_000)
            if code != 250:
                break
            kept.append(f"m{number}")
        assert (code, text) == NOT_KEPT
        assert len(kept) > 20
        port = int(url.rpartition(":")[2])
        async with FakeSes(port=port) as again:
            async with asyncio.timeout(20):
                while len(set(names(again))) < len(kept):
                    again.arrived.clear()
                    await again.arrived.wait()
            # Each of them once; what was answered 451 not at all.
            assert names(again) == sorted(kept)
            done = ["sent"] * len(kept)
            await asyncio.to_thread(until, lambda: states(small) == done)
            # Its space is given back within seconds.
            await asyncio.to_thread(
                until, lambda: submit(relay.port(), "after", 200_000)[0] == 250
            )
        assert relay.stop() == 0


@pytest.mark.parametrize("refused", [0, 2], ids=["all is taken", "half is refused"])
async def test_a_disk_filled_by_mail_of_all_sizes_drains_and_takes_mail_again(
    small: Path, refused: int
) -> None:
    """Four clients, 2 MB down to 5 kB each, until the disk takes nothing any more."""
    if not is_small(small):
        pytest.skip("needs a small file system, which only root may mount")
    async with FakeSes() as ses:
        url = ses.url
    # Nobody listens there now: an outage.
    more = {"RELAY_QUEUE__ANSWER_WITHIN": "0.2", "RELAY_QUEUE__RETRY_DELAYS": "[1]"}
    settings = spooled(ses, small, **more)
    with running_relay("-c", os.devnull, settings=settings) as relay:
        with ThreadPoolExecutor(4) as pool:
            clients = [
                pool.submit(_fill_with_mail, relay.port(), f"c{number}")
                for number in range(4)
            ]
            kept = [name for client in clients for name in client.result()]
        assert len(kept) > 8
        port = int(url.rpartition(":")[2])
        async with FakeSes(port=port) as again:
            # What SES refuses stays, with its content.
            for number in range(len(kept) * bool(refused)):
                taken = number % refused == 0
                again.answers.append(Answer() if taken else error("MessageRejected"))
            waiting = {"queued", "sending"}
            await asyncio.to_thread(until, lambda: not waiting & set(states(small)))
            if not refused:
                assert names(again) == sorted(kept)
            assert len(states(small)) == len(kept)
            again.answers.clear()
            # Some may have failed large, and the space of the others is given back.
            for size in (2_000_000, 5000, 2_000_000):
                await asyncio.to_thread(until, partial(_is_taken, relay.port(), size))
        assert relay.stop() == 0
        assert "spool not closed well" not in "".join(relay.stderr)


def _is_taken(port: int, size: int) -> bool:
    return submit(port, "after", size)[0] == 250


def _fill_with_mail(port: int, client: str) -> list[str]:
    """Submit mails of each size until it is refused, large ones first: those kept."""
    kept: list[str] = []
    for size in (2_000_000, 700_000, 150_000, 30_000, 5000):
        code = 250
        while code == 250:
            name = f"{client}-{len(kept)}"
            code, text = submit(port, name, size)
            if code == 250:
                kept.append(name)
        assert (code, text) == NOT_KEPT
    return kept


def test_a_spool_on_a_read_only_disk_stops_the_start(small: Path) -> None:
    settings = {
        "RELAY_TRANSPORT": "capture",
        "RELAY_QUEUE__PATH": os.fspath(small / "spool.db"),
        "RELAY_LISTENERS": '[{"address": "127.0.0.1:0"}]',
    }
    if is_small(small):
        assert _mount("-o", "remount,ro", os.fspath(small))
    else:
        small.chmod(0o500)
    found = relay_command("serve", "-c", os.devnull, settings=settings)
    assert (found.returncode, "Traceback" in found.stderr) == (2, False)
    assert f"queue.path = {small / 'spool.db'}: " in found.stderr
    cures = (
        "must exist and be writable",
        "its disk is read-only",
        "as the relay's user",
    )
    assert any(cure in found.stderr for cure in cures)
