"""What an error of S3 or SQS means, in words for the operator."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from relay.fleet.aws import passes, trouble
from relay.ses.http.connection import Broken
from relay.ses.http.pool import Unsent


def refused(code: str, status: int, text: str = "", region: str = "") -> ClientError:
    error = {"Code": code, "Message": text} | ({"Region": region} if region else {})
    return ClientError(
        {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any"
    )


KEYS = "look at ses.accessKeyId and ses.accessKeySecret, or AWS' own settings"
KMS = "grant kms:GenerateDataKey and kms:Decrypt on its key"
ELSEWHERE = "us-west-2, another region than queue.region"
CLOCK = "the clock of this machine is wrong, set it"


@pytest.mark.parametrize(
    ("call", "error", "text", "again"),
    [
        (
            "PutObject",
            refused("AccessDenied", 403),
            "403 AccessDenied; grant s3:PutObject",
            False,
        ),
        (
            "PutObject",
            refused("AccessDenied", 403, "not for kms:Decrypt"),
            f"403 AccessDenied; {KMS}",
            False,
        ),
        (
            "SendMessageBatch",
            refused("AccessDeniedException", 400),
            "400 AccessDeniedException; grant sqs:SendMessage",
            False,
        ),
        (
            "ReceiveMessage",
            refused("QueueDoesNotExist", 400),
            "queue.url: there is no such queue",
            False,
        ),
        (
            "GetObject",
            refused("NoSuchBucket", 404),
            "queue.bucket: there is no such bucket",
            False,
        ),
        (
            "GetObject",
            refused("PermanentRedirect", 301),
            "queue.bucket: is in another region than queue.region",
            False,
        ),
        (
            "GetObject",
            refused("PermanentRedirect", 301, region="us-west-2"),
            "queue.bucket: is in us-west-2, another region than queue.region",
            False,
        ),
        (
            "GetObject",
            refused("PermanentRedirect", 301, region="x\r\ny"),
            "queue.bucket: is in another region than queue.region",
            False,
        ),
        (
            "PutObject",
            refused("AuthorizationHeaderMalformed", 400, region="us-west-2"),
            f"400 AuthorizationHeaderMalformed; queue.bucket is in {ELSEWHERE}",
            False,
        ),
        (
            "PutObject",
            refused("AuthorizationHeaderMalformed", 400),
            "400 AuthorizationHeaderMalformed",
            False,
        ),
        (
            "PutObject",
            refused("RequestTimeTooSkewed", 403),
            f"403 RequestTimeTooSkewed; {CLOCK}",
            False,
        ),
        (
            "ReceiveMessage",
            refused(
                "InvalidSignatureException",
                403,
                "Signature expired: 20260101T000000Z is now earlier than",
            ),
            f"403 InvalidSignatureException; {CLOCK}",
            False,
        ),
        (
            "ReceiveMessage",
            refused("InvalidSignatureException", 403, "does not match"),
            f"403 InvalidSignatureException; {KEYS}",
            False,
        ),
        (
            "PutObject",
            refused("InvalidAccessKeyId", 403),
            f"403 InvalidAccessKeyId; {KEYS}",
            False,
        ),
        (
            "PutObject",
            refused("ExpiredToken", 400),
            "400 ExpiredToken",
            False,
        ),
        ("PutObject", refused("SlowDown", 503), "503 SlowDown", True),
        (
            "SendMessageBatch",
            refused("RequestThrottled", 403),
            "403 RequestThrottled",
            True,
        ),
        (
            "SendMessageBatch",
            refused("KmsThrottled", 400),
            "400 KmsThrottled",
            True,
        ),
        ("GetObject", refused("502", 502), "502 502", True),
        ("GetObject", TimeoutError(), "no answer in time", True),
        (
            "GetObject",
            Broken("connection lost: closed"),
            "connection lost: closed",
            True,
        ),
        (
            "GetObject",
            Unsent("OSError: for https://me:secret@h.example/"),
            "OSError: for https://***@h.example/",
            True,
        ),
        (
            "GetObject",
            NoCredentialsError(),
            "Unable to locate credentials",
            True,
        ),
    ],
)
def test_each_error_has_its_words_and_its_cure(
    call: str, error: Exception, text: str, again: bool
) -> None:
    assert str(trouble(call, error)) == f"{call}: {text}"
    assert passes(error) is again
