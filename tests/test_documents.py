"""What the documents say is so: defaults, settings, commands, links."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.app.rules import rules
from relay.app.templates import templates
from relay.cli import command_line
from relay.config import Config, load, warnings
from relay.config.described import plain
from relay.password import hashed

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Without what tells of the past.
PAGES = [file for file in DOCUMENTS if file.name != "CHANGELOG.md"]
TEMPLATE = '\n[[templates]]\nusageType = "{}"\nsubject = "s"\ncontent = "c"\n'
SECONDS = {"s": 1.0, "h": 3600.0, "days": 86_400.0}
FENCE = re.compile(r"(?ms)^( *)```(\w*)\n(.*?)^ *```$")

# What stands for a secret, and one that could be.
SECRETS = {
    "$argon2id$…": hashed("correct horse"),
    "whsec_…": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
}
# What a block of settings stands on, that its page has said before.
BEFORE = {
    'listener = "office"': '[[listeners]]\nname = "office"\n',
    "[suppression]": '[events]\nurl = "https://sqs.eu-west-1.amazonaws.com/1/e"\n',
}


def blocks(document: Path, *languages: str) -> Iterator[str]:
    """What stands between the fences of a document, of some languages."""
    for indent, language, text in FENCE.findall(document.read_text("utf-8")):
        if language in languages:
            yield textwrap.dedent(text) if indent else text


def test_the_times_in_the_page_about_the_queue_are_the_defaults() -> None:
    text = (ROOT / "docs" / "queue.md").read_text("utf-8")
    queue = plain(Config().queue)
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) (s|h|days) \|", text, re.MULTILINE)

    written = {
        name: [float(number) * SECONDS[unit] for number in numbers.split(",")]
        for name, numbers, unit in rows
    }

    assert written.keys() == {
        *("answerWithin", "retryDelays", "slowDelays", "unseenDelays"),
        *("giveUpAfter", "keepSent", "keepFailed", "keepKeys"),
    }
    for name, seconds in written.items():
        default = queue[name]
        assert seconds == (default if isinstance(default, list) else [default])


SETTINGS = [
    pytest.param(block, id=f"{document.name} {number}")
    for document in PAGES
    for number, block in enumerate(blocks(document, "toml"))
]


@pytest.mark.parametrize("block", SETTINGS)
def test_each_block_of_settings_is_taken(block: str, tmp_path: Path) -> None:
    for example, secret in SECRETS.items():
        block = block.replace(example, secret)
    # What it names is there, but in this folder.
    block = re.sub(r'(?m)^(\w+File|templatesDir) = "/', r'\1 = "', block)
    for name, path in re.findall(r'(?m)^(\w+File|templatesDir) = "([^"]+)"', block):
        named = tmp_path / path
        if name == "templatesDir":
            named.mkdir(parents=True)
            continue
        named.parent.mkdir(parents=True, exist_ok=True)
        named.write_text("any-text-as-a-secret-may-be")
        named.chmod(0o600)
    own = set(re.findall(r'^usageType = "(\w+)"', block, re.MULTILINE))
    wanted = set(re.findall(r'^(?:usage|notFound) = "(\w+)"', block, re.MULTILINE))
    others = sorted(wanted - own - {"pass", "reject"})
    block += "".join(map(TEMPLATE.format, others))
    block += "".join(BEFORE[word] for word in BEFORE if word in block)
    file = tmp_path / "config.toml"
    file.write_text(block, "utf-8")

    settings = load(file, {})

    found = templates(settings)
    compiled = rules(settings, found)
    assert len(compiled.all if compiled else ()) == block.count("[[rules]]")
    assert warnings(settings) == []


DATA: Mapping[str, Callable[[str], Any]] = {"json": json.loads, "yaml": yaml.safe_load}
EXAMPLES = [
    pytest.param(language, block, id=f"{document.name} {language} {number}")
    for document in PAGES
    for language in DATA
    for number, block in enumerate(blocks(document, language))
]


@pytest.mark.parametrize(("language", "block"), EXAMPLES)
def test_each_example_in_json_or_yaml_is_one_and_its_variables_are_settings(
    language: str, block: str
) -> None:
    settings = load(None, dict(variables(DATA[language](block))))
    assert warnings(settings) == []


def variables(example: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """The RELAY_… variables that a task, a pod or a compose file gives."""
    match example:
        case {"name": str(name), "value": str(value)} if name.startswith("RELAY_"):
            yield name, value
        case dict():
            for name, value in example.items():
                if name.startswith("RELAY_"):
                    yield name, value
                yield from variables(value)
        case list():
            for one in example:
                yield from variables(one)


def said_to_a_shell(document: Path) -> Iterator[str]:
    """Each command of a document, without its continuation lines and its prompt."""
    for block in blocks(document, "sh"):
        yield from re.sub(r"\\\n\s*", "", block).splitlines()
    for block in blocks(document, "console"):
        yield from re.findall(r"^\$ (.*)", re.sub(r"\\\n\s*", "", block), re.MULTILINE)


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each program that a line runs, without where its output goes."""
    parts = shlex.shlex(line, posix=True, punctuation_chars=True)
    parts.whitespace_split = True
    words: list[str] = []
    redirected = False
    for part in parts:
        if redirected:
            redirected = False
        elif part in {">", ">>", "<", "2>"}:
            redirected = True
        elif set(part) <= set("();&|"):
            yield words
            words = []
        elif words or not re.match(r"[A-Z_]+=", part):
            words.append(part)
    yield words


def arguments_of_relay(words: list[str]) -> list[str] | None:
    """What a command gives to `relay`, itself or in a container; None: another one."""
    if words[:2] == ["docker", "run"] and "ses-relay" in words:
        return words[words.index("ses-relay") + 1 :] or ["serve"]
    if words[:2] == ["docker", "exec"]:
        words = words[3:]
    if words and words[0].rpartition("/")[2] == "relay":
        return words[1:]
    return None


COMMANDS = [
    pytest.param(arguments, id=f"{document.name}: {' '.join(arguments)[:50]}")
    for document in PAGES
    for line in said_to_a_shell(document)
    for words in simple_commands(line)
    if (arguments := arguments_of_relay(words)) is not None
]


@pytest.fixture(scope="module")
def parser() -> argparse.ArgumentParser:
    return command_line()


@pytest.mark.parametrize("arguments", COMMANDS)
def test_each_command_of_relay_is_one(
    arguments: list[str],
    parser: argparse.ArgumentParser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ends with a SystemExit, and says why, where it is none."""
    monkeypatch.chdir(tmp_path)
    for word in arguments:
        if word.endswith(".json"):  # variables are read with the command line
            Path(word).write_text("{}")
    assert parser.parse_args(arguments).run


def test_commands_are_found_in_all_that_a_shell_does_with_them() -> None:
    line = "(umask 077; A=b /opt/bin/relay import - <x >y) && docker run -d ses-relay"
    found = [arguments_of_relay(words) for words in simple_commands(line)]
    assert [one for one in found if one is not None] == [["import", "-"], ["serve"]]
    assert len(COMMANDS) > 40


INLINE = sorted(
    {
        (document.name, named)
        for document in PAGES
        for named in re.findall(r"`relay ([a-z][^`]*)`", document.read_text("utf-8"))
        if not named.startswith("transport found host")  # Exim's words
    }
)


@pytest.mark.parametrize(("document", "named"), INLINE)
def test_each_command_within_a_sentence_has_its_name_and_options(
    document: str, named: str, parser: argparse.ArgumentParser
) -> None:
    known = parser
    for word in shlex.split(named):
        options = known._option_string_actions
        if word.startswith("--"):
            assert word.partition("=")[0] in options, f"{document}: relay {named}"
        for action in known._actions:
            if isinstance(action, argparse._SubParsersAction):
                assert word in action.choices, f"{document}: relay {named}"
                known = action.choices[word]


def test_each_target_of_make_that_is_named_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = re.findall(r"(?m)^([a-z-]+):", makefile)
    named = {
        target
        for document in PAGES
        for text in [document.read_text("utf-8")]
        for target in re.findall(r"(?m)(?:^|`)make ([a-z-]+)", text)
    }
    assert named >= {"demo", "test"}
    assert named <= set(known)


def test_each_file_of_deploy_that_a_page_names_is_there() -> None:
    named = {
        path
        for document in PAGES
        for path in re.findall(r"`(deploy/[\w./-]+)`", document.read_text("utf-8"))
    }
    assert len(named) > 5
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def anchors(document: Path) -> set[str]:
    """Those that GitHub makes of the headings; repeated ones are numbered."""
    text = FENCE.sub("", document.read_text("utf-8"))
    found: list[str] = []
    for heading in re.findall(r"(?m)^#+ (.*)$", text):
        plain_text = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain_text.lower()).replace(" ", "-")
        before = sum(bool(re.fullmatch(rf"{slug}(-\d+)?", one)) for one in found)
        found.append(f"{slug}-{before}" if before else slug)
    return set(found)


@pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT))
)
def test_each_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", FENCE.sub("", document.read_text("utf-8")))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https:", "http:", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
