"""The last words at a stop: who hears 421, and who is let say QUIT first."""

from __future__ import annotations

import signal
import smtplib
import threading
import time

import pytest

from tests.server.relay_process import running_relay
from tests.server.test_life import MAIL, Client


def test_who_has_just_heard_of_its_mail_has_a_second_for_its_quit() -> None:
    with running_relay() as relay:
        before, after = Client(relay.port()), Client(relay.port())
        before.submit()
        assert before.reply().startswith("250 ")
        after.begin()
        relay.process.send_signal(signal.SIGTERM)
        relay.event("stopping")
        after.socket.sendall(MAIL + b".\r\n")
        assert after.reply().startswith("250 ")
        time.sleep(0.2)  # the listener has looked at its sessions several times
        for client in (before, after):
            client.say("QUIT")
            assert client.reply() == "221 2.0.0 Bye"
            client.close()
        assert relay.wait() == 0


def test_smtplib_raises_nothing_after_a_250_at_a_stop() -> None:
    wrong: list[BaseException] = []
    sent = threading.Semaphore(0)

    def send(port: int) -> None:
        while True:
            try:
                smtp = smtplib.SMTP("127.0.0.1", port, timeout=20)
            except (OSError, smtplib.SMTPException):
                return  # the relay is gone, or says so in its greeting
            taken = False
            try:
                with smtp:
                    smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
                    taken = True
            except (OSError, smtplib.SMTPException) as error:
                if taken:
                    wrong.append(error)
                return
            sent.release()

    with running_relay() as relay:
        threads = [
            threading.Thread(target=send, args=(relay.port(),)) for _ in range(10)
        ]
        for thread in threads:
            thread.start()
        for _ in range(50):
            assert sent.acquire(timeout=20)
        assert relay.stop() == 0
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.mark.parametrize("command", ["MAIL FROM:<a@b.example>", "NOOP"])
def test_who_idles_inside_a_transaction_hears_421_as_well(command: str) -> None:
    with running_relay() as relay:
        client = Client(relay.port())
        client.say("EHLO t", command)
        assert [client.reply()[:3] for _ in range(3)] == ["220", "250", "250"]
        assert relay.stop() == 0
        assert client.reply() == "421 4.3.2 Shutting down, try again later"
        client.close()
