"""The refused commands of a session: which count, and what sets them back."""

from __future__ import annotations

from collections.abc import Callable

from tests.fake_ses import FakeSes, error
from tests.server.relay_process import RelayProcess, running_relay
from tests.server.test_life import MAIL, Client
from tests.server.test_traps import with_relay

REJECTED = error("MessageRejected", text="Bad content")


def mail(client: Client, content: bytes = MAIL) -> str:
    client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "DATA")
    replies = [client.reply() for _ in range(3)]
    assert replies[2].startswith("354 "), replies
    client.socket.sendall(content + b".\r\n")
    return client.reply()


def refused(client: Client, count: int) -> None:
    client.say(*["BOGUS"] * count)
    assert {client.reply() for _ in range(count)} == {"500 5.5.1 Unknown command"}


def greeted(port: int) -> Client:
    client = Client(port)
    client.say("EHLO t")
    assert [client.reply()[:3] for _ in range(2)] == ["220", "250"]
    return client


def on_a_session(use: Callable[[Client], None]) -> None:
    with running_relay() as relay:
        client = greeted(relay.port())
        use(client)
        client.close()


def test_an_accepted_mail_sets_the_refused_commands_back() -> None:
    def use(client: Client) -> None:
        for _ in range(3):
            refused(client, 20)
            assert mail(client).startswith("250 ")
        refused(client, 20)
        client.say("BOGUS")
        assert client.reply().startswith("421 4.7.0 ")

    on_a_session(use)


async def test_a_mail_that_ses_refused_does_not_count_and_is_never_a_421() -> None:
    async with FakeSes(*[REJECTED] * 30) as ses:

        def use(relay: RelayProcess) -> None:
            client = greeted(relay.port())
            for _ in range(25):
                assert mail(client).startswith("554 5.6.0 Message rejected")
            refused(client, 20)
            assert mail(client).startswith("554 5.6.0 Message rejected")
            refused(client, 20)
            client.close()

        await with_relay(ses, use)


def test_a_mail_that_the_relay_refuses_counts_but_hears_its_own_reply() -> None:
    def use(client: Client) -> None:
        for _ in range(25):
            reply = mail(client, b"X-Relay-Variables: [\r\n" + MAIL)
            assert reply.startswith("550 5.6.0 X-Relay-Variables"), reply
        client.say("BOGUS")
        assert client.reply().startswith("421 4.7.0 ")

    on_a_session(use)


def test_too_many_recipients_do_not_count() -> None:
    with running_relay(settings={"RELAY_LIMITS__RECIPIENTS": "1"}) as relay:
        client = greeted(relay.port())
        client.say("MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>")
        assert [client.reply()[:3] for _ in range(2)] == ["250", "250"]
        client.say(*[f"RCPT TO:<c{n}@d.example>" for n in range(30)])
        assert {client.reply() for _ in range(30)} == {"452 4.5.3 Too many recipients"}
        refused(client, 20)
        client.close()
