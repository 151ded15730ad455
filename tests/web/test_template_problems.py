"""What the API says is wrong with a template: the same as `relay templates lint`."""

from __future__ import annotations

import json

from tests.web.site import running_site

TEMPLATES = [
    {
        "usageType": "SignIn",
        "subject": "Code {{code}}",
        "content": "<p>{{code}}</p>\n<p>{{product}} {{nickname}}</p>",
    }
]
RULES = [{"usage": "SignIn", "variables": {"product": "Shop"}}]


def test_problems_have_kind_level_and_place_and_know_what_rules_bring() -> None:
    settings = {
        "RELAY_TEMPLATES": json.dumps(TEMPLATES),
        "RELAY_RULES": json.dumps(RULES),
        "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
    }
    with running_site(settings=settings) as site:
        variables = {"code": "1", "product": "x", "nickname": "y"}
        body = {"usage": "SignIn", "variables": variables}
        answer = site.ask("POST", "/api/v1/templates/render", body)
        [listed] = site.ask("GET", "/api/v1/templates").json["templates"]
    assert answer.json["problems"] == [
        {
            "kind": "variable",
            "text": "{{nickname}}: Logto passes no such variable with SignIn; if your "
            "app does, a kept test that has it says so",
            "line": 2,
            "column": 16,
            "level": "error",
            "file": "settings: templates[0] (SignIn).content",
            "fileLine": 2,
        }
    ]
    assert listed["problems"] == 1


def test_a_template_says_its_syntax_and_time_zone() -> None:
    jinja = {**TEMPLATES[0], "syntax": "jinja", "timezone": "Europe/Berlin"}
    settings = {
        "RELAY_TEMPLATES": json.dumps([jinja, {**TEMPLATES[0], "locale": "fr"}]),
        "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
    }
    with running_site(settings=settings) as site:
        listed = site.ask("GET", "/api/v1/templates").json["templates"]
    assert [(each["syntax"], each["timezone"]) for each in listed] == [
        ("jinja", "Europe/Berlin"),
        ("simple", "UTC"),
    ]
