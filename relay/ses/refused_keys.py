"""What is wrong with keys that AWS does not take, by AWS' own code and words; pure."""

from __future__ import annotations

from collections.abc import Mapping

_CLOCK = (
    "this machine's clock is wrong: set it, and let NTP keep it; AWS takes what is "
    "off by less than five minutes"
)
_OVER = (
    "the session that these keys are of is over: get new ones, or use a role, whose "
    "keys the relay renews by itself"
)
_UNKNOWN = (
    "AWS knows no such key: ses.accessKeyId (or the profile's) is misspelt, deleted or "
    "inactive, or temporary (ASIA…) and without its session token, which only AWS' own "
    "variables and profiles hold"
)
_OTHERS = (
    "the secret is another key's: copy ses.accessKeySecret (or the profile's) "
    "again, or make a new key"
)
_NOT_SIGNED_UP = "this AWS account is not signed up for SES in this region"

_BY_CODE: Mapping[str, str] = {
    "ExpiredTokenException": _OVER,
    "ExpiredToken": _OVER,
    "UnrecognizedClientException": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "InvalidAccessKeyId": _UNKNOWN,
    "InvalidSignatureException": _OTHERS,
    "SignatureDoesNotMatch": _OTHERS,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "OptInRequired": _NOT_SIGNED_UP,
}


def cure(code: str, text: str) -> str:
    """What is wrong, and what to do; "" where the code says nothing of keys."""
    said = text.lower()
    # One code stands for wrong secrets and for wrong clocks.
    if "signature expired" in said or "signature not yet current" in said:
        return _CLOCK
    if "security token" in said and "expired" in said:
        return _OVER
    return _BY_CODE.get(code, "")
