"""What accounts and the guard say that cannot be: names, fallbacks, shared doors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from relay.config.accounts import Sending, accounts
from relay.config.explain import Location, dotted, to_camel
from relay.config.models import Config, Ses, revealed
from relay.model.mail import DEFAULT, TAG

Mistake = tuple[Location, str]

_TEMPORARY = "ASIA"  # with what the ids of temporary keys begin
# What accounts with the same credentials and region have together.
_SHARED = ("connect_timeout", "attempt_timeout", "concurrency")


def of_accounts(config: Config) -> Iterator[Mistake]:
    """What `[ses]` and the accounts say against each other, or cannot mean."""
    everybody = accounts(config)
    yield from _times(("ses",), config.ses, config.grace)
    yield from _keys(("ses",), config.ses)
    for account in everybody[1:]:
        ses, own = account.ses, config.accounts[int(account.location[1])]
        if {"connect_timeout", "attempt_timeout"} & own.given:
            yield from _times(account.location, ses, config.grace)
        yield from _keys(account.location, own)
    yield from _names(everybody)
    yield from _domains(everybody)
    yield from _fallbacks(everybody)
    yield from _doors(everybody)


def account_warnings(config: Config) -> Iterator[str]:
    """Keys that AWS will not know without what the settings have no place for."""
    for location, ses in (
        (("ses",), config.ses),
        *((("accounts", n), one) for n, one in enumerate(config.accounts)),
    ):
        if revealed(ses.access_key_id).startswith(_TEMPORARY):
            yield (
                f"{dotted((*location, 'access_key_id'))}: a temporary key "
                f"({_TEMPORARY}…), which AWS knows with its session token alone; give "
                "both to the AWS default chain (AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, or a profile) and none here"
            )


def _times(location: Location, ses: Ses, grace: float) -> Iterator[Mistake]:
    if not ses.connect_timeout < ses.attempt_timeout:
        yield (
            (*location, "connect_timeout"),
            (
                f"= {ses.connect_timeout:g}: must be shorter than "
                f"{dotted(location)}.attemptTimeout ({ses.attempt_timeout:g})"
            ),
        )
    if not ses.attempt_timeout < grace:
        yield (
            (*location, "attempt_timeout"),
            f"= {ses.attempt_timeout:g}: must be shorter than grace ({grace:g})",
        )


def _keys(location: Location, ses: Ses) -> Iterator[Mistake]:
    """Keys that come in pairs, and tags that SES takes."""
    if bool(revealed(ses.access_key_id)) != bool(revealed(ses.access_key_secret)):
        missing, given = "access_key_secret", "access_key_id"
        if revealed(ses.access_key_secret):
            missing, given = given, missing
        yield (
            (*location, given),
            (
                f"is given without {dotted((*location, missing))}; give both, or "
                "neither for the AWS default chain"
            ),
        )
    for name in ("access_key_id", "access_key_secret"):
        secret = revealed(getattr(ses, name))
        if not all("!" <= letter <= "~" for letter in secret):
            yield (*location, name), "must not hold a space, a line end or the like"
    for name, value in ses.tags.items():
        if not (TAG.fullmatch(name) and TAG.fullmatch(value)):
            yield (
                (*location, "tags"),
                (
                    f"has {name!r}: names and values are 1 to 256 of the characters "
                    "A-Z a-z 0-9 _ -"
                ),
            )


def _names(everybody: Sequence[Sending]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for account in everybody[1:]:
        here = (*account.location, "name")
        if account.name == DEFAULT:
            yield here, f'= "{DEFAULT}": is the name of [ses]; choose another'
        elif account.name in seen:
            yield here, f'= "{account.name}": given twice'
        seen.add(account.name)


def _domains(everybody: Sequence[Sending]) -> Iterator[Mistake]:
    whose: dict[str, Sending] = {}
    for account in everybody:
        for number, domain in enumerate(account.domains):
            other = whose.setdefault(domain, account)
            if other is not account:
                yield (
                    (*account.location, "domains", number),
                    f'= "{domain}": is a domain of {other.place} already',
                )


def _fallbacks(everybody: Sequence[Sending]) -> Iterator[Mistake]:
    known: Mapping[str, Sending] = {account.name: account for account in everybody}
    for account in everybody[1:]:
        here, name = (*account.location, "fallback"), account.fallback
        if not name:
            continue
        if name not in known:
            yield here, f'= "{name}": no such account; known: {", ".join(known)}'
            continue
        way = [account.name]
        while name in known and name not in way:
            way.append(name)
            name = known[name].fallback
        if name == account.name:
            circle = ", ".join([*way, name])
            yield here, f'= "{account.fallback}": a circle: {circle}'
        elif account.door == known[account.fallback].door:
            yield (
                here,
                (
                    f'= "{account.fallback}": has the same credentials and region; '
                    "where one cannot send, neither can the other"
                ),
            )


def _doors(everybody: Sequence[Sending]) -> Iterator[Mistake]:
    """One account of SES has one pace, whatever the settings call it."""
    first: dict[tuple[str, ...], Sending] = {}
    for account in everybody:
        other = first.setdefault(account.door, account)
        if other is account:
            continue
        theirs = f"{other.place} has the same credentials and region, and"
        for name in _SHARED:
            mine, its = getattr(account.ses, name), getattr(other.ses, name)
            if mine != its:
                yield (
                    (*account.location, name),
                    f"= {mine:g}: {theirs} {to_camel(name)} = {its:g}; set it there",
                )
        for name in ("rate", "share"):
            mine, its = getattr(account, name), getattr(other, name)
            if mine != its:
                yield (
                    (*account.location, name),
                    f"= {_said(mine)}: {theirs} {name} = {_said(its)}; set it there",
                )


def _said(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def of_guard(config: Config) -> Iterator[Mistake]:
    """A guard that is half up would let out what it is there for."""
    guard = config.guard
    if not guard.recipients and guard.given & {"others", "redirect_to"}:
        given = "others" if "others" in guard.given else "redirect_to"
        yield (
            ("guard", given),
            (
                "is given without guard.recipients, so that no guard is up; name who "
                'may get mail, such as recipients = ["*@acme.example"]'
            ),
        )
    elif guard.others == "redirect" and not guard.redirect_to:
        yield (
            ("guard", "others"),
            '= "redirect": needs guard.redirectTo, the address that gets the mail',
        )
    elif guard.redirect_to and guard.others != "redirect":
        yield (
            ("guard", "redirect_to"),
            (
                f'is given, and guard.others is "{guard.others}"; set others = '
                '"redirect", or take redirectTo away'
            ),
        )
    elif guard.others == "capture" and not config.web.listen:
        yield (
            ("guard", "others"),
            '= "capture": needs web.listen, the page whose inbox keeps the mail',
        )
