"""Which variables a usage's mail is known to have; pure.

A tree of names: `{"user": {"name": None}}` is `user.name`; below None anything may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Union

Names = Mapping[str, Union["Names", None]]
# By usage, under "" for all of them; None: mail of this usage may have any name.
Given = Mapping[str, Names | None]

_BRANDING: Names = dict.fromkeys(("logoUrl", "darkLogoUrl", "favicon", "darkFavicon"))
_APPLICATION: Names = {
    **dict.fromkeys(("id", "name", "displayName")),
    "branding": _BRANDING,
}
_ORGANIZATION: Names = {**dict.fromkeys(("id", "name")), "branding": _BRANDING}
_ADDRESS: Names = dict.fromkeys(
    ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
)
_PROFILE: Names = {
    **dict.fromkeys(
        (
            "familyName",
            "givenName",
            "middleName",
            "nickname",
            "preferredUsername",
            "profile",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
        )
    ),
    "address": _ADDRESS,
}
_USER: Names = {
    **dict.fromkeys(
        ("id", "name", "username", "primaryEmail", "primaryPhone", "avatar")
    ),
    "profile": _PROFILE,
}
_CODE: Names = dict.fromkeys(("code", "locale", "uiLocales"))
_ASKED: Names = {**_CODE, "application": _APPLICATION, "organization": _ORGANIZATION}
_OWN: Names = {**_CODE, "application": _APPLICATION, "user": _USER}

# What Logto passes with each of its usages, by one way or another.
LOGTO: Mapping[str, Names] = {
    **dict.fromkeys(
        ("SignIn", "Register", "ForgotPassword", "MfaVerification"), _ASKED
    ),
    "BindMfa": {**_ASKED, "user": _USER},
    **dict.fromkeys(("UserPermissionValidation", "BindNewIdentifier"), _OWN),
    "Generic": _CODE,
    "OrganizationInvitation": {
        **dict.fromkeys(("link", "locale")),
        "organization": _ORGANIZATION,
        "inviter": _USER,
    },
}


def together(one: Names, other: Names) -> Names:
    """What either knows."""
    made = dict(one)
    for name, below in other.items():
        had = made.get(name) if name in made else {}
        made[name] = None if below is None or had is None else together(had, below)
    return made


def names_of(value: Any) -> Names | None:  # noqa: ANN401 - JSON is anything
    """The names inside a variable's value; None: it says nothing of them."""
    if isinstance(value, dict):
        return {name: names_of(inner) for name, inner in value.items()}
    # Of a list, whose entries may differ, and of a text nothing is asked for.
    return None


def passed(usage: str, usages: Iterable[str], given: Given) -> Names | None:
    """What is known of a usage's mail among templates for `usages`; None: anything.

    `given` is what rules and kept tests bring. Where neither names an app's own usage,
    nothing is known of what it passes. Generic has the mail of each usage that has no
    template.
    """
    if not is_told(usage, given):
        return None
    asked = [usage]
    if usage == "Generic":
        own = set(usages)
        asked += [
            other for other in dict.fromkeys((*LOGTO, *given)) if other not in own
        ]
    names: Names = {}
    for each in dict.fromkeys((*asked, "")):
        more = given.get(each, {})
        if more is None:
            return None
        names = together(together(names, LOGTO.get(each, {})), more)
    return names


def is_told(usage: str, given: Given) -> bool:
    """Tell whether anything names what the usage's own mail has."""
    return usage in LOGTO or usage in given


def anywhere(given: Given) -> Names | None:
    """What mail of any usage has; None: anything."""
    names: Names = {}
    for more in (*LOGTO.values(), *given.values()):
        if more is None:
            return None
        names = together(names, more)
    return names


def is_known(name: str, names: Names) -> bool:
    """Tell whether a dotted name is among them."""
    below: Names | None = names
    for part in name.split("."):
        if below is None:
            return True
        if part not in below:
            return False
        below = below[part]
    return True


def meant(name: str, names: Names) -> str:
    """The known name that is one letter away from `name`; "" where there is none."""
    parts = name.split(".")
    below: Names | None = names
    for place, part in enumerate(parts):
        if below is None:
            return ""
        if part in below:
            below = below[part]
            continue
        for known in below:
            guess = ".".join((*parts[:place], known, *parts[place + 1 :]))
            if _one_letter_away(part, known) and is_known(guess, names):
                return guess
        return ""
    return ""


def _one_letter_away(one: str, other: str) -> bool:
    """One letter more, less, another or in another case, or two that changed places."""
    if one.lower() == other.lower():
        return True
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    same = 0
    while same < len(short) and short[same] == long[same]:
        same += 1
    if len(short) < len(long):
        return short[same:] == long[same + 1 :]
    rest, its = short[same + 1 :], long[same + 1 :]
    swapped = short[same : same + 2] == long[same : same + 2][::-1]
    return rest == its or (swapped and short[same + 2 :] == long[same + 2 :])
