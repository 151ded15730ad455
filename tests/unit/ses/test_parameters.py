"""The parameters of SendEmail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relay.model.mail import ListManagement, Mail, SendOptions
from relay.model.submission import Envelope, MailId
from relay.ses.parameters import RequestSettings, request_for

MAIL = Mail(Envelope("app@a.example", ("b@b.example", "a@a.example")), b"From: x\r\n")
BARE = {
    "Content": {"Raw": {"Data": b"From: x\r\n"}},
    "Destination": {"ToAddresses": ["b@b.example", "a@a.example"]},
}


def test_trap_30_without_settings_only_content_and_envelope_are_sent() -> None:
    assert request_for(MAIL, RequestSettings()) == BARE


def test_trap_7_from_email_address_is_never_sent() -> None:
    everything = RequestSettings("arn:f", "f@a.example", "arn:r", "news", "shop", True)
    assert request_for(MAIL, everything) == {
        **BARE,
        "FromEmailAddressIdentityArn": "arn:f",
        "FeedbackForwardingEmailAddress": "f@a.example",
        "FeedbackForwardingEmailAddressIdentityArn": "arn:r",
        "ConfigurationSetName": "news",
        "TenantName": "shop",
    }


def test_what_the_client_asks_for_beats_the_settings() -> None:
    options = SendOptions(
        configuration_set="mine",
        from_arn="arn:1",
        feedback_arn="arn:2",
        tenant="t",
        list_management=ListManagement("friends", "weekly"),
        tags=(("a", "1"), ("usage", "SignIn")),
    )
    settings = RequestSettings("arn:f", "", "arn:r", "news", "shop")
    assert request_for(replace(MAIL, options=options), settings) == {
        **BARE,
        "FromEmailAddressIdentityArn": "arn:1",
        "FeedbackForwardingEmailAddressIdentityArn": "arn:2",
        "ConfigurationSetName": "mine",
        "TenantName": "t",
        "EmailTags": [
            {"Name": "a", "Value": "1"},
            {"Name": "usage", "Value": "SignIn"},
        ],
        "ListManagementOptions": {"ContactListName": "friends", "TopicName": "weekly"},
    }


def test_a_list_without_a_topic_has_no_empty_one() -> None:
    mail = replace(MAIL, options=SendOptions(list_management=ListManagement("all")))
    request = request_for(mail, RequestSettings())
    assert request["ListManagementOptions"] == {"ContactListName": "all"}


def test_a_mail_that_is_not_to_be_tracked_says_so_where_the_call_can() -> None:
    mail = replace(MAIL, options=SendOptions(untracked=True))
    off = {"OpenTrackingEnabled": "DISABLED", "ClickTrackingEnabled": "DISABLED"}
    assert request_for(mail, RequestSettings()) == {
        **BARE,
        "ConfigurationOverrides": {"Tracking": off},
    }
    assert request_for(mail, RequestSettings(overrides=False)) == BARE


@pytest.mark.parametrize(
    ("sender", "settings", "expected"),
    [
        ("a@a.example", RequestSettings(feedback_to_sender=True), "a@a.example"),
        ("a@a.example", RequestSettings(), None),
        ("root", RequestSettings(feedback_to_sender=True), None),
        ("root@", RequestSettings(feedback_to_sender=True), None),
        (None, RequestSettings(feedback_to_sender=True), None),
        ("a@a.example", RequestSettings("", "f@f", "", "", "", True), "f@f"),
    ],
)
def test_feedback_goes_to_mail_from_only_when_it_is_an_address_and_none_is_set(
    sender: str | None, settings: RequestSettings, expected: str | None
) -> None:
    mail = replace(MAIL, envelope=Envelope(sender, ("b@b.example",)))
    request = request_for(mail, settings)
    assert request.get("FeedbackForwardingEmailAddress") == expected


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (SendOptions(), "all"),
        (SendOptions(rules_set="news"), "news"),
        (SendOptions("mine", rules_set="news"), "mine"),
    ],
)
def test_a_rules_set_stands_between_the_clients_and_the_settings(
    options: SendOptions, name: str
) -> None:
    settings = RequestSettings(configuration_set="all")
    made = request_for(replace(MAIL, options=options), settings)
    assert made == {**BARE, "ConfigurationSetName": name}


TAGGED = RequestSettings(tags_id=True)


def tags(*some: tuple[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in some]


def test_the_relays_own_tag_names_the_mail_where_events_are_to_name_it() -> None:
    mail = replace(MAIL, options=SendOptions(tags=(("usage", "SignIn"),)))
    mail_id = MailId("06db0v9t3nq8xk.0.r1")
    made = request_for(mail, TAGGED, mail_id)
    own = ("relay_id", "06db0v9t3nq8xk_0_r1")
    assert made["EmailTags"] == tags(("usage", "SignIn"), own)
    untagged = request_for(mail, RequestSettings(), mail_id)
    assert untagged["EmailTags"] == tags(("usage", "SignIn"))


def test_no_client_gives_its_mail_the_name_of_another() -> None:
    mail = replace(MAIL, options=SendOptions(tags=(("relay_id", "another"),)))
    made = request_for(mail, TAGGED, MailId("06db0v9t3nq8xk"))
    assert made["EmailTags"] == tags(("relay_id", "06db0v9t3nq8xk"))


def test_where_there_is_no_room_for_it_the_mail_goes_without() -> None:
    for count, expected in ((49, 50), (50, 50)):
        some = tuple((f"t{number}", "1") for number in range(count))
        mail = replace(MAIL, options=SendOptions(tags=some))
        made = request_for(mail, TAGGED, MailId("06db0v9t3nq8xk"))
        assert len(made["EmailTags"]) == expected
        assert made["EmailTags"][:count] == tags(*some)
