"""The parameters of the SendEmail call that carries a mail; nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from relay.model.feedback import ID_TAG, MAX_TAGS, NO_MAIL, tag_of
from relay.model.mail import Mail, SendOptions
from relay.model.submission import MailId

_UNTRACKED = {
    "Tracking": {
        "OpenTrackingEnabled": "DISABLED",
        "ClickTrackingEnabled": "DISABLED",
    }
}


@dataclass(frozen=True, slots=True)
class RequestSettings:
    """What the settings say about every call; empty: not set.

    `tags_id`: a tag of each call names the relay's mail, so that SES' events do.
    """

    from_arn: str = ""
    feedback_address: str = ""
    feedback_arn: str = ""
    configuration_set: str = ""
    tenant: str = ""
    feedback_to_sender: bool = False
    overrides: bool = True  # SendEmail, as the SDK knows it, has ConfigurationOverrides
    tags_id: bool = False


def request_for(
    mail: Mail, settings: RequestSettings, mail_id: MailId = NO_MAIL
) -> dict[str, Any]:
    """Make SendEmail's arguments of `mail`; what its client asked for goes first,
    then its rule.

    Never FromEmailAddress: it replaces the From header, display name and all.
    Nothing empty: the SDK refuses some empty values, SES others.
    """
    return {
        "Content": {"Raw": {"Data": mail.content}},
        # The envelope, whatever the headers say: all in one list, since SES shows
        # a recipient nothing of it.
        "Destination": {"ToAddresses": list(mail.envelope.recipients)},
        **rest(
            mail.options, feedback_address(mail, settings), settings, tag_of(mail_id)
        ),
    }


def rest(
    options: SendOptions, feedback_address: str, settings: RequestSettings, own: str
) -> dict[str, Any]:
    """Make the arguments that say neither what goes nor to whom.

    `own` is the value of the relay's own tag, where calls have it.
    """
    named = {
        "FromEmailAddressIdentityArn": options.from_arn or settings.from_arn,
        "FeedbackForwardingEmailAddress": feedback_address,
        "FeedbackForwardingEmailAddressIdentityArn": (
            options.feedback_arn or settings.feedback_arn
        ),
        "ConfigurationSetName": (
            options.configuration_set or options.rules_set or settings.configuration_set
        ),
        "TenantName": options.tenant or settings.tenant,
    }
    made: dict[str, Any] = {name: value for name, value in named.items() if value}
    tags = options.tags
    if settings.tags_id and own:
        # Nobody else may give a mail the name of another.
        tags = tuple(tag for tag in tags if tag[0] != ID_TAG)
        if len(tags) < MAX_TAGS:  # with one more SES would refuse the mail
            tags = (*tags, (ID_TAG, own))
    if tags:
        made["EmailTags"] = [{"Name": name, "Value": value} for name, value in tags]
    if options.list_management is not None:
        chosen = {"ContactListName": options.list_management.contact_list}
        if options.list_management.topic:
            chosen["TopicName"] = options.list_management.topic
        made["ListManagementOptions"] = chosen
    if options.untracked and settings.overrides:
        made["ConfigurationOverrides"] = _UNTRACKED
    return made


def feedback_address(mail: Mail, settings: RequestSettings) -> str:
    """Where SES sends what comes back; empty: where it does by itself."""
    if settings.feedback_address or not settings.feedback_to_sender:
        return settings.feedback_address
    # Legacy apps say `MAIL FROM:<root>`; SES would refuse the whole mail for it.
    local, at, domain = (mail.envelope.sender or "").rpartition("@")
    return f"{local}@{domain}" if local and at and domain else ""
