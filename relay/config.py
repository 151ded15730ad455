"""The settings: one TOML file and the environment, checked, with every mistake named.

The only file that knows pydantic. The models hold names, types and defaults; what
several settings say together is checked by `_contradictions`.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from relay import address
from relay.environment import Environment
from relay.explain import at, explain
from relay.fields import mailbox
from relay.template import Source

Network = IPv4Network | IPv6Network
Location = tuple[str | int, ...]

_HOST_AND_PORT = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\[\]:]*)):(\d{1,5})")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SET_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_REGION = re.compile(r"[a-z0-9-]+")
_USED_HEADERS = frozenset(
    "from to cc bcc sender reply-to subject date message-id mime-version received "
    "return-path content-type content-transfer-encoding".split()
)
CLIENT_HEADERS = (
    "X-SES-CONFIGURATION-SET",
    "X-SES-MESSAGE-TAGS",
    "X-SES-LIST-MANAGEMENT-OPTIONS",
    "X-SES-SOURCE-ARN",
    "X-SES-FROM-ARN",
    "X-SES-RETURN-PATH-ARN",
    "X-SES-TENANT",
)


class ConfigError(Exception):
    """The settings cannot be used. The text is meant for the operator."""


def host_and_port(text: str) -> tuple[str, int]:
    """Read `host:port` or `[v6]:port`. Raises ValueError."""
    match = _HOST_AND_PORT.fullmatch(text)
    if match is None or int(match[3]) > 65535:
        raise ValueError("is not host:port or [v6]:port, such as localhost:1025")
    return match[1] or match[2], int(match[3])


def _address(text: Any) -> Any:  # noqa: ANN401 - pydantic gives what the file has
    if isinstance(text, str) and text:
        host_and_port(text)
    return text


def _email(text: Any) -> Any:  # noqa: ANN401
    if isinstance(text, str) and text:
        address.check(mailbox(text).address)
    return text


def _pattern(regex: re.Pattern[str], what: str) -> BeforeValidator:
    def check(text: Any) -> Any:  # noqa: ANN401
        if isinstance(text, str) and text and not regex.fullmatch(text):
            raise ValueError(what)
        return text

    return BeforeValidator(check)


def _header_name(text: Any) -> Any:  # noqa: ANN401
    if isinstance(text, str):
        if not _FIELD_NAME.fullmatch(text):
            raise ValueError("is not a header's name, such as X-Relay-Usage")
        if text.lower() in _USED_HEADERS:
            raise ValueError("is a header with a meaning of its own; choose another")
    return text


Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, Field(ge=0, allow_inf_nan=False)]
HostPort = Annotated[str, BeforeValidator(_address)]
Email = Annotated[str, BeforeValidator(_email)]
Arn = Annotated[str, _pattern(re.compile(r"arn:[!-~]+"), "does not begin with arn:")]
Url = Annotated[
    str, _pattern(re.compile(r"https?://[!-~]+"), "is not http://… or https://…")
]
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]


class Table(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )


class Listener(Table):
    name: str = "local"
    address: HostPort = "localhost:1025"
    tls: Literal["off", "starttls", "implicit"] = "off"
    require_tls: bool = False
    auth: Literal["off", "optional", "required", "any"] = "off"
    insecure_auth: bool = False
    allow: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    proxies: tuple[Network, ...] = ()
    usage: str = ""


class Tls(Table):
    cert_file: str = ""
    key_file: str = ""
    self_signed: bool = False


class User(Table):
    name: Annotated[str, Field(min_length=1)]
    password_hash: SecretStr = SecretStr("")
    password_hash_file: str = ""
    senders: tuple[str, ...] = ()
    usage: str = ""


class Limits(Table):
    message_size: Count = 40_000_000
    recipients: Annotated[int, Field(ge=1, le=999_999)] = 1000
    line_length: Annotated[int, Field(ge=1000)] = 1_000_000
    connections: Count = 1000
    connections_per_client: CountOrNone = 0
    messages_per_minute: CountOrNone = 0
    timeout: Seconds = 300
    memory: Count = 100_000_000


class Ses(Table):
    access_key_id: SecretStr = SecretStr("")
    access_key_id_file: str = ""
    access_key_secret: SecretStr = SecretStr("")
    access_key_secret_file: str = ""
    region: Annotated[str, _pattern(_REGION, "is not a region, such as eu-west-1")] = ""
    email_address: Email = ""
    email_address_identity_arn: Arn = ""
    feedback_forwarding_email_address: Email = ""
    feedback_forwarding_email_address_identity_arn: Arn = ""
    configuration_set_name: Annotated[
        str, _pattern(_SET_NAME, "has 1 to 64 of the characters A-Z a-z 0-9 _ -")
    ] = ""
    role_arn: Arn = ""
    endpoint_url: Url = ""
    tags: dict[str, str] = Field(default_factory=dict)
    usage_tag: Annotated[
        str, _pattern(_TAG, "has 1 to 256 of the characters A-Z a-z 0-9 _ -")
    ] = "usage"
    tenant_name: Annotated[
        str, _pattern(_SET_NAME, "has 1 to 64 of the characters A-Z a-z 0-9 _ -")
    ] = ""
    feedback_to_sender: bool = False
    client_headers: tuple[str, ...] = CLIENT_HEADERS[:3]
    reencode: Literal["auto", "never"] = "auto"
    connect_timeout: Seconds = 5
    attempt_timeout: Seconds = 20
    concurrency: Count = 50


class Pace(Table):
    rate: Literal["auto"] | Annotated[float, Field(gt=0, allow_inf_nan=False)] = "auto"
    share: Annotated[float, Field(gt=0, le=1)] = 0.9


class Queue(Table):
    engine: Literal["none", "sqlite", "sqs"] = "none"
    path: str = "relay-spool.db"
    answer_within: Seconds = 3
    retry_delays: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (
        5, 10, 30, 120, 600, 1200,
    )  # fmt: skip
    slow_delays: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (
        30, 120, 600, 1800,
    )  # fmt: skip
    unseen_delays: Annotated[tuple[Seconds, ...], Field(min_length=1)] = (
        30, 300, 3600, 21600,
    )  # fmt: skip
    give_up_after: Seconds = 345_600
    keep_sent: SecondsOrNone = 3600
    keep_failed: SecondsOrNone = 1_209_600
    report_from: Email = ""
    report_to: Email = ""


class Template(Table):
    usage_type: Annotated[str, Field(min_length=1)]
    subject: str
    content: str = ""
    content_file: str = ""
    content_type: Literal["text/html", "text/plain"] = "text/html"
    text: str = ""
    locale: str = ""
    send_from: str = ""
    reply_to: str = ""
    valid_for: Seconds | None = None
    supersedes: bool = False
    attachments: Literal["keep", "drop"] = "keep"


class Web(Table):
    listen: HostPort = "127.0.0.1:8025"
    user: str = ""
    password_hash: SecretStr = SecretStr("")
    password_hash_file: str = ""
    hosts: tuple[str, ...] = ()


class Intake(Table):
    token: SecretStr = SecretStr("")
    token_file: str = ""


class Health(Table):
    listen: HostPort = ""


class Log(Table):
    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    addresses: Literal["full", "masked"] = "full"


class Config(Table):
    transport: Literal["ses", "capture"] = "ses"
    usage_header: Annotated[str, BeforeValidator(_header_name)] = "X-Relay-Usage"
    without_usage: Annotated[str, Field(min_length=1)] = "pass"
    missing_variables: Literal["reject", "keep", "empty"] = "reject"
    grace: Seconds = 25
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1)] = (Listener(),)
    tls: Tls = Tls()
    users: tuple[User, ...] = ()
    limits: Limits = Limits()
    ses: Ses = Ses()
    pace: Pace = Pace()
    queue: Queue = Queue()
    templates: tuple[Template, ...] = ()
    web: Web = Web()
    intake: Intake = Intake()
    health: Health = Health()
    log: Log = Log()
    # Not settings: where they came from.
    file: Annotated[Path | None, Field(exclude=True)] = None

    @property
    def directory(self) -> Path:
        """What paths in the settings are relative to."""
        return self.file.parent if self.file else Path()


def revealed(secret: SecretStr) -> str:
    """The secret itself, for the one who needs it."""
    return secret.get_secret_value()


def schema() -> dict[str, Any]:
    """The JSON schema of a settings file."""
    whole = Config.model_json_schema(by_alias=True)
    whole["properties"].pop("file", None)
    return whole


def find(option: str | None, environ: Mapping[str, str]) -> Path | None:
    """The settings file: the option, else $RELAY_CONFIG, else ./config.toml if there."""
    if option or environ.get("RELAY_CONFIG"):
        return Path(option or environ["RELAY_CONFIG"])
    default = Path("config.toml")
    return default if default.exists() else None


def any_settings(file: Path | None, environ: Mapping[str, str]) -> bool:
    """Tell whether anything at all is set; RELAY_CONFIG and Kubernetes' do not count."""
    return file is not None or bool(_environment(environ).names)


def load(
    file: Path | None, environ: Mapping[str, str], *, capture: bool = False
) -> Config:
    """Read the file, then the environment over it; `capture` as `serve --capture`.

    Raises ConfigError, one line for each mistake.
    """
    found = _environment(environ)
    mistakes = list(found.mistakes)
    table: dict[str, Any] = {}
    if file is not None:
        table, wrong = _field_names(Config, _read(file), ())
        mistakes += [at(file, location, text) for location, text in wrong]
    for location, value in found.values.items():
        _put(table, location, value)
    if capture:
        table["transport"] = "capture"
        table.setdefault("queue", {})
        if isinstance(table["queue"], dict):
            table["queue"]["engine"] = "none"

    def where(location: Location, text: str) -> str:
        variable = found.names.get(location) or next(
            (
                name
                for path, name in found.names.items()
                if location[: len(path)] == path
            ),
            None,
        )
        return at(variable or file or Path("settings"), location, text)

    mistakes += [where(*each) for each in _read_secrets(table, file)]
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    try:
        config = Config.model_validate({**table, "file": file})
    except ValidationError as error:
        raise ConfigError(
            "\n".join(
                where(item["loc"], explain(item, secret=_is_secret(item["loc"])))
                for item in _without_union_names(error)
            )
        ) from None
    wrong = [*_contradictions(config, "recipients" in table.get("limits", {}))]
    wrong += _not_yet(config)
    if wrong:
        raise ConfigError("\n".join(where(*each) for each in wrong))
    if config.queue.engine == "none" and "recipients" not in table.get("limits", {}):
        limits = config.limits.model_copy(update={"recipients": 50})
        config = config.model_copy(update={"limits": limits})
    return config


def sources(config: Config) -> tuple[Source, ...]:
    """The templates, their files read. Raises ConfigError."""
    found = []
    for number, template in enumerate(config.templates):
        place = f"{config.file or 'settings'}: templates[{number}]"
        content = template.content
        if template.content_file:
            path = config.directory / template.content_file
            try:
                content = path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "is not UTF-8"
                raise ConfigError(
                    f"{place}.contentFile = {template.content_file!r}: {path}: {reason}"
                ) from error
        found.append(
            Source(
                usage_type=template.usage_type,
                subject=template.subject,
                content=content,
                content_type=template.content_type,
                text=template.text,
                locale=template.locale,
                send_from=template.send_from,
                reply_to=template.reply_to,
                valid_for=template.valid_for,
                supersedes=template.supersedes,
                attachments=template.attachments,
                place=place,
            )
        )
    return tuple(found)


def warnings(config: Config) -> list[str]:
    """What is allowed, and perhaps not meant."""
    found = []
    for number, template in enumerate(config.templates):
        if template.valid_for is not None or template.supersedes:
            found.append(
                f"templates[{number}]: validFor and supersedes take effect with the "
                "queue, which comes with a later release"
            )
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: is not UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error


def _environment(environ: Mapping[str, str]) -> Environment:
    return Environment.read(environ, dict(_leaves(Config, ())))


def _leaves(model: type[BaseModel], path: Location) -> Iterator[tuple[Location, bool]]:
    """Each setting's path, and whether its value comes as JSON."""
    for name, field in model.model_fields.items():
        if name == "file":
            continue
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _leaves(kind, (*path, name))
        else:
            yield (*path, name), get_origin(kind) in (tuple, dict)


def _inner(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401
    """The model in `tuple[Model, ...]`."""
    inner = get_args(annotation)[0] if get_origin(annotation) is tuple else None
    return inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None


def _field_names(
    model: type[BaseModel], table: Mapping[str, Any], path: Location
) -> tuple[dict[str, Any], list[tuple[Location, str]]]:
    """The table with the models' own names, and what is wrong with the given ones."""
    names = {to_camel(name): name for name in model.model_fields if name != "file"}
    names |= {name: name for name in names.values()}
    found: dict[str, Any] = {}
    wrong: list[tuple[Location, str]] = []
    for key, value in table.items():
        name = names.get(key)
        here = (*path, key)
        if name is None:
            close = difflib.get_close_matches(key, names, 1)
            hint = (
                ".".join([*map(str, path), to_camel(names[close[0]])]) if close else ""
            )
            wrong.append(
                (
                    here,
                    "unknown setting" + (f"; did you mean {hint}?" if hint else ""),
                )
            )
            continue
        if name in found:
            wrong.append((here, "given in both spellings; keep one"))
            continue
        kind = model.model_fields[name].annotation
        if isinstance(value, dict) and isinstance(kind, type):
            if issubclass(kind, BaseModel):
                value, more = _field_names(kind, value, (*path, name))  # noqa: PLW2901
                wrong += more
        elif isinstance(value, list) and (inner := _inner(kind)) is not None:
            items = []
            for number, item in enumerate(value):
                if isinstance(item, dict):
                    item, more = _field_names(  # noqa: PLW2901
                        inner, item, (*path, name, number)
                    )
                    wrong += more
                items.append(item)
            value = items  # noqa: PLW2901
        found[name] = value
    return found, wrong


def _put(table: dict[str, Any], location: Location, value: Any) -> None:  # noqa: ANN401
    *parents, leaf = map(str, location)
    for parent in parents:
        inner = table.get(parent)
        table = table.setdefault(parent, {}) if isinstance(inner, dict | None) else {}
    table[leaf] = value


def _read_secrets(
    table: dict[str, Any], file: Path | None
) -> Iterator[tuple[Location, str]]:
    """Put the content of each secret's file in the secret's place."""
    places: list[tuple[Location, Any, str]] = [
        (("ses",), table.get("ses"), "access_key_id"),
        (("ses",), table.get("ses"), "access_key_secret"),
        (("web",), table.get("web"), "password_hash"),
        (("intake",), table.get("intake"), "token"),
    ]
    users = table.get("users")
    if isinstance(users, list):
        places += [
            (("users", number), user, "password_hash")
            for number, user in enumerate(users)
        ]
    for path, place, name in places:
        if not isinstance(place, dict) or not place.get(f"{name}_file"):
            continue
        location = (*path, f"{name}_file")
        if place.get(name):
            yield location, f"given beside {to_camel(name)}; keep one"
            continue
        named = place[f"{name}_file"]
        if not isinstance(named, str):
            continue  # pydantic says so
        secret = (file.parent if file else Path()) / named
        try:
            text = secret.read_text("utf-8")
        except OSError as error:
            yield location, f"{secret}: {error.strerror}"
        except UnicodeDecodeError:
            yield location, f"{secret}: is not UTF-8"
        else:
            place[name] = text.removesuffix("\n").removesuffix("\r")


def _is_secret(location: Location) -> bool:
    names = {"access_key_id", "access_key_secret", "password_hash", "token"}
    return any(part in names for part in location)


def _without_union_names(error: ValidationError) -> Iterator[Any]:
    """Each mistake once; pydantic names a union's members in the location."""
    seen = set()
    for item in error.errors(include_url=False):
        location = tuple(
            part for part in item["loc"] if isinstance(part, int) or part.isidentifier()
        )
        if location not in seen:
            seen.add(location)
            yield {**item, "loc": location}


def _contradictions(
    config: Config, recipients_given: bool
) -> Iterator[tuple[Location, str]]:
    """What settings say against each other, or cannot mean."""
    ses, queue = config.ses, config.queue
    if not ses.connect_timeout < ses.attempt_timeout:
        yield (
            ("ses", "connect_timeout"),
            f"= {ses.connect_timeout:g}: must be shorter than ses.attemptTimeout "
            f"({ses.attempt_timeout:g})",
        )
    if not ses.attempt_timeout < config.grace:
        yield (
            ("ses", "attempt_timeout"),
            f"= {ses.attempt_timeout:g}: must be shorter than grace ({config.grace:g})",
        )
    elif (
        queue.engine == "none"
        and not queue.answer_within + ses.attempt_timeout < config.grace
    ):
        yield (
            ("queue", "answer_within"),
            f"= {queue.answer_within:g}: with ses.attemptTimeout "
            f"({ses.attempt_timeout:g}) it must be shorter than grace "
            f"({config.grace:g})",
        )
    if queue.engine == "none" and recipients_given and config.limits.recipients > 50:
        yield (
            ("limits", "recipients"),
            f'= {config.limits.recipients}: at most 50 with queue.engine = "none"',
        )
    if bool(revealed(ses.access_key_id)) != bool(revealed(ses.access_key_secret)):
        missing, given = "access_key_secret", "access_key_id"
        if revealed(ses.access_key_secret):
            missing, given = given, missing
        yield (
            ("ses", given),
            f"given without ses.{to_camel(missing)}; give both, or neither for the "
            "AWS default chain",
        )
    known = {name.lower() for name in CLIENT_HEADERS}
    for name in ses.client_headers:
        if name.lower() not in known:
            yield (
                ("ses", "client_headers"),
                f"= {name!r}: not one of {', '.join(CLIENT_HEADERS)}",
            )
    for name, value in ses.tags.items():
        if not (_TAG.fullmatch(name) and _TAG.fullmatch(value)):
            yield (
                ("ses", "tags"),
                f"= {name!r}: names and values have 1 to 256 of the characters "
                "A-Z a-z 0-9 _ -",
            )
    yield from _listener_contradictions(config)
    for number, template in enumerate(config.templates):
        if bool(template.content) == bool(template.content_file):
            yield (
                ("templates", number, "content"),
                "give either content or contentFile",
            )
    if (
        config.web.listen
        and not is_loopback(config.web.listen)
        and not revealed(config.web.password_hash)
    ):
        yield (
            ("web", "listen"),
            f"= {config.web.listen!r}: reachable from outside the machine; set "
            "web.user and web.passwordHash, or listen on 127.0.0.1",
        )


def _listener_contradictions(config: Config) -> Iterator[tuple[Location, str]]:
    names = [listener.name for listener in config.listeners]
    for number, listener in enumerate(config.listeners):
        here = ("listeners", number)
        if not listener.address:
            yield (*here, "address"), "is empty; such as localhost:1025"
            continue
        outside = not is_loopback(listener.address)
        if names.index(listener.name) != number:
            yield (*here, "name"), f"= {listener.name!r}: given twice"
        if outside and listener.auth != "required" and _covers_half(listener.allow):
            yield (
                (*here, "allow"),
                f"covers half of all addresses or more, and {listener.address} is "
                "reachable from outside: an open relay; name your own networks, "
                'or set auth = "required"',
            )
        if outside and listener.auth == "any":
            yield (*here, "auth"), '= "any": only on a loopback address'
        if listener.require_tls and listener.tls != "starttls":
            yield (*here, "require_tls"), 'only with tls = "starttls"'
        if listener.tls != "off" and not (
            config.tls.self_signed or (config.tls.cert_file and config.tls.key_file)
        ):
            yield (
                (*here, "tls"),
                f'= "{listener.tls}": set tls.certFile and tls.keyFile, or '
                "tls.selfSigned for development",
            )


def is_loopback(listen: str) -> bool:
    """Tell whether only this machine reaches the address: a literal, or localhost."""
    host, _ = host_and_port(listen)
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _covers_half(networks: Sequence[Network]) -> bool:
    for kind, bits in ((IPv4Network, 32), (IPv6Network, 128)):
        mine = [network for network in networks if isinstance(network, kind)]
        merged = collapse_addresses(mine)  # type: ignore[type-var]  # one family
        if sum(network.num_addresses for network in merged) >= 2 ** (bits - 1):
            return True
    return False


_LATER: tuple[Location, ...] = (
    ("tls",),
    ("users",),
    ("limits", "connections_per_client"),
    ("limits", "messages_per_minute"),
    ("pace",),
    ("queue", "engine"),
    ("queue", "path"),
    ("queue", "retry_delays"),
    ("queue", "slow_delays"),
    ("queue", "unseen_delays"),
    ("queue", "give_up_after"),
    ("queue", "keep_sent"),
    ("queue", "keep_failed"),
    ("queue", "report_from"),
    ("queue", "report_to"),
    ("web",),
    ("intake",),
)


def _not_yet(config: Config) -> Iterator[tuple[Location, str]]:
    """Settings whose part is not built yet: only their default is true."""
    text = "comes with a later release; leave it at its default"
    for location in _LATER:
        mine: Any = config
        default: Any = Config()
        for name in location:
            mine, default = getattr(mine, str(name)), getattr(default, str(name))
        if mine == default:
            continue
        if isinstance(mine, Table):
            for name in type(mine).model_fields:
                if getattr(mine, name) != getattr(default, name):
                    yield (*location, name), text
        else:
            yield location, text
    for number, listener in enumerate(config.listeners):
        for name in ("tls", "require_tls", "auth", "insecure_auth", "proxies"):
            if getattr(listener, name) != Listener.model_fields[name].default:
                yield ("listeners", number, name), text


def dump_json(value: object) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
