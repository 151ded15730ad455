"""Where SES' word on mail that it took comes from."""

# The annotations are read when a class is made, so they must not be texts: no
# `from __future__ import annotations` here.

from relay.config import values as v
from relay.config.table import Table


class Events(Table):
    """SES' events, as they come in a queue of SQS."""

    url: v.Url = ""
    """What SES says of mail after it took it (docs/feedback.md): a queue of SQS that
    its event destination fills.

    Example: "https://sqs.eu-west-1.amazonaws.com/123456789012/ses-events"
    """
    region: v.Region = ""
    """Its region; else that of the url, else ses.region.

    Example: "eu-west-1"
    """
    endpoint_url: v.Url = ""
    """Elsewhere, as an emulator; AWS_ENDPOINT_URL_SQS does as well.

    Example: "http://127.0.0.1:4566"
    """
