"""The settings: every mistake is named with its place, its value and its cure."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import config, password
from relay.app import ses_side, templates
from relay.config.models import Config
from relay.config.read import ConfigError, _leaves
from relay.system.process import CannotStart

OUTSIDE = '[[listeners]]\naddress = "0.0.0.0:25"\n'


def _refusal(directory: Path, toml: str, environ: dict[str, str] | None = None) -> str:
    file = directory / "config.toml"
    file.write_bytes(toml.encode())
    with pytest.raises(ConfigError) as caught:
        config.load(file, environ or {})
    return str(caught.value).replace(f"{directory}/", "")


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        (
            "[ses]\nregoin = 'x'",
            "ses.regoin: unknown setting; did you mean ses.region?",
        ),
        (
            "[ses]\nattemptTimeout = 60",
            "ses.attemptTimeout = 60: must be shorter than grace (25)",
        ),
        (
            "[ses]\nattemptTimeout = 22.5\n[queue]\nengine = 'none'",
            "queue.answerWithin = 3: with ses.attempt",
        ),
        ("[ses]\nconnectTimeout = 20", "ses.connectTimeout = 20: must be shorter"),
        ("grace = '25'", 'grace = "25": must be a number'),
        ("grace = true", "grace = true: must be a number"),
        ("grace = nan", "grace = NaN: must be a number"),
        ("transport = 'smtp'", 'transport = "smtp": must be "ses" or "capture"'),
        ("ses = 5", "ses: must be a table"),
        ("a = [", "is not TOML: Invalid value (at end of document)"),
        ("a = 1\na = 2", "is not TOML: Cannot overwrite a value (at"),
        (
            "[ses]\naccessKeyId = 'A'",
            "ses.accessKeyId: is given without ses.accessKeyS",
        ),
        (
            "[limits]\nrecipients = 51\n[queue]\nengine = 'none'",
            "limits.recipients = 51: must be at most 50",
        ),
        ("usageHeader = 'Subject'", 'usageHeader = "Subject": is a header with a mean'),
        ("[ses]\nclientHeaders = ['X-A']", 'ses.clientHeaders[0] = "X-A": must be one'),
        ("[ses]\nroleArn = 'x'", 'ses.roleArn = "x": must begin with arn:'),
        ("[ses]\nemailAddress = 'a@'", 'ses.emailAddress = "a@": must be an address'),
        (
            "[[listeners]]\naddress = 'a:70000'",
            'listeners[0].address = "a:70000": must',
        ),
        (
            "[[listeners]]\nallow = ['10.0.0.1/8']",
            (
                'listeners[0].allow[0] = "10.0.0.1/8": has bits set beyond its prefix; '
                "did you mean 10.0.0.0/8?"
            ),
        ),
        (OUTSIDE + "allow = ['0.0.0.0/2', '64.0.0.0/2']", "listeners[0].allow: covers"),
        (OUTSIDE + "allow = ['::/1']", "listeners[0].allow: covers half"),
        (OUTSIDE + "allow = ['::ffff:0:0/96']", "listeners[0].allow: covers half"),
        (OUTSIDE + "auth = 'any'", 'listeners[0].auth = "any": only on a loopback'),
        ("[tls]\ncertFile = 'a'", "tls.certFile: is given without tls.keyFile; give"),
        ("[tls]\nkeyFile = 'a'", "tls.keyFile: is given without tls.certFile; give"),
        (
            "[tls]\ncertFile = 'a'\nkeyFile = 'b'\nselfSigned = true",
            "tls.selfSigned = true: is given beside tls.certFile; keep one",
        ),
        (
            "[[listeners]]\ntls = 'implicit'",
            'listeners[0].tls = "implicit": needs tls.certFile and tls.keyFile, or',
        ),
        (
            "[tls]\nselfSigned = true\n[[listeners]]\ntls='implicit'\nrequireTls=true",
            'listeners[0].requireTls = true: only with tls = "starttls"',
        ),
        ("[[listeners]]\nauth = 'required'", "listeners[0].auth = "),
        (
            "[[users]]\nname = 'app'\npasswordHash = 's3cret'",
            "users[0].passwordHash: is not an argon2 hash; relay password prints one",
        ),
        ("[[users]]\nname = 'app'", "users[0]: needs passwordHash or passwordHashFile"),
        ('[[users]]\nname = "a\\u0000b"', "users[0].name: must not hold a NUL"),
        (
            "[[listeners]]\nproxies = ['127.0.0.1/32']\nallow = ['::/0']",
            "listeners[0].allow: covers half of all addresses or more, and localhost:",
        ),
        ("[web]\nlisten = '0.0.0.0:1'", 'web.listen = "0.0.0.0:1": reachable'),
        ("[queue]\nengine = 'sqs'", "queue.url: must be given with queue.engine"),
        (
            "[queue]\nengine = 'sqs'\nurl = 'https://sqs.eu-west-1.amazonaws.com/1/q'",
            "queue.bucket: must be given with queue.engine",
        ),
        (
            (
                "[queue]\nengine = 'sqs'\nbucket = 'acme'\n"
                "url = 'https://sqs.eu-west-1.amazonaws.com/1/q.fifo'"
            ),
            "queue.url = 'https://sqs.eu-west-1.amazonaws.com/1/q.fifo': a FIFO queue",
        ),
        (
            (
                "[queue]\nengine = 'sqs'\nbucket = 'acme'\ngiveUpAfter = 1200000\n"
                "url = 'https://sqs.eu-west-1.amazonaws.com/1/q'"
            ),
            "queue.giveUpAfter = 1200000: must be at most 1123200 (13 days)",
        ),
        ("[queue]\nbucket = 'Acme_Mail'", 'queue.bucket = "Acme_Mail": must be the'),
        (
            "[events]\nurl = 'https://sqs.eu-west-1.amazonaws.com/ses-events'",
            "events.url = 'https://sqs.eu-west-1.amazonaws.com/ses-events': must be as",
        ),
        (
            (
                "[queue]\nengine = 'sqs'\nbucket = 'acme'\n"
                "url = 'https://sqs.eu-west-1.amazonaws.com/1/q'\n"
                "[events]\nurl = 'https://sqs.eu-west-1.amazonaws.com/1/q'"
            ),
            "events.url = 'https://sqs.eu-west-1.amazonaws.com/1/q': is the queue of",
        ),
        (
            "[intake]\ntoken = 'hush'\n[web]\nlisten = ''",
            "intake.token: is given, and web.listen",
        ),
        (
            "[intake]\ntoken = 'fifteen-letters'",
            "intake.token: is a token of fewer than 16 characters, which can be",
        ),
        (
            "[intake]\ntoken = '                '",
            "intake.token: is a token of fewer than 16 characters, which can be",
        ),
        (
            "[intake]\ntoken = 'Bearer 0123456789'",
            "intake.token: is a token of fewer than 16 characters, which can be",
        ),
        (
            "[web]\nuser = 'ann'\npasswordHash = 'secret'",
            "web.passwordHash: is no argon2 hash",
        ),
        ("[[templates]]\nusageType='A'\nsubject=''", "templates[0]: needs either"),
    ],
)
def test_a_mistake_names_file_setting_value_and_cure(
    tmp_path: Path, toml: str, text: str
) -> None:
    assert _refusal(tmp_path, toml).startswith(f"config.toml: {text}"), "the first line"


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("grace = '25'", 'grace = "25": must be a number of seconds, above 0'),
        ("grace = '4 days'", 'or a time in quotes: "30s", "10m", "2h", "4d"'),
        ("grace = '0s'", 'grace = "0s": must be a number of seconds, above 0'),
        ("grace = 1000000001", "above 0 and at most 1000000000, or"),
        (
            "[queue]\nkeepSent = -1",
            "queue.keepSent = -1: must be a number of seconds, from 0",
        ),
        ("[queue]\nretryDelays = ['5s', 'x']", 'queue.retryDelays[1] = "x": must be'),
        (
            "[[templates]]\nusageType='A'\nsubject='s'\nvalidFor = '10 m'",
            'templates[0].validFor = "10 m": must be',
        ),
        (
            "[pace]\nrate = 1000000000",
            (
                'rate = 1000000000: must be "auto", or a number of recipients per '
                "second above 0 and below 1000000000"
            ),
        ),
        (
            "[pace]\nshare = 1.5",
            "pace.share = 1.5: must be a number above 0 and at most 1",
        ),
        ("[pace]\nshare = nan", "pace.share = NaN: must be a number above 0"),
        ("[limits]\nrecipients = 1000000", "must be a whole number from 1 to 999999"),
        (
            "[limits]\nlineLength = 10",
            "must be a whole number from 1000 to 1000000000000000",
        ),
        ("[limits]\nmemory = 1.5", "= 1.5: must be a whole number from 1 to"),
        (
            "[limits]\nconnectionsPerClient = true",
            "true: must be a whole number from 0 to",
        ),
        (
            "[templates]\nusageType = 'A'",
            "templates: must be a list: [[templates]], not [templates]",
        ),
        ("[[ses]]\nregion = 'a'", "ses: must be a table: [ses], not [[ses]]"),
    ],
)
def test_what_a_value_may_be_is_said_with_its_bounds(
    tmp_path: Path, toml: str, text: str
) -> None:
    said = _refusal(tmp_path, toml)
    assert text in said
    assert "\n" not in said


def test_times_are_taken_as_people_write_them_beside_numbers(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        grace = "1m"
        [limits]
        timeout = "1.5h"
        [ses]
        connectTimeout = "3s"
        attemptTimeout = 30
        [queue]
        answerWithin = 2.5
        retryDelays = ["5s", 10, "1m30s"]
        giveUpAfter = "4d"
        keepSent = "0s"
        keepFailed = "2w"
        [[templates]]
        usageType = "SignIn"
        subject = "x"
        content = "x"
        validFor = "10m"
        """
    )
    environ = {
        "RELAY_QUEUE__SLOW_DELAYS": '["30s", 120]',
        "RELAY_SES__CONNECT_TIMEOUT": "4s",
        "RELAY_QUEUE__UNSEEN_DELAYS": "[1]",
    }
    found = config.load(file, environ)
    assert (found.grace, found.limits.timeout) == (60, 5400)
    assert (found.ses.connect_timeout, found.ses.attempt_timeout) == (4, 30)
    queue = found.queue
    assert (queue.answer_within, queue.give_up_after) == (2.5, 345_600)
    assert (queue.keep_sent, queue.keep_failed) == (0, 1_209_600)
    assert (queue.retry_delays, queue.slow_delays) == ((5, 10, 90), (30, 120))
    assert queue.unseen_delays == (1,)
    assert found.templates[0].valid_for == 600


def test_every_bounded_number_says_its_bounds() -> None:
    """Whatever the setting, a number far outside is refused with a bound."""
    for path, _ in _leaves(Config, ()):
        kind: Any = Config
        for name in path[:-1]:
            kind = kind.kinds()[str(name)]
        if kind.kinds()[str(path[-1])] not in (int, float, Literal["auto"] | float):
            continue
        variable = "RELAY_" + "__".join(map(str, path)).upper()
        with pytest.raises(ConfigError) as caught:
            config.load(None, {variable: str(-(10**20))})
        assert re.search(r"(above 0|from [01]\d*)", str(caught.value)), variable
        assert re.search(r"(to|at most|below) 1?\d+", str(caught.value)), variable


@pytest.mark.parametrize(
    "url",
    [
        "ftp://ann:hush@ses.example",
        "ann:hush@ses.example",
        "https://ann:hu sh@ses.example",
        "https://ann:hush@[x",
    ],
)
def test_no_password_of_a_url_is_in_an_error(tmp_path: Path, url: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[ses]\nregion = "eu-west-1"\nendpointUrl = "{url}"\n')
    try:
        settings = config.load(file, {})
    except ConfigError as error:
        said = str(error)
    else:
        with pytest.raises(CannotStart) as refused:
            asyncio.run(ses_side.try_to_open(settings))
        said = str(refused.value)
    assert "ses.endpointUrl" in said
    assert "hu" not in said
    assert "sh@" not in said


@pytest.mark.parametrize(
    "name",
    [
        "ses.accessKeyIdFile",
        "ses.accessKeySecretFile",
        "web.passwordHashFile",
        "intake.tokenFile",
        "users",
    ],
)
def test_a_secrets_file_is_regular_and_bounded(tmp_path: Path, name: str) -> None:
    table, _, key = name.partition(".")
    long = tmp_path / "long"
    long.write_text("x" * 64_001)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for file, why in (
        ("/dev/zero", "is no regular file"),
        (str(pipe), "is no regular file"),
        (str(long), "is larger than 64,000 bytes"),
    ):
        toml = f"[{table}]\n{key} = {file!r}\n"
        if table == "users":
            toml = f"[[users]]\nname = 'a'\npasswordHashFile = {file!r}\n"
        assert why in _refusal(tmp_path, toml)


def test_a_templates_file_is_regular_and_bounded(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        "[[templates]]\nusageType = 'A'\nsubject = 's'\ncontentFile = '/dev/zero'\n"
    )
    with pytest.raises(ConfigError, match=r"contentFile = '/dev/zero': is no regular"):
        templates.templates(config.load(file, {}))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "RELAY_SES__REGOIN",
            "x",
            ": unknown setting; did you mean RELAY_SES__REGION?",
        ),
        ("RELAY_GRACE", "soon", ' = "soon": must be a number'),
        ("RELAY_SES__ATTEMPT_TIMEOUT", "60", " = 60: must be shorter than grace (25)"),
        ("RELAY_SES__TAGS", "{", ": is not JSON: Expecting property name enclosed"),
        ("RELAY_LISTENERS", '[{"alow": 1}]', ": [0].alow: unknown setting; did you"),
        ("RELAY_FOO__PORT", "1", ": unknown setting"),
    ],
)
def test_a_mistake_of_the_environment_names_the_variable(
    name: str, value: str, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(None, {name: value})
    assert str(caught.value).startswith(name + text)


def test_the_environment_goes_over_the_file_in_either_spelling(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ses]\nconfigurationSetName = "a"\nusage_tag = "b"\n')
    environ = {
        "RELAY_SES__CONFIGURATION_SET_NAME": "news",
        "RELAY_SES__TAGS": '{"attempt_x": "c"}',
        "RELAY_SES__FEEDBACK_TO_SENDER": "true",
        "RELAY_GRACE": "26",
        "RELAY_LISTENERS": '[{"address": "[::]:0", "allow": ["10.0.0.0/8"]}]',
    }
    loaded = config.load(file, environ)
    assert loaded.ses.configuration_set_name == "news"
    assert loaded.ses.usage_tag == "b"
    assert loaded.ses.tags == {"attempt_x": "c"}
    assert loaded.ses.feedback_to_sender is True
    assert loaded.grace == 26
    assert config.host_and_port(loaded.listeners[0].address) == ("::", 0)


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        (
            'address = "unix:smtp.sock"',
            '.address = "unix:smtp.sock": must be unix: and',
        ),
        (
            'address = "unix:/run/"',
            '.address = "unix:/run/": must be unix: and a whole',
        ),
        (
            f'address = "unix:/{"x" * 107}"',
            f'.address = "unix:/{"x" * 107}": has a path of more than 107 bytes',
        ),
        (
            'address = "unix:/x"\nproxies = ["10.0.0.0/8"]',
            ".proxies: is for addresses, and unix:/x is a file: socketMode and its",
        ),
        (
            'address = "unix:/x"\nallow = ["127.0.0.0/8"]',
            ".allow: is for addresses, and unix:/x is a file",
        ),
        ('socketMode = "0666"', ".socketMode: is for an address such as unix:/run/x/"),
        (
            'address = "unix:/x"\nsocketMode = "0777"',
            '.socketMode = "0777": must be "0600", "0660" or "0666"',
        ),
    ],
)
def test_a_unix_socket_has_settings_of_its_own(
    tmp_path: Path, listener: str, said: str
) -> None:
    text = _refusal(tmp_path, f"[[listeners]]\n{listener}")
    assert text.startswith(f"config.toml: listeners[0]{said}")


def test_a_unix_socket_is_of_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[listeners]]\naddress = "unix:/run/x.sock"\nauth = "any"\n')
    (listener,) = config.load(file, {}).listeners
    assert config.unix_path(listener.address) == "/run/x.sock"
    assert config.is_loopback(listener.address)


def test_one_setting_under_both_spellings_is_refused(tmp_path: Path) -> None:
    text = _refusal(tmp_path, "[ses]\nusage_tag = 'a'\nusageTag = 'a'")
    assert (
        text
        == "config.toml: ses.usageTag: given as usageTag and as usage_tag; keep one"
    )


def test_trap_40_variables_of_kubernetes_are_no_settings() -> None:
    environ = {
        "RELAY_PORT": "tcp://10.0.0.1:25",
        "RELAY_SERVICE_HOST": "10.0.0.1",
        "RELAY_FOO_PORT_1025_TCP_ADDR": "10.0.0.1",
        "RELAY_CONFIG": "x",
        "RELAY_GRACE": "",
    }
    assert not config.any_settings(None, environ)
    assert config.load(None, environ) == config.load(None, {})
    assert config.any_settings(None, {"RELAY_GRACE": "26"})


def test_a_secret_comes_from_a_file_beside_the_settings(tmp_path: Path) -> None:
    (tmp_path / "id").write_bytes(b"AKIA\r\n")
    (tmp_path / "secret").write_bytes(b"hush/+\n")
    toml = '[ses]\naccessKeyIdFile = "id"\naccessKeySecretFile = "secret"\n'
    file = tmp_path / "config.toml"
    file.write_text(toml)
    loaded = config.load(file, {})
    assert config.revealed(loaded.ses.access_key_id) == "AKIA"
    assert config.revealed(loaded.ses.access_key_secret) == "hush/+"
    assert "hush" not in repr(loaded)
    both = _refusal(tmp_path, f'{toml}accessKeyId = "B"')
    assert (
        both
        == "config.toml: ses.accessKeyIdFile: is given beside accessKeyId; keep one"
    )


def test_recipients_follow_the_queue_and_capture_forces_none(tmp_path: Path) -> None:
    assert config.load(None, {}).limits.recipients == 1000
    none = config.load(None, {"RELAY_QUEUE__ENGINE": "none"})
    assert none.limits.recipients == 50
    captured = config.load(None, {"RELAY_QUEUE__ENGINE": "sqlite"}, capture=True)
    assert (captured.transport, captured.queue.engine) == ("capture", "none")


def test_a_missing_template_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    entry = '[[templates]]\nusageType = "A"\nsubject = ""\ncontentFile = "a.html"'
    file.write_text(entry)
    with pytest.raises(ConfigError, match=r"templates\[0\]\.contentFile = .*a\.html"):
        templates.sources(config.load(file, {}))


@pytest.mark.parametrize("made", ["directory", "latin", "nothing"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, made: str) -> None:
    file = tmp_path / "config.toml"
    if made == "directory":
        file.mkdir()
    elif made == "latin":
        file.write_bytes(b"a = '\xe9'")
    with pytest.raises(ConfigError, match=r"config\.toml: "):
        config.load(file, {})


@pytest.mark.parametrize("content", [" ", "\t\n", "x", "fifteen-letters\n", "Bearer\n"])
def test_a_token_s_file_holds_one_that_nobody_guesses(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "intake-token").write_text(content)
    said = _refusal(tmp_path, "[intake]\ntokenFile = 'intake-token'")
    assert said == (
        "config.toml: intake.tokenFile = 'intake-token': holds a token of fewer than "
        "16 characters, which can be guessed; openssl rand -hex 32 makes one"
    )


def test_a_token_of_sixteen_characters_is_taken(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[intake]\ntoken = 'sixteen-letters!'")
    loaded = config.load(tmp_path / "config.toml", {})
    assert config.revealed(loaded.intake.token) == "sixteen-letters!"


def test_in_capture_mode_everybody_may_hand_over_mail_and_a_line_says_so(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    for number, rest in enumerate(
        ("allow = ['0.0.0.0/0', '::/0']", "auth = 'any'", "auth = 'required'")
    ):
        user = f"[[users]]\nname = 'a'\npasswordHash = '{password.hashed('x')}'\n"
        toml = f"transport = 'capture'\n{user if number == 2 else ''}{OUTSIDE}{rest}\n"
        file.write_text(toml + ("insecureAuth = true" if number == 2 else ""))
        told = config.warnings(config.load(file, {}))
        if number == 2:
            assert told == []
            continue
        [line] = told
        assert line == (
            "listeners[0]: takes mail from whoever reaches 0.0.0.0:25; it is captured, "
            "and nothing leaves"
        )
    # The page keeps its rules.
    file.write_text("transport = 'capture'\n[web]\nlisten = '0.0.0.0:8025'")
    with pytest.raises(ConfigError, match="reachable from outside the machine"):
        config.load(file, {})


SECRET = "S3CRETS3CRET"
NAMES = ("ses", "accessKeyId", "access_key_secret", "passwordHash", "users", "token",
         "web", "intake", "listeners", "allow", "grace", "pace", "rate", "tags",
         "templates", "usageType", "contentFile", "tokenFile", "limits",)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
def test_any_values_are_settings_or_a_config_error(values: dict[str, Any]) -> None:
    environ = {
        f"RELAY_{name.upper()}": json.dumps(value) for name, value in values.items()
    }
    table = {f"RELAY_SES__{name.upper()}": str(v) for name, v in values.items()}
    for each in (environ, table, {"RELAY_USERS": json.dumps(values)}):
        try:
            config.load(None, each)
        except ConfigError as error:
            assert str(error)  # noqa: PT017 - a refusal says why


@given(st.sampled_from(["users", "web", "intake", "ses"]), st.integers(0, 3))
def test_no_message_shows_a_secret(table: str, shape: int) -> None:
    names = ("passwordHash", "token", "accessKeyId", "accessKeySecret")
    wrap: Any = [SECRET, [SECRET], {"x": SECRET}, [{"y": SECRET}]][shape]
    entry = dict.fromkeys(names, wrap)
    environ = {"RELAY_USERS": json.dumps([entry, SECRET] if table == "users" else wrap)}
    for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET"):
        environ[f"RELAY_SES__{name}"] = f"{SECRET} "
    with pytest.raises(ConfigError) as caught:
        config.load(None, environ)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", [f"u:{SECRET}@host", f"http://u:{SECRET}@host name"])
def test_no_message_shows_the_password_in_a_url(url: str) -> None:
    with pytest.raises(ConfigError, match="must be a URL") as caught:
        config.load(None, {"RELAY_SES__ENDPOINT_URL": url})
    assert SECRET not in str(caught.value)


def test_doors_that_nobody_can_open_are_a_warning(tmp_path: Path) -> None:
    hashed = password.hashed("s3cret")
    file = tmp_path / "config.toml"
    file.write_text(
        f"[[users]]\nname = 'app'\npasswordHash = '{hashed}'\n"
        "[[listeners]]\nauth = 'optional'\n"
    )
    (warning,) = config.warnings(config.load(file, {}))
    assert 'listeners[0].auth = "optional": nobody can log in without TLS' in warning
    file.write_text(f"[[users]]\nname = 'app'\npasswordHash = '{hashed}'\n")
    (warning,) = config.warnings(config.load(file, {}))
    assert warning == "users: no listener has auth, so nobody logs in"
    file.write_text("[tls]\ncertFile = 'a'\nkeyFile = 'b'\n")
    (warning,) = config.warnings(config.load(file, {}))
    assert warning == "tls.certFile: no listener has tls, so it is not used"


def test_a_byte_order_mark_in_a_file_is_no_text(tmp_path: Path) -> None:
    """Of settings, of a template and of a secret: editors on Windows write it."""
    mark = b"\xef\xbb\xbf"
    (tmp_path / "template.html").write_bytes(mark + b"<p>Hi {{code}}</p>")
    (tmp_path / "token").write_bytes(mark + b"sixteen-letters-1\r\n")
    file = tmp_path / "config.toml"
    file.write_bytes(
        mark + b'[ses]\r\nregion = "eu-west-1"\r\n[intake]\r\ntokenFile = "token"\r\n'
        b'[[templates]]\r\nusageType = "A"\r\nsubject = "s"\r\n'
        b'contentFile = "template.html"\r\n'
    )
    settings = config.load(file, {})
    assert config.revealed(settings.intake.token) == "sixteen-letters-1"
    (source,) = templates.sources(settings)
    assert source.content == "<p>Hi {{code}}</p>"


def test_a_file_in_utf16_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes('[ses]\nregion = "eu-west-1"\n'.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"config\.toml: is UTF-16; save it as UTF-8"):
        config.load(file, {})
