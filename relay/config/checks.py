"""What settings say together: times that nest, pairs that need each other, openness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from relay import password
from relay.config import fleet_checks, rules, webhooks
from relay.config.account_checks import account_warnings, of_accounts, of_guard
from relay.config.accounts import accounts
from relay.config.explain import Location, dotted
from relay.config.fleet_checks import of_events, of_fleet
from relay.config.generated import GENERATE
from relay.config.models import Config, Listener, revealed
from relay.config.network import Network
from relay.config.places import is_loopback, unix_path
from relay.model.mail import RECIPIENTS_PER_CALL
from relay.password import is_hash

Mistake = tuple[Location, str]

TOKEN_LENGTH = 16  # characters of intake.token, at least


def contradictions(config: Config, *, recipients_given: bool) -> Iterator[Mistake]:
    """What settings say against each other, or cannot mean."""
    yield from of_accounts(config)
    yield from of_guard(config)
    yield from of_fleet(config)
    yield from _suppression(config)
    yield from of_events(config)
    yield from _waiting(config)
    if (
        config.queue.engine == "none"
        and recipients_given
        and config.limits.recipients > RECIPIENTS_PER_CALL
    ):
        yield (
            ("limits", "recipients"),
            (
                f"= {config.limits.recipients}: must be at most {RECIPIENTS_PER_CALL} "
                'with queue.engine = "none"'
            ),
        )
    yield from _listeners(config)
    for number, template in enumerate(config.templates):
        if bool(template.content) == bool(template.content_file):
            yield (
                ("templates", number),
                "needs either content or contentFile"
                if not template.content
                else "has both content and contentFile; keep one",
            )
    names = [user.name for user in config.users]
    for number, user in enumerate(config.users):
        if names.index(user.name) != number:
            yield ("users", number, "name"), f'= "{user.name}": given twice'
        if "\0" in user.name:
            yield ("users", number, "name"), "must not hold a NUL, which ends names"
        hashed = revealed(user.password_hash)
        if not hashed:
            yield (
                ("users", number),
                "needs passwordHash or passwordHashFile; relay password prints one",
            )
        elif not password.is_hash(hashed):
            yield (
                ("users", number, "password_hash"),
                "is not an argon2 hash; relay password prints one",
            )
    yield from rules.mistakes(config)
    yield from webhooks.mistakes(config.webhooks)
    yield from _tls(config)
    yield from _web(config)


def unsafe(config: Config) -> Iterator[Mistake]:
    """Of the contradictions, those that no relay may run with; names apart."""
    yield from of_fleet(config)
    yield from _suppression(config)
    yield from _waiting(config)
    yield from (one for one in _listeners(config) if one[0][-1] != "name")
    yield from _web(config)


def _suppression(config: Config) -> Iterator[Mistake]:
    """A list that ends with its relay would promise what it does not keep."""
    if config.suppression.enabled and config.queue.engine == "none":
        yield (
            ("suppression", "enabled"),
            (
                "= true: needs a queue, which remembers who gets no mail; set "
                'queue.engine = "sqlite" or "sqs"'
            ),
        )


def _waiting(config: Config) -> Iterator[Mistake]:
    """Without a queue a client waits for a whole attempt, and a stop for it."""
    queue, grace = config.queue, config.grace
    if queue.engine != "none":
        return
    for account in accounts(config):
        seconds = account.ses.attempt_timeout
        if seconds < grace and not queue.answer_within + seconds < grace:
            yield (
                ("queue", "answer_within"),
                (
                    f"= {queue.answer_within:g}: with "
                    f"{dotted(account.location)}.attemptTimeout ({seconds:g}) must be "
                    f"shorter than grace ({grace:g}) together"
                ),
            )
            return


def _listeners(config: Config) -> Iterator[Mistake]:
    names = [listener.name for listener in config.listeners]
    for number, listener in enumerate(config.listeners):
        here = ("listeners", number)
        if not listener.address:
            yield (*here, "address"), "must not be empty; such as localhost:1025"
            continue
        # A proxy on this machine brings in clients from anywhere. Where nothing
        # leaves, as in a container for tests, there is no relay to be open.
        outside = bool(listener.proxies) or (
            config.transport != "capture" and not is_loopback(listener.address)
        )
        if names.index(listener.name) != number:
            yield (*here, "name"), f'= "{listener.name}": given twice'
        yield from _of_its_kind(listener, number)
        if outside and listener.auth == "any":
            yield (
                (*here, "auth"),
                '= "any": only on a loopback address, and without proxies',
            )
        if outside and listener.auth != "required" and covers_half(listener.allow):
            yield (
                (*here, "allow"),
                (
                    f"covers half of all addresses or more, and {listener.address} is "
                    f"reachable from outside the machine{_through(listener)}: an open "
                    'relay; name your own networks, or set auth = "required"'
                ),
            )
        if listener.require_tls and listener.tls != "starttls":
            yield (*here, "require_tls"), '= true: only with tls = "starttls"'
        certificate = config.tls.cert_file or config.tls.key_file
        if listener.tls != "off" and not (certificate or config.tls.self_signed):
            yield (
                (*here, "tls"),
                (
                    f'= "{listener.tls}": needs tls.certFile and tls.keyFile, or '
                    "tls.selfSigned for development"
                ),
            )
        if listener.auth in ("optional", "required") and not config.users:
            yield (*here, "auth"), f'= "{listener.auth}": needs [[users]]'


def _of_its_kind(listener: Listener, number: int) -> Iterator[Mistake]:
    """What is for addresses alone, or for unix sockets alone."""
    here = ("listeners", number)
    if unix_path(listener.address):
        for name in ("allow", "proxies"):
            if getattr(listener, name) and name in listener.given:
                text = f"is for addresses, and {listener.address} is a file: socketMode"
                yield (*here, name), f"{text} and its directory say who may open it"
    elif listener.socket_mode != Listener().socket_mode:
        yield (*here, "socket_mode"), "is for an address such as unix:/run/x/smtp.sock"


def _through(listener: Listener) -> str:
    return " through its proxies" if listener.proxies else ""


def _tls(config: Config) -> Iterator[Mistake]:
    tls = config.tls
    if bool(tls.cert_file) != bool(tls.key_file):
        given, missing = ("cert_file", "keyFile")
        if tls.key_file:
            given, missing = ("key_file", "certFile")
        yield ("tls", given), f"is given without tls.{missing}; give both"
    elif tls.cert_file and tls.self_signed:
        yield ("tls", "self_signed"), "= true: is given beside tls.certFile; keep one"


def _doors(config: Config) -> Iterator[str]:
    """What listeners and users say that has no effect."""
    for number, listener in enumerate(config.listeners):
        clear = listener.tls == "off" and not listener.insecure_auth
        if clear and listener.auth in ("optional", "required"):
            yield (
                f'listeners[{number}].auth = "{listener.auth}": nobody can log in '
                "without TLS; set tls, or insecureAuth = true where the network is "
                "trusted"
            )
    ways = {listener.auth for listener in config.listeners}
    if config.users and not ways & {"optional", "required"}:
        yield "users: no listener has auth, so nobody logs in"
    if config.tls.cert_file and all(
        listener.tls == "off" for listener in config.listeners
    ):
        yield "tls.certFile: no listener has tls, so it is not used"


def _captures_for_all(config: Config) -> Iterator[str]:
    """Listeners that would be an open relay if anything could leave."""
    if config.transport != "capture":
        return
    for number, listener in enumerate(config.listeners):
        unknown = listener.auth == "any" or (
            listener.auth != "required" and covers_half(listener.allow)
        )
        if unknown and not is_loopback(listener.address):
            yield (
                f"listeners[{number}]: takes mail from whoever reaches "
                f"{listener.address}; it is captured, and nothing leaves"
            )


def _web(config: Config) -> Iterator[Mistake]:
    web = config.web
    hashed = revealed(web.password_hash)
    if bool(web.user) != bool(hashed):
        given, missing = ("user", "passwordHash") if web.user else ("", "user")
        yield (
            ("web", given or "password_hash"),
            f"is given without web.{missing}; give both or neither",
        )
    elif hashed == GENERATE:
        if config.transport != "capture":
            yield (
                ("web", "password_hash"),
                f'= "{GENERATE}": in capture mode alone; relay password prints a hash',
            )
    elif hashed and not is_hash(hashed):
        yield ("web", "password_hash"), "is no argon2 hash; relay password prints one"
    elif web.listen and not is_loopback(web.listen) and not hashed:
        yield (
            ("web", "listen"),
            (
                f'= "{web.listen}": reachable from outside the machine; set web.user '
                "and web.passwordHash, or listen on 127.0.0.1"
            ),
        )
    token = revealed(config.intake.token)
    if token and not web.listen:
        yield (
            ("intake", "token"),
            "is given, and web.listen, where mail would be taken, is empty",
        )
    if token and len(_bare(token)) < TOKEN_LENGTH:
        setting = "token_file" if config.intake.token_file else "token"
        yield (
            ("intake", setting),
            (
                f"{_named(config.intake.token_file)}a token of fewer than "
                f"{TOKEN_LENGTH} characters, which can be guessed; "
                "openssl rand -hex 32 makes one"
            ),
        )


def _bare(token: str) -> str:
    """The token as the intake compares it: without blanks, and without its scheme."""
    text = token.strip()
    return text[7:].strip() if text[:7].lower() == "bearer " else text


def _named(file: str) -> str:
    return f"= {file!r}: holds " if file else "is "


def covers_half(networks: Sequence[Network]) -> bool:
    """Tell whether the networks together hold half of the IPv4 or IPv6 addresses."""
    v4 = [network for network in networks if isinstance(network, IPv4Network)]
    v6 = [network for network in networks if isinstance(network, IPv6Network)]
    size4 = sum(network.num_addresses for network in collapse_addresses(v4))
    size6 = sum(network.num_addresses for network in collapse_addresses(v6))
    return size4 >= 2**31 or size6 >= 2**127


def warnings(config: Config) -> list[str]:
    """What is taken, and has no effect or another one than elsewhere."""
    found = [
        *_doors(config),
        *_captures_for_all(config),
        *account_warnings(config),
        *rules.warnings(config),
        *fleet_checks.warnings(config),
    ]
    if config.suppression.enabled and not config.events.url:
        found.append(
            "suppression.enabled = true: without events.url nobody tells of bounces; "
            "the list has what is added and imported"
        )
    found += [
        f'templates[{number}].overLimit = "drop": has no effect without perRecipient'
        for number, template in enumerate(config.templates)
        if template.over_limit == "drop" and not template.per_recipient
    ]
    return found
