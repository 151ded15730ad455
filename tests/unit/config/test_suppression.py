"""The settings of who gets no mail."""

from __future__ import annotations

import pytest

from relay import config

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/ses-events"


def test_exceptions_have_a_variable_without_an_underscore_at_its_end() -> None:
    found = config.load(None, {"RELAY_SUPPRESSION__EXCEPT": '["SignIn", "Reset"]'})
    assert found.suppression.except_ == ("SignIn", "Reset")


@pytest.mark.parametrize(("url", "warned"), [("", True), (URL, False)])
def test_a_list_that_nobody_fills_is_a_warning(url: str, warned: bool) -> None:
    settings = {"RELAY_SUPPRESSION__ENABLED": "true", "RELAY_EVENTS__URL": url}
    found = config.warnings(config.load(None, settings))
    assert any("nobody tells of bounces" in one for one in found) is warned


def test_a_number_of_soft_bounces_says_its_bounds() -> None:
    with pytest.raises(config.ConfigError) as wrong:
        config.load(None, {"RELAY_SUPPRESSION__SOFT_BOUNCES": "101"})
    assert "must be a whole number from 0 to 100" in str(wrong.value)
