"""Rules that cannot be meant: a message with the rule's name and place."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import config
from relay.app.in_force import rules, templates
from relay.config.read import ConfigError
from relay.system.process import CannotStart

SIGN_IN = '[[templates]]\nusageType = "SignIn"\nsubject = "s"\ncontent = "c"\n'
GENERIC = SIGN_IN.replace("SignIn", "Generic")


def _loaded(directory: Path, toml: str) -> config.Config:
    file = directory / "config.toml"
    file.write_text(toml, "utf-8")
    return config.load(file, {})


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            'listener = "offce"',
            'rules[0].listener = "offce": rule "rule 1": there is no listener of this ',
        ),
        (
            'name = "shop"\nuser = ["a", "b"]',
            'rules[0].user = "a": rule "shop": there is no user of this name; known: n',
        ),
        ('name = "rule 2"\n[[rules]]', 'rules[1].name = "rule 2": given twice'),
        ('name = "a\\nb"', 'rules[0].name = "a\\nb": must be 1 to 100 characters of '),
        ("subject = 5", "rules[0].subject = 5: must be a text in quotes, or "),
        ("subject = [5]", "rules[0].subject[0] = 5: must be a text in quotes"),
        ('client = "10.0.0.1/8"', "rules[0].client[0] = "),
        ('notFound = ""', 'rules[0].notFound = "": must not be empty'),
        ('variablesFrom = "xml"', 'rules[0].variablesFrom = "xml": must be "", "text"'),
        ("variables = { a-b = 1 }", "rules[0].variables: 'a-b': a variable's name has"),
        ("variables = { a = nan }", "rules[0].variables: a: must be a number that"),
        (
            "tags = { app = 'a b' }",
            "rules[0].tags: has 'app': names and values are",
        ),
        ("header = { 'A:' = 'a' }", 'rules[0].header."A:": is no header\'s name'),
        ("header = { X-A = 'a', x-a = 'b' }", "rules[0].header.x-a: is given twice"),
        ("headers = { From = 'a' }", "rules[0].headers.From: is what setFrom is for"),
        ("headers = { 'A B' = 'a' }", 'rules[0].headers."A B": is no header\'s name'),
        ("headers = { Content-Type = 'a' }", "rules[0].headers.Content-Type: is a he"),
        ("headers = { X-SES-A = 'a' }", "rules[0].headers.X-SES-A: is a header that"),
        ('headers = { X-A = "a\\nb" }', "rules[0].headers.X-A: must be a text of one"),
        ("headers = { X-A = '' }", "rules[0].headers.X-A: must be a text of one"),
        ("headers = { X-A = 'a', x-a = 'b' }", "rules[0].headers.x-a: is given twice"),
        ("setFrom = 'Acme'", 'rules[0].setFrom = "Acme": must be an address, such as'),
        ("keepFrom = 'x'", 'rules[0].keepFrom = "x": must be "reply-to", "name"'),
        ("priority = 'x'", 'rules[0].priority = "x": must be "", "high"'),
        ("form = 'x'", "rules[0].form: unknown setting; did you mean rules[0].from?"),
        ("header = 'X-Job'", "rules[0].header: must be a table"),
        ('header = { "" = "x" }', 'rules[0].header."": is no header\'s name'),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, rule: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _loaded(tmp_path, f"{SIGN_IN}[[rules]]\n{rule}\n")
    said = str(caught.value).replace(f"{tmp_path}/", "")
    assert said.startswith(f"config.toml: {text}")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            "subject = '/reset(/'",
            "subject = '/reset(/': is no expression of RE2: missing ): reset(",
        ),
        ("body = '/(?=x)/'", "body = '/(?=x)/': is no expression of RE2: invalid perl"),
        ("header = { X-Job = '/[/' }", "header.X-Job = '/[/': is no expression"),
        ("from = '/((a{100}){100}){100}/'", "from = "),
        ("extract = ['code']", "extract[0] = 'code': has no named group, which would"),
        ("extract = ['a(?P<x>b']", "extract[0] = 'a(?P<x>b': is no expression of RE2:"),
        ("extract = ['(?P<é>b)']", "extract[0] = '(?P<é>b)': group é: a variable's"),
        (
            'usage = "SignOn"',
            "usage = 'SignOn': has no template, and there is no Generic; known: SignIn",
        ),
        (
            'notFound = "rejct"',
            "notFound = 'rejct': must be pass, reject or a usage that has a template; ",
        ),
    ],
)
def test_what_does_not_compile_stops_the_start(
    tmp_path: Path, rule: str, text: str
) -> None:
    settings = _loaded(tmp_path, f"{SIGN_IN}[[rules]]\n[[rules]]\nname = 'x'\n{rule}\n")
    with pytest.raises(CannotStart) as caught:
        rules(settings, templates(settings))
    assert str(caught.value).startswith(f"{tmp_path}/config.toml: rules[1] (x): {text}")


def test_a_rules_usage_may_be_generics(tmp_path: Path) -> None:
    settings = _loaded(tmp_path, f"{GENERIC}[[rules]]\nusage = 'SignOn'\n")
    made = rules(settings, templates(settings))
    assert made is not None
    assert made.names == ("rule 1",)


def test_one_text_is_a_list_of_one(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        "[[rules]]\nsubject = 'a'\nfrom = 'b'\nheader = { X = '' }\n"
        "client = '::ffff:10.0.0.0/104'\n"
        "variables = { a = 2026-01-02, b = [1, { c = 12:00:00 }] }\n",
    )
    [rule] = settings.rules
    assert (rule.subject, rule.from_, rule.header) == (("a",), ("b",), {"X": ("",)})
    assert [str(one) for one in rule.client] == ["10.0.0.0/8"]
    assert rule.variables == {"a": "2026-01-02", "b": [1, {"c": "12:00:00"}]}


def test_what_has_no_effect_is_a_warning(tmp_path: Path) -> None:
    settings = _loaded(
        tmp_path,
        '[[rules]]\nname = "all"\nusage = "SignIn"\n'
        '[[rules]]\nextract = ["(?P<a>b)"]\nnotFound = "reject"\n'
        'keepFrom = "drop"\n'
        '[[rules]]\nvariablesFrom = "text"\nsubject = "a"\n'
        "[[rules]]\n" + SIGN_IN,
    )
    assert config.warnings(settings) == [
        'rules[0] "all": has no condition, so no rule below it ever holds',
        'rules[1] "rule 2": has no condition, so no rule below it ever holds',
        'rules[1] "rule 2": extract counts with variablesFrom = "text" alone',
        'rules[1] "rule 2": notFound has no effect without variablesFrom',
        'rules[1] "rule 2": keepFrom has no effect without setFrom',
        'rules[2] "rule 3": variablesFrom = "text" finds nothing without extract',
    ]
