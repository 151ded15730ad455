"""What SES tells of a mail after it took it: story, list, log, metrics, page."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from relay.model.feedback import WORDS
from tests.fake_ses import Answer, FakeSes
from tests.fleet.emulators import Emulator, client
from tests.fleet.hearing import hearing, left, tell
from tests.server.relay_process import until
from tests.server.test_life import through
from tests.ses_events import (
    ACCEPTED_AT,
    ENVELOPES,
    LATER_AT,
    OWN,
    SNS_TEST,
    bare,
    event,
    sns,
)
from tests.web.browser import faultless
from tests.web.site import Site, fake_ses, mail, sending_site


def sent(site: Site, to: str = "ann@example.com") -> tuple[str, str]:
    """Send a mail: the relay's id and SES'."""
    before = len(site.get("/api/v1/mails").json["mails"])
    assert site.submit(mail(to)).startswith("250 2.0.0 Ok")
    newest = site.get("/api/v1/mails").json["mails"]
    assert len(newest) == before + 1
    story = site.get(f"/api/v1/mails/{newest[0]['id']}").json
    return story["id"], story["calls"][0]["messageId"]


def feedback(site: Site, mail_id: str, count: int) -> list[dict[str, Any]]:
    """Wait until SES told so much of a mail."""

    def told() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = site.get(f"/api/v1/mails/{mail_id}").json[
            "feedback"
        ]
        return found

    until(lambda: len(told()) == count)
    return told()


def metric(site: Site, name: str) -> float:
    lines = site.get("/metrics").body.decode().splitlines()
    found = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{name} ")]
    return float(found[0]) if found else 0.0


def tags_of(ses: FakeSes, number: int = -1) -> dict[str, str]:
    tags = ses.sent[number].parameters["EmailTags"]
    return {tag["Name"]: tag["Value"] for tag in tags}


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("engine", ["none", "sqlite"])
def test_each_kind_goes_into_the_story_the_log_and_the_metrics(
    emulator: Emulator, engine: str, envelope: str
) -> None:
    place = emulator.place()
    more = {"RELAY_QUEUE__ENGINE": engine, "RELAY_LOG__LEVEL": "debug"}
    with fake_ses() as ses, sending_site(hearing(ses, place, **more)) as site:
        mail_id, message_id = sent(site)
        assert tags_of(ses) == {"relay_id": mail_id}
        wrap = ENVELOPES[envelope]
        told = [
            wrap(event(kind, message_id=message_id, mail_id=mail_id)) for kind in OWN
        ]
        tell(place, *told, *told[:3])  # some of them once more
        found = feedback(site, mail_id, len(OWN))
        assert {one["kind"] for one in found} == set(WORDS)
        bounce = next(one for one in found if one["kind"] == "bounce")
        assert bounce == {
            "kind": "bounce",
            "at": LATER_AT,
            "recipient": "ann@example.com",
            "status": "5.1.1",
            "detail": "smtp; 550 5.1.1 <ann@example.com> unknown",
            "type": "Permanent/General",
            "reason": "",
            "link": "",
            "messageId": message_id,
        }
        click = next(one for one in found if one["kind"] == "click")
        assert click["link"] == "https://shop.example/…"
        until(lambda: left(place) == 0)
        for word in WORDS.values():
            line = site.relay.event(word)
            assert (line["id"], line["messageId"]) == (mail_id, message_id)
        delivered = site.relay.event("delivered")
        assert delivered["afterSeconds"] == LATER_AT - ACCEPTED_AT
        assert delivered["recipients"] == ["ann@example.com"]
        assert [len(site.relay.events(word, 1)) for word in WORDS.values()] == (
            [1] * len(WORDS)
        )
        named = 'relay_feedback_total{kind="bounce",type="Permanent"}'
        assert metric(site, named) == 1.0
        assert metric(site, 'relay_feedback_total{kind="open",type=""}') == 1.0
        assert metric(site, "relay_delivery_seconds_count") == 1.0
        assert metric(site, "relay_delivery_seconds_sum") == LATER_AT - ACCEPTED_AT
        listed = site.get("/api/v1/mails?state=complained").json["mails"]
        assert [(one["id"], one["state"]) for one in listed] == [(mail_id, "sent")]
        assert "123456" not in "".join(site.relay.stderr)
        assert "123456" not in site.get(f"/api/v1/mails/{mail_id}").body.decode()


def test_a_mail_is_found_by_ses_id_or_by_its_tag(emulator: Emulator) -> None:
    place = emulator.place()
    with fake_ses() as ses, sending_site(hearing(ses, place)) as site:
        (first, message_id), (second, _) = sent(site), sent(site)
        tell(
            place,
            # As those of an identity, which have no tags.
            sns(event("Bounce", message_id=message_id, key="notificationType")),
            # As after an answer that nobody saw.
            bare(event("Delivery", message_id="another", mail_id=second)),
        )
        assert feedback(site, first, 1)[0]["kind"] == "bounce"
        assert feedback(site, second, 1)[0]["messageId"] == "another"
        fates = {
            one["id"]: one["fate"] for one in site.get("/api/v1/mails").json["mails"]
        }
        assert fates == {first: "bounced", second: "delivered"}
        by_words = site.get("/api/v1/mails?q=-state:bounced").json["mails"]
        assert [one["id"] for one in by_words] == [second]


def test_what_is_none_of_its_events_is_counted_and_a_test_is_deleted(
    emulator: Emulator,
) -> None:
    place = emulator.place()
    with fake_ses() as ses, sending_site(hearing(ses, place)) as site:
        sent(site)
        strays = [bare({"Records": []}), '{"eventType": "Bounce"', SNS_TEST, "hello"]
        foreign = bare(event("Bounce", message_id="another", mail_id=""))
        tell(place, *strays, foreign)
        counts = {"test": 2.0, "unknown": 1.0, "malformed": 1.0, "foreign": 1.0}

        def counted() -> dict[str, float]:
            return {
                why: metric(site, f'relay_feedback_strays_total{{why="{why}"}}')
                for why in counts
            }

        until(lambda: counted() == counts)
        until(lambda: left(place) == 2)  # who wants to look at them can
        unknown = site.relay.event("no event", lambda one: one["why"] == "unknown")
        assert unknown["level"] == "warning"
        site.relay.event("no event", lambda one: one["why"] == "malformed")
        assert site.relay.event("bounced")["messageId"] == "another"
        assert metric(site, 'relay_feedback_total{kind="bounce",type="Permanent"}') == 0


def test_a_queue_that_is_away_stops_no_mail_and_is_told_of(emulator: Emulator) -> None:
    place = emulator.place()
    sqs = client(emulator.endpoint, "sqs")
    name = place.url.rpartition("/")[2]
    sqs.delete_queue(QueueUrl=place.url)
    with fake_ses() as ses, sending_site(hearing(ses, place)) as site:
        line = site.relay.event("events not received")
        assert "events.url: there is no such queue" in line["detail"]
        mail_id, message_id = sent(site)
        assert site.get("/readyz").status == 200
        (trouble,) = site.get("/api/v1/status").json["troubles"]
        assert trouble["text"].startswith("SES' events cannot be received")
        assert trouble["cure"] == line["detail"]
        sqs.create_queue(QueueName=name)
        tell(place, bare(event("Delivery", message_id=message_id)))
        feedback(site, mail_id, 1)
        site.relay.event("events received again")
        assert site.get("/api/v1/status").json["troubles"] == []


def test_a_mail_without_events_has_no_tag_and_no_trouble() -> None:
    with fake_ses() as ses, sending_site(through(ses)) as site:
        mail_id, _ = sent(site)
        assert "EmailTags" not in ses.sent[0].parameters
        assert site.get(f"/api/v1/mails/{mail_id}").json["feedback"] == []
        assert "relay_feedback" not in site.get("/metrics").body.decode()


def test_addresses_are_masked_where_the_log_masks_them(emulator: Emulator) -> None:
    place = emulator.place()
    more = {"RELAY_LOG__ADDRESSES": "masked"}
    with fake_ses() as ses, sending_site(hearing(ses, place, **more)) as site:
        _, message_id = sent(site)
        tell(place, bare(event("Bounce", message_id=message_id)))
        line = site.relay.event("bounced")
        assert line["recipients"] == ["a***@example.com"]
        assert "ann@" not in "".join(site.relay.stderr)


def test_the_page_shows_it_as_it_comes(emulator: Emulator, page: Page) -> None:
    place = emulator.place()
    with fake_ses() as ses, sending_site(hearing(ses, place)) as site:
        mail_id, message_id = sent(site)
        page.goto(f"{site.url}/mails/{mail_id}")
        story = page.get_by_role("list", name="Story")
        expect(story).to_contain_text("SES took it")
        expect(page.locator(".list .state").first).to_have_text("Sent")
        tell(place, sns(event("Delivery", message_id=message_id)))
        step = story.get_by_role("listitem").filter(has_text="Delivered")
        expect(step).to_contain_text("ann@example.com")
        expect(step).to_contain_text("250 2.0.0 Ok: queued as 4F1")
        expect(page.locator(".list .state").first).to_have_text("Delivered")
        tell(place, sns(event("Click", message_id=message_id)))
        clicked = story.get_by_role("listitem").filter(has_text="Clicked")
        expect(clicked).to_contain_text("https://shop.example/…")
        tell(place, sns(event("Complaint", message_id=message_id)))
        expect(page.locator(".state.big")).to_have_text("Complained")
        faultless(page)
        page.get_by_label("State").select_option("complained")
        expect(page.locator(".list li")).to_have_count(1)
        page.get_by_label("State").select_option("bounced")
        expect(page.locator(".list li")).to_have_count(0)


def test_the_page_says_that_ses_took_what_it_did_not_answer(
    emulator: Emulator, page: Page
) -> None:
    place = emulator.place()
    more = {
        "RELAY_QUEUE__ENGINE": "sqlite",
        "RELAY_SES__CONNECT_TIMEOUT": "1",
        "RELAY_SES__ATTEMPT_TIMEOUT": "1.5",
    }
    silent = fake_ses(Answer(then="hang"))
    with silent as ses, sending_site(hearing(ses, place, **more)) as site:
        reply = site.submit(mail())
        mail_id = reply.split()[4].rstrip(";")
        page.goto(f"{site.url}/mails/{mail_id}")
        story = page.get_by_role("list", name="Story")
        expect(story).to_contain_text("It may have been sent: its end was not seen.")
        expect(story).to_contain_text("Waits")
        tell(place, sns(event("Delivery", message_id="0100took", mail_id=mail_id)))
        expect(story).to_contain_text("SES took it, as it told later")
        expect(story).to_contain_text("0100took")
        expect(story).not_to_contain_text("Waits")
        expect(page.locator(".state.big")).to_have_text("Delivered")
        faultless(page)
