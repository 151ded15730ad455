from __future__ import annotations

import pytest

from relay.content.header import Field
from relay.intake.ses_headers import asked
from relay.model.reply import Refused


def field(name: str, value: str) -> tuple[str, Field]:
    return name.lower(), Field(name, f"{name}: {value}\r\n".encode())


def tags_of(count: int) -> str:
    return ", ".join(f"tag{number}=value" for number in range(count))


def test_fifty_tags_are_taken_and_one_more_is_refused() -> None:
    listed = ["X-SES-MESSAGE-TAGS"]
    found = asked([field("X-SES-MESSAGE-TAGS", tags_of(50))], listed)
    assert len(found.tags) == 50
    with pytest.raises(Refused) as refused:
        asked([field("X-SES-MESSAGE-TAGS", tags_of(19_000))], listed)
    assert str(refused.value.reply) == (
        "550 5.6.0 X-SES-MESSAGE-TAGS: more than 50 tags"
    )


def test_a_tag_that_is_given_again_counts_once() -> None:
    value = ", ".join(["team=a"] * 60)
    found = asked([field("X-SES-MESSAGE-TAGS", value)], ["X-SES-MESSAGE-TAGS"])
    assert found.tags == {"team": "a"}


@pytest.mark.parametrize("name", ["X-SES-SOURCE-ARN", "X-SES-RETURN-PATH-ARN"])
def test_an_arn_has_2048_characters_at_most(name: str) -> None:
    fits = asked([field(name, "a" * 2048)], [name])
    assert "a" * 2048 in (fits.from_arn, fits.feedback_arn)
    with pytest.raises(Refused) as refused:
        asked([field(name, "a" * 2049)], [name])
    assert str(refused.value.reply) == (
        f"550 5.6.0 {name}: longer than 2048 characters"
    )


def test_what_is_not_listed_is_dropped_unread_however_long_it_is() -> None:
    found = asked([field("X-SES-MESSAGE-TAGS", tags_of(60))], [])
    assert found.tags == {}
    [slip] = found.slips
    assert slip == (
        "header_not_listed",
        "X-SES-MESSAGE-TAGS dropped: not in ses.clientHeaders",
    )
