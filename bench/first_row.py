"""How soon the first row stands there: `python -m bench.first_row`, of 10,000 mails.

A relay in capture mode takes them, and Chromium opens the list anew in turns with a
page that has a row and nothing else, which tells what is the browser's own; each time
in a new context, so that nothing is cached, and once the browser has come to rest: when
it has opened a window it is busy with itself for a second or so. The times are its own,
from the navigation to the first row in the document, and to the frame that shows it;
beside them the processor time that browser and relay took until then, which others on
the machine hardly change. Needs playwright and Chromium, as the tests do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from bench.relays import free_port

PATIENCE = 60.0  # seconds until the relay has to be there
REST = 0.3  # seconds; a browser that took a hundredth of it or less is at rest
LONGEST_UNREST = 10.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")
EMPTY = b"<!doctype html><title>x</title><div class=list><ol><li>x</li></ol></div>"
Sample = dict[str, float]  # milliseconds by what they are
MESSAGE = b"From: app@acme.example\r\nTo: %s\r\nSubject: Mail %d\r\n\r\nHello.\r\n"
# Set before any script of the page: the first row in the document, and its frame.
WATCH = """
new MutationObserver((_, watching) => {
  if (!document.querySelector(".list li")) return;
  watching.disconnect();
  window.first = performance.now();
  requestAnimationFrame(() => { window.seen = performance.now(); });
}).observe(document, { childList: true, subtree: true });
"""


def main(words: Sequence[str]) -> int:
    """Measure, and print medians."""
    parser = argparse.ArgumentParser("python -m bench.first_row", description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args(words)
    with _relay() as (smtp, web), _empty_page() as nothing:
        _send(smtp, options.mails)
        pages = {
            "a page with nothing": f"http://127.0.0.1:{nothing}/",
            f"the list of {options.mails} mails": f"http://127.0.0.1:{web}/mails",
        }
        found = _opened(pages, options.repeats)
    for page, samples in found.items():
        print(f"{page}, {options.repeats} times")
        for what in samples[0]:
            values = [one[what] for one in samples]
            print(
                f"  {what:15} {statistics.median(values):5.0f} ms"
                f" ({min(values):.0f} to {max(values):.0f})"
            )
    return 0


class _Nothing(BaseHTTPRequestHandler):
    """Answers all with one row."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(EMPTY)))
        self.end_headers()
        self.wfile.write(EMPTY)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def _empty_page() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) as server:
        serving = Thread(target=server.serve_forever)
        serving.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            serving.join()


@contextmanager
def _relay() -> Iterator[tuple[int, int]]:
    smtp, web = free_port(), free_port()
    settings = {
        "RELAY_LISTENERS": f'[{{"address": "127.0.0.1:{smtp}"}}]',
        "RELAY_WEB__LISTEN": f"127.0.0.1:{web}",
    }
    with (
        TemporaryDirectory() as directory,
        subprocess.Popen(
            [sys.executable, "-m", "relay", "serve", "--capture"],
            cwd=directory,
            env={**os.environ, **settings, "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running,
    ):
        try:
            _wait(web)
            yield smtp, web
        finally:
            running.terminate()


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        if time.monotonic() > until:
            raise SystemExit("the relay does not answer")
        time.sleep(0.05)


def _send(port: int, mails: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
        for number in range(mails):
            to = f"someone{number}@example.com"
            client.sendmail("app@acme.example", [to], MESSAGE % (to.encode(), number))


def _opened(pages: Mapping[str, str], repeats: int) -> dict[str, list[Sample]]:
    """Milliseconds until the first row, of each page in turns."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    found: dict[str, list[Sample]] = {page: [] for page in pages}
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(repeats):
            for name, url in pages.items():
                context = browser.new_context(bypass_csp=True)  # nothing is cached
                page = context.new_page()
                page.add_init_script(WATCH)
                _wait_for_rest()
                before = _processor_time()
                page.goto(url)
                page.wait_for_function("window.seen", timeout=PATIENCE * 1000)
                took = _processor_time() - before
                first, seen = page.evaluate("[window.first, window.seen]")
                found[name].append(
                    {
                        "in the document": first,
                        "shown": seen,
                        "processor time": 1000 * took,
                    }
                )
                context.close()
        browser.close()
    return found


def _wait_for_rest() -> None:
    until, took = time.monotonic() + LONGEST_UNREST, _processor_time()
    while time.monotonic() < until:
        time.sleep(REST)
        before, took = took, _processor_time()
        if took - before <= max(REST / 100, 1 / TICKS):
            return


def _processor_time() -> float:
    """Seconds that the processes below this one took, by /proc of Linux."""
    children: dict[int, list[tuple[int, int]]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        ticks = int(fields[11]) + int(fields[12])
        children.setdefault(int(fields[1]), []).append((int(file.parent.name), ticks))
    total, ways = 0, [os.getpid()]
    while ways:
        for process, ticks in children.get(ways.pop(), ()):
            total += ticks
            ways.append(process)
    return total / TICKS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
