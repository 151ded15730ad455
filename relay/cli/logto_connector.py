"""A Logto Amazon SES connector's JSON as the text of a settings file.

Nothing is lost: what has no effect in Logto becomes a comment, and a note.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.content.html_tags import Tag, tokens
from relay.templates.placeholder import BLANKS, Problems, compile_text

CONNECTOR_ID = "aws-ses-mail"
USAGES = (
    "SignIn",
    "Register",
    "ForgotPassword",
    "OrganizationInvitation",
    "Generic",
    "UserPermissionValidation",
    "BindNewIdentifier",
    "MfaVerification",
    "BindMfa",
)
# An invitation holds no code: it lives by its own end, and two may be meant.
WITH_CODE = frozenset(USAGES) - {"OrganizationInvitation"}

_SETTINGS = (
    "accessKeyId",
    "accessKeySecret",
    "region",
    "emailAddress",
    "emailAddressIdentityArn",
    "feedbackForwardingEmailAddress",
    "feedbackForwardingEmailAddressIdentityArn",
    "configurationSetName",
)
_TEMPLATE = ("usageType", "subject", "content")
# A template without content is refused; this one makes a mail without.
EMPTY = "<!-- empty in Logto -->"
# A variable of Logto's: there `{{message.text}}` is one that nobody gives.
_LOGTOS = re.compile(rf"\{{\{{{BLANKS}(?!message\.|\.)[A-Za-z0-9_.]++{BLANKS}\}}\}}")
_TWO = re.compile(r"\{(?=\{)")
_PLACEHOLDER = re.compile(r"\s*<[^<>]*>\s*")
_NOT_TOML = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class ConnectorError(Exception):
    """The JSON is no Amazon SES connector; the text is for the operator."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The settings file, and what the operator should know about it."""

    toml: str
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Paper:
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def comment(self, key: str, value: object, note: str) -> None:
        """Keep what has no effect: one line, whatever the value holds."""
        self.lines.append(f"# {_json(key)}: {_json(value)}")
        self.notes.append(note)

    def setting(self, name: str, value: object) -> None:
        """One line of TOML, or several for a text of several."""
        self.lines.append(f"{name} = {_toml(value)}")


def convert(text: str) -> Imported:
    """Make a settings file of a connector's JSON. Raises ConnectorError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ConnectorError("is not JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ConnectorError(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:
        raise ConnectorError("is not JSON: a number of too many digits") from None
    config = _config(value)
    paper = _Paper()
    paper.lines += [
        "# Made by `relay import` from a Logto Amazon SES connector.",
        "# The key now needs ses:SendRawEmail; the connector used ses:SendEmail.",
        "",
        "# A variable that is not given stays as it stands, as in Logto.",
        'missingVariables = "keep"',
        "",
        "[ses]",
    ]
    paper.notes.append("the key now needs the permission ses:SendRawEmail")
    for name in _SETTINGS:
        given = config.get(name)
        if _absent(given):
            continue
        if not isinstance(given, str):
            raise ConnectorError(f"{name}: must be a text")
        if name == "emailAddress":
            given = re.sub(r"\\+(?=\s*<)", "", given)
        paper.setting(name, given)
    for name, given in config.items():
        if name not in (*_SETTINGS, "templates") and not _absent(given):
            paper.comment(name, given, f"{_shown(name)}: has no effect; a comment now")
    _templates(paper, config.get("templates"))
    return Imported("\n".join(paper.lines) + "\n", tuple(paper.notes))


def _config(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON
    """The connector's config, in whichever of its three forms."""
    if isinstance(value, list):
        mine = [
            each
            for each in value
            if isinstance(each, dict) and each.get("connectorId") == CONNECTOR_ID
        ]
        if len(mine) != 1:
            raise ConnectorError(
                f"has {len(mine) or 'no'} connector{'s' * (len(mine) != 1)} with "
                f"connectorId {CONNECTOR_ID}; "
                + ("give one of them alone" if mine else "is it the list of Logto's?")
            )
        value = mine[0]
    if not isinstance(value, dict):
        raise ConnectorError("must be a connector, its config, or a list of connectors")
    if "connectorId" in value or isinstance(value.get("config"), dict):
        known = value.get("connectorId", CONNECTOR_ID)
        if known != CONNECTOR_ID:
            raise ConnectorError(f"is another connector; wanted {CONNECTOR_ID}")
        value = value.get("config")
        if not isinstance(value, dict):
            raise ConnectorError("config: must be an object")
    if not any(name in value for name in (*_SETTINGS, "templates")):
        raise ConnectorError("has none of the settings of an Amazon SES connector")
    return value


def _templates(paper: _Paper, templates: Any) -> None:  # noqa: ANN401 - any JSON
    if _absent(templates):
        return
    if isinstance(templates, str):  # the console's form keeps JSON as a text
        try:
            templates = json.loads(templates)
        except (ValueError, RecursionError):
            raise ConnectorError("templates: is not JSON") from None
    if not isinstance(templates, list):
        raise ConnectorError("templates: must be a list")
    seen: set[str] = set()
    for number, template in enumerate(templates):
        place = f"templates[{number}]"
        if not isinstance(template, dict):
            raise ConnectorError(f"{place}: must be an object")
        given = {key: value for key, value in template.items() if not _absent(value)}
        for key in _TEMPLATE:
            if not isinstance(given.get(key, ""), str):
                raise ConnectorError(f"{place}.{key}: must be a text")
        usage = given.get("usageType", "")
        place = f"{place} ({_shown(usage)})"
        paper.lines.append("")
        lacking = next(
            (key for key in ("usageType", "content") if _absent(given.get(key))), ""
        )
        if lacking == "content" and template.get("content") == "":
            given["content"], lacking = "", ""
        if lacking or usage in seen:
            why = f"has no {lacking}" if lacking else "is the second of its usage"
            paper.comment("template", given, f"{place}: {why}; a comment now")
            continue
        seen.add(usage)
        _template(paper, usage, given, place)


def _template(paper: _Paper, usage: str, given: Mapping[str, Any], place: str) -> None:
    subject = given.get("subject", "")
    paper.lines.append("[[templates]]")
    paper.setting("usageType", usage)
    content = given["content"]
    if not content:
        paper.notes.append(f"warning: {place}: its content is empty, as is its mail")
        content = EMPTY
    for key, text, as_text in (
        ("subject", subject, _plain_braces),
        ("content", content, _html_braces),
    ):
        kept = as_text(text)
        if kept != text:
            paper.notes.append(
                f"warning: {place}: {key} has braces that are no variable in Logto "
                "and would be read or refused here; written so that they stay"
            )
        paper.setting(key, kept)
    if usage in WITH_CODE:
        paper.lines.append("validFor = 600 # Logto's default expiry of a code")
        paper.lines.append("supersedes = true # a new code voids the older")
    if _PLACEHOLDER.fullmatch(subject):
        paper.notes.append(f"warning: {place}: its subject is still a placeholder")
    for key, value in given.items():
        if key not in _TEMPLATE:
            note = f"{place}: {_shown(key)} has no effect in Logto; a comment now"
            paper.comment(key, value, note)


def _html_braces(text: str) -> str:
    """An HTML in which braces stay that Logto takes for no variable."""
    styles = list(_styles(text))

    def brace(place: int) -> str:
        # In a style no reference is read; and there a space changes nothing.
        in_style = any(start <= place < end for start, end in styles)
        return "{ " if in_style else "&#123;"

    return _kept_braces(text, brace)


def _plain_braces(text: str) -> str:
    """The same of a text that is no HTML, by a character that nobody sees."""
    return _kept_braces(text, lambda _: "{\u2060")


def _kept_braces(text: str, brace: Callable[[int], str]) -> str:
    """Write braces anew that would be refused, or be a variable here and not there."""
    pieces: list[str] = []
    end = 0
    for match in (*_LOGTOS.finditer(text), None):
        start = len(text) if match is None else match.start()
        before = text[end:start]
        problems = Problems("")
        if compile_text(before, "", problems).places or problems.errors:
            places = [end + each.start() for each in _TWO.finditer(before)]
            for place in reversed(places):
                at = place - end
                before = f"{before[:at]}{brace(place)}{before[at + 1 :]}"
        if match is not None:
            if before.endswith("{") and text.startswith("}", match.end()):
                before = before[:-1] + brace(start - 1)
            end = match.end()
            before += match[0]
        pieces.append(before)
    return "".join(pieces)


def _styles(html: str) -> Iterator[tuple[int, int]]:
    """Where the styles of an HTML begin and end."""
    start = -1
    for token in tokens(html):
        if isinstance(token, Tag) and token.name == "style":
            if not token.closing:
                start = token.end
            elif start >= 0:
                yield start, token.start
                start = -1


def _absent(value: object) -> bool:
    return value is None or value == ""


def _shown(text: str) -> str:
    return text if text.isprintable() and len(text) <= 80 else _json(text)[:80]


def _json(value: object) -> str:
    """One line of JSON that TOML takes as a comment: no control character."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_TOML.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _toml(value: object) -> str:
    """A text as TOML has it; lines stay lines where only LF ends them."""
    text = str(value)
    if _NOT_TOML.search(text) and re.search("[\ud800-\udfff]", text):
        raise ConnectorError("has half of a surrogate pair, which is no character")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    escaped = _NOT_TOML.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)
    if "\n" not in text:
        return f'"{escaped}"'
    # The line end right after the opening quotes is not part of the text.
    return f'"""\n{escaped}"""'
