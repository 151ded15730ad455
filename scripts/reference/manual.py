"""relay(1) and relay.toml(5), in the language of man."""

from __future__ import annotations

from collections.abc import Iterator

from relay.config.described import described, inner_table, summary
from relay.config.environment import PREFIX
from relay.config.explain import to_camel
from relay.config.models import Config

from .commands import commands
from .settings import kind_in_words, settings, toml


def of_commands() -> str:
    """relay(1)."""
    return "\n".join(_of_commands()) + "\n"


def of_settings() -> str:
    """relay.toml(5)."""
    return "\n".join(_of_settings()) + "\n"


def _of_commands() -> Iterator[str]:
    yield '.TH RELAY 1 "" ses-relay "User Commands"'
    yield from (".SH NAME", r"relay \- an SMTP-compatible relay to Amazon SES")
    yield from (".SH SYNOPSIS", r".B relay", r"\fICOMMAND\fR [options]", ".br")
    yield from (".B relay", "COMMAND --help".replace("-", r"\-"))
    yield from (".SH COMMANDS",)
    for command in commands():
        yield f".SS {_text(command.usage)}"
        yield _text(f"{command.about[:1].upper()}{command.about[1:]}.")
        for name, about in command.arguments:
            yield from (".TP", rf"\fB{_text(name)}\fR", _text(about) or r"\&")
        if command.more:
            yield from (".PP", _text(command.more))
    yield ".SH EXIT STATUS"
    for code, meaning in (
        ("0", "Done."),
        ("1", "It ran, and something failed."),
        ("2", "Wrong usage or wrong settings."),
        ("3", "serve and worker: stopped with work cut off."),
        ("4", "serve and worker: a part broke, or what keeps a start may pass."),
    ):
        yield from (".TP", rf"\fB{code}\fR", _text(meaning))
    yield ".SH ENVIRONMENT"
    for name, meaning in (
        ("RELAY_CONFIG", "The settings file, where -c does not name one."),
        ("RELAY_DEFAULTS", "A folder of a package's own defaults, below the file."),
        ("RELAY_...", "A setting: see relay.toml(5)."),
    ):
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(meaning))
    yield from (".SH FILES", ".TP", r"\fBconfig.toml\fR")
    yield _text("The settings, where neither -c nor RELAY_CONFIG names a file.")
    yield from (".SH SEE ALSO", ".BR relay.toml (5)")


def _of_settings() -> Iterator[str]:
    yield '.TH RELAY.TOML 5 "" ses-relay "File Formats"'
    yield from (".SH NAME", r"relay.toml \- the settings of relay(1)")
    yield ".SH DESCRIPTION"
    yield _text(
        "A file of TOML that -c, RELAY_CONFIG or the name config.toml in the working "
        "directory leads to. A variable of the environment goes before it: "
        "RELAY_SES__REGION is the setting region of the table [ses]; lists are JSON. "
        "`relay config show` prints what is in force, and where it comes from; "
        "`relay schema` prints the JSON schema, for editors."
    )
    yield ".SH AT THE TOP OF THE FILE"
    yield from _settings(Config, PREFIX)
    for name, kind in Config.kinds().items():
        if (inner := inner_table(kind)) is not None:
            of_many = inner is not kind
            yield f".SH {'[[' if of_many else '['}{name}{']]' if of_many else ']'}"
            yield _text(described(Config, name) or summary(inner))
            yield from _settings(inner, "" if of_many else f"{PREFIX}{name.upper()}__")
    yield from (".SH SEE ALSO", ".BR relay (1)")


def _settings(table: type, variable: str) -> Iterator[str]:
    for name, said in settings(table):
        yield from (".TP", rf"\fB{to_camel(name)}\fR")
        yield _text(said["description"])
        yield ".br"
        kind = kind_in_words(said).replace("`", "")
        default = f"Default: {toml(said['default'])}. " if "default" in said else ""
        yield _text(f"{kind[:1].upper()}{kind[1:]}. {default}")
        yield from (".br", _text(f"Example: {toml(said['examples'][0])}"))
        if variable:
            yield from (".br", _text(f"{variable}{name.upper()}"))


def _text(text: str) -> str:
    """A line that man takes as it is."""
    safe = text.strip().replace("\\", r"\e").replace("-", r"\-")
    safe = safe.replace("'", r"\(aq").replace("^", r"\(ha").replace("~", r"\(ti")
    safe = safe.replace('"', r"\(dq").replace("`", r"\(ga")
    return rf"\&{safe}" if safe.startswith(".") else safe
