"""S3 and SQS over the relay's own connections, checked as AWS checks requests."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import TypeVar

import pytest
from aiohttp import web

from relay.fleet.bell import Bell
from relay.fleet.bucket import Bucket
from relay.fleet.connect import connected
from relay.model.job import Sending, Sent
from relay.queue import Unwritable
from tests.fleet.emulators import Emulator
from tests.fleet.jobs import MUCH, job
from tests.fleet.passing import Refusal, as_json, listening, xml
from tests.fleet.patient import objects, patient_queue
from tests.fleet.strict import Strict, strict

T = TypeVar("T")

# By which way: the relay's own, and the SDK's client, which sends one header field more
# where these variables are set.
LAMBDA = {"_X_AMZN_TRACE_ID": "t", "AWS_LAMBDA_FUNCTION_NAME": "f"}


@pytest.fixture(params=[{}, LAMBDA], ids=["wire", "sdk"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def both(
    emulator: Emulator, **given: str
) -> AsyncIterator[tuple[Strict, Bucket, Bell]]:
    """Bucket and bell by way of a strict one."""
    async with strict(emulator.endpoint) as proxy:
        place = replace(emulator.place(proxy.url), **given)
        async with connected(place) as (bucket, bell):
            yield proxy, bucket, bell


async def patient(make: Callable[[], Awaitable[T]]) -> T:
    """What a call gives on a machine that has more to do than to answer in time."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await make()
            except Unwritable as error:
                if "no answer in time" not in str(error):
                    raise


async def put(bucket: Bucket, key: str, body: bytes) -> str:
    """Write an object, whatever is there; its tag."""
    etag = await patient(lambda: bucket.put(key, body))
    assert etag
    return etag


def once(
    answer: Callable[[], web.Response], start: str
) -> Callable[[str], web.Response | None]:
    """The first call that is named so is answered otherwise."""
    left = [answer]

    def instead(name: str) -> web.Response | None:
        return left.pop()() if left and name.startswith(start) else None

    return instead


async def test_a_mail_goes_its_way_and_each_request_is_signed_as_aws_wants_it(
    emulator: Emulator,
) -> None:
    async with strict(emulator.endpoint) as proxy:
        place = emulator.place(proxy.url)
        async with patient_queue(place) as queue:
            await queue.put([job(queue, "k1")])
            (claim,) = await queue.claim(9, size=MUCH)
            assert claim.job.state == Sending(1)
            await queue.settle(claim, Sent(1, queue.now(), "0100-1"))
            await queue.quiet()
        assert proxy.refused == []
        actions = {name.split(" ")[1] for name in proxy.served}
        assert {"PUT", "GET", "DELETE", "SendMessageBatch", "ReceiveMessage"} <= actions
        assert {"DeleteMessageBatch", "GetQueueAttributes"} <= actions
        assert all(agent.startswith("aiobotocore/") for agent in proxy.agents)
    assert objects(replace(place, endpoint_url=emulator.endpoint)) == []


@pytest.mark.usefixtures("either_way")
async def test_objects_are_put_read_listed_and_deleted_whatever_their_keys_hold(
    emulator: Emulator,
) -> None:
    keys = [
        "a b+c",
        "d/e~f-g_h.i",
        "j=k&l?m#n%2F",
        "\N{LATIN SMALL LETTER E WITH ACUTE}'()*;:@,$!~",
    ]
    async with both(emulator) as (proxy, bucket, _):
        for key in keys:
            body = key.encode()
            etag = await put(bucket, key, body)
            assert await bucket.put(key, b"other", match="") is None
            assert await bucket.put(key, b"other", match='"0"') is None
            found = await bucket.get(key)
            assert found is not None
            assert (found.body, found.etag) == (body, etag)
            part = await bucket.get(key, first=2)
            assert part is not None
            assert part.body == body[:2]
            await bucket.put(key, b"new" + body, match=etag)
            newer = await bucket.get(key)
            assert newer is not None
            assert newer.body == b"new" + body
        listed = [one async for page in bucket.pages("", at_once=2) for one in page]
        assert [one.key for one in listed] == sorted(keys, key=str.encode)
        assert [one.size for one in listed] == [
            3 + len(one.encode()) for one in sorted(keys, key=str.encode)
        ]
        assert all(abs(one.modified - time.time()) < 3600 for one in listed)
        after = [
            one async for page in bucket.pages("", after=listed[1].key) for one in page
        ]
        assert after == listed[2:]
        for key in keys:
            assert await bucket.has_any(key)
            await bucket.delete(key)
            await bucket.delete(key)
            assert await bucket.get(key) is None
        assert proxy.refused == []  # each was signed as AWS wants it


@pytest.mark.usefixtures("either_way")
async def test_hints_are_sent_received_hidden_and_deleted(
    emulator: Emulator,
) -> None:
    async with connected(emulator.place()) as (_, bell):
        texts = [f"\N{LATIN SMALL LETTER E WITH ACUTE} {n}" for n in range(25)]
        await asyncio.gather(
            *(bell.send(text, delay=0, group="Sign In") for text in texts)
        )
        assert max(bell.batch_sizes) == 10
        came: dict[str, str] = {}
        while len(came) < len(texts):
            for one in await bell.receive(10, wait=1, visibility=600):
                came[one.text] = one.receipt
                assert (one.receives, abs(one.sent_at - time.time()) < 3600) == (
                    1,
                    True,
                )
        assert sorted(came) == sorted(texts)
        assert (await bell.counts()).hidden == 25
        bell.hide(came[texts[0]], 0)
        for text in texts[1:]:
            bell.forget(came[text])
        await bell.drained()
        (again,) = await bell.receive(10, wait=5, visibility=600)
        assert (again.text, again.receives) == (texts[0], 2)
        bell.forget("no receipt")  # said at debug level, and of no consequence
        await bell.drained()


async def test_which_way_is_taken_is_the_sdks_where_it_sends_something_else(
    emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "relay")
    place = emulator.place()

    def said() -> list[str]:
        return [json.dumps(vars(one).get("fields")) for one in caplog.records]

    async with connected(place):
        assert said() == []
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@p.example:1")
    async with connected(place):
        first, second = said()
    assert "a proxy stands before the endpoint" in first
    assert ("S3" in first, "SQS" in second) == (True, True)
    assert "secret" not in first + second


async def test_a_large_mail_goes_in_pieces_and_comes_back_whole(
    emulator: Emulator,
) -> None:
    body = bytes(range(256)) * 20_000  # 5 MB
    async with both(emulator) as (proxy, bucket, _):
        await put(bucket, "large", body)
        found = await patient(lambda: bucket.get("large", size=len(body)))
        assert found is not None
        assert found.body == body
        assert proxy.refused == []


async def test_an_object_that_is_not_what_was_written_is_no_mail(
    emulator: Emulator,
) -> None:
    async with both(emulator) as (proxy, bucket, _):
        await put(bucket, "spoilt", b"From: a@b.example")
        found = await bucket.get("spoilt")
        assert found is not None
        proxy.spoil = lambda body: body.replace(b"From", b"form")
        with pytest.raises(Unwritable, match="not what was written"):
            await bucket.get("spoilt")


# Keys.


class Chain:
    """A container's credentials: new keys each time, of which the last one counts."""

    def __init__(self, proxy: Strict) -> None:
        self._proxy = proxy
        self._numbers: Iterator[int] = count(1)
        self.given: list[str] = []

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Give new keys, which end in an hour."""
        key_id = f"ASIA{next(self._numbers)}"
        self._proxy.keys[key_id], self._proxy.tokens[key_id] = "s", f"token-{key_id}"
        self.given.append(key_id)
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return web.json_response(
            {
                "AccessKeyId": key_id,
                "SecretAccessKey": "s",
                "Token": f"token-{key_id}",
                "Expiration": end,
            }
        )


@asynccontextmanager
async def chain(proxy: Strict, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chain]:
    """AWS' chain ends at one of these."""
    found = Chain(proxy)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    async with listening(found.answer) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{url}/credentials")
        yield found


async def test_keys_that_expired_are_renewed_in_the_same_call(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        strict(emulator.endpoint) as proxy,
        chain(proxy, monkeypatch) as source,
    ):
        own = {"access_key_id": "", "access_key_secret": ""}
        place = replace(emulator.place(proxy.url), **own)
        async with connected(place) as (bucket, bell):
            await put(bucket, "k", b"1")
            proxy.expired.add("ASIA1")
            await bell.send("hint", delay=0, group="")
            await put(bucket, "l", b"1")
            assert proxy.refused == ["SQS SendMessageBatch ExpiredToken"]
            # Keys that were taken away, and others that are there by now.
            del proxy.keys["ASIA2"]
            await put(bucket, "m", b"1")
            (_, refused) = proxy.refused
            assert refused.endswith(" InvalidAccessKeyId")
        assert source.given == ["ASIA1", "ASIA2", "ASIA3"]


async def test_keys_that_are_wrong_are_named_and_not_asked_for_again_and_again(
    emulator: Emulator,
) -> None:
    async with both(emulator, access_key_secret="not-it") as (proxy, bucket, bell):
        for _ in range(3):
            with pytest.raises(Unwritable) as failed:
                await bucket.put("k", b"1")
            assert str(failed.value) == (
                "PutObject: 403 SignatureDoesNotMatch; look at ses.accessKeyId and "
                "ses.accessKeySecret, or AWS' own settings"
            )
        assert len(proxy.refused) == 3
        with pytest.raises(Unwritable, match=r"ReceiveMessage: 403 .*accessKeySecret"):
            await bell.receive(1, wait=0, visibility=1)


async def test_a_clock_that_is_wrong_is_named(emulator: Emulator) -> None:
    async with both(emulator) as (proxy, bucket, bell):
        proxy.now = lambda: time.time() + 3600
        text = "the clock of this machine is wrong, set it"
        with pytest.raises(Unwritable, match=f"403 RequestTimeTooSkewed; {text}"):
            await bucket.put("k", b"1")
        with pytest.raises(Unwritable, match=f"403 InvalidSignatureException; {text}"):
            await bell.receive(1, wait=0, visibility=1)
        proxy.now = lambda: time.time() - 600
        assert await bucket.put("k", b"1")


# Answers.


async def test_a_redirect_is_not_followed_and_its_region_named(
    emulator: Emulator,
) -> None:
    async with (
        strict("http://127.0.0.1:9") as trap,
        both(emulator) as (proxy, bucket, _),
    ):
        more = {"Location": f"{trap.url}/x", "x-amz-bucket-region": "us-west-2"}
        proxy.instead = lambda name: xml(Refusal(301, "PermanentRedirect"), **more)
        with pytest.raises(Unwritable, match="is in us-west-2, another region than"):
            await bucket.put("k", b"1")
        assert (trap.served, trap.refused) == ([], [])


@pytest.mark.usefixtures("either_way")
async def test_a_redirect_leads_nowhere_by_either_way(
    emulator: Emulator,
) -> None:
    answered: list[str] = []

    async with strict("http://127.0.0.1:9") as trap:

        async def elsewhere(request: web.BaseRequest) -> web.Response:
            answered.append(request.method)
            more = {"Location": f"{trap.url}/x", "x-amz-bucket-region": "us-west-2"}
            return xml(Refusal(302, "Moved"), **more)

        async with (
            listening(elsewhere) as url,
            connected(emulator.place(url)) as (bucket, _),
        ):
            with pytest.raises(Unwritable, match="GetObject: 302 Moved"):
                await bucket.get("k")
        assert set(answered) == {"GET"}
        assert (trap.served, trap.refused) == ([], [])


async def test_what_asks_to_be_slower_is_asked_once_more(emulator: Emulator) -> None:
    async with both(emulator) as (proxy, bucket, bell):
        proxy.instead = once(lambda: xml(Refusal(503, "SlowDown")), "S3 PUT")
        await put(bucket, "k", b"1")
        proxy.instead = once(
            lambda: as_json(Refusal(403, "RequestThrottled")), "SQS Send"
        )
        await bell.send("hint", delay=0, group="")
        (found,) = await bell.receive(9, wait=5, visibility=1)
        assert found.text == "hint"
        proxy.instead = lambda name: as_json(Refusal(403, "RequestThrottled"))
        with pytest.raises(Unwritable, match=r"Batch: 403 RequestThrottled$"):
            await bell.send("hint", delay=0, group="")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>captive portal</html>",
        b"<ListBucketResult><Contents><Size>x</Size></Contents></ListBucketResult>",
        b'<!DOCTYPE a [<!ENTITY b "c">]><ListBucketResult/>',
        b"x" * 5_000_000,
    ],
    ids=range(6),
)
async def test_a_200_that_is_not_s3s_is_no_success(
    emulator: Emulator, body: bytes
) -> None:
    async with both(emulator) as (proxy, bucket, _):
        proxy.instead = lambda name: web.Response(body=body)
        with pytest.raises(Unwritable, match=r"PutObject: (unreadable|an answer of)"):
            await bucket.put("k", b"1", match="")
        with pytest.raises(Unwritable, match="GetObject: unreadable"):
            await bucket.get("k")
        with pytest.raises(
            Unwritable, match=r"ListObjectsV2: (unreadable|an answer of)"
        ):
            await bucket.has_any("k")


@pytest.mark.parametrize(
    "body",
    [
        b"<html/>",
        b"[]",
        b'{"Successful": [{"Id": 0}]}',
        b'{"Successful": {"Id": "0"}}',
        b'{"Messages": [{}], "Successful": [1]}',
        b"[" * 1000,
        b'{"a": ' * 1000,
    ],
    ids=range(7),
)
async def test_a_200_that_is_not_sqs_is_no_success(
    emulator: Emulator, body: bytes
) -> None:
    async with both(emulator) as (proxy, _, bell):
        proxy.instead = lambda name: web.Response(body=body)
        with pytest.raises(Unwritable, match="SendMessageBatch: unreadable"):
            await bell.send("hint", delay=0, group="")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"Successful": null, "Failed": []}'], ids=range(3)
)
async def test_an_empty_200_sends_no_hint(emulator: Emulator, body: bytes) -> None:
    async with both(emulator) as (proxy, _, bell):
        proxy.instead = lambda name: web.Response(body=body)
        with pytest.raises(Unwritable, match="SendMessageBatch: not done"):
            await bell.send("hint", delay=0, group="")


async def test_a_message_of_a_foreign_kind_is_received_all_the_same(
    emulator: Emulator,
) -> None:
    async with both(emulator) as (proxy, _, bell):
        odd = {
            "Messages": [{"ReceiptHandle": "r", "Attributes": {"SentTimestamp": "x"}}]
        }
        proxy.instead = lambda name: web.Response(body=json.dumps(odd).encode())
        (found,) = await bell.receive(1, wait=0, visibility=1)
        assert found == ("r", "", 0.0, 1)
