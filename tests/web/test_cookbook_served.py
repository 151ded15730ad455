"""docs/cookbook.md as the settings of a running relay, and each legacy mail by SMTP."""

from __future__ import annotations

import json
from pathlib import Path

from tests.test_cookbook import TOML
from tests.unit.rules.legacy import NAMES, legacy_mail
from tests.web.site import running_site
from tests.web.test_rule_maker import send

LISTENERS = [{"name": name, "address": "127.0.0.1:0"} for name in ("local", "office")]


def test_each_legacy_mail_leaves_as_its_rule_and_its_template_say(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("\n".join(TOML), "utf-8")
    settings = {"RELAY_LISTENERS": json.dumps(LISTENERS)}
    with running_site(
        "--capture", "--show", "-c", str(file), settings=settings
    ) as site:
        stories = {}
        for name in NAMES:
            mail = legacy_mail(name)
            mail_id = send(site, mail, mail.submission.listener)
            story = site.get(f"/api/v1/mails/{mail_id}").json
            stories[name] = (story["state"], story["rule"])
            assert set(story["variables"]) == set(mail.variables)
        assert site.get("/api/v1/unclaimed").json["mails"] == 0

        assert stories == {
            name: ("captured", rule)
            for name in NAMES
            for rule in [legacy_mail(name).rules.split('name = "')[1].split('"')[0]]
        }
        # What was found in them is in no line of the log, and in no metric.
        said = "".join(site.relay.stderr) + site.get("/metrics").body.decode()
        for name in NAMES:
            for variable in ("code", "link"):
                value = legacy_mail(name).variables.get(variable, "")
                assert len(value) < 8 or value not in said
