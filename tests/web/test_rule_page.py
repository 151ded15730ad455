""" "Make a rule" in a real Chromium, with the mails of legacy applications."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from relay.rules.facts import Facts
from tests.server.relay_process import WAIT
from tests.server.test_life import through
from tests.unit.rules.legacy import NAMES, compiled, legacy_mail
from tests.web.browser import faultless
from tests.web.site import Site, fake_ses, mail, running_site, sending_site
from tests.web.test_rule_maker import SETTINGS, send

expect.set_options(timeout=WAIT * 1000)


def toml(page: Page) -> str:
    return page.get_by_label("The rule as TOML").inner_text()


def field(page: Page, label: str) -> str:
    return page.get_by_label(label, exact=True).input_value()


@pytest.mark.parametrize("name", NAMES)
def test_the_page_writes_a_rule_for_each_legacy_mail(
    page: Page, site: Site, tmp_path: Path, name: str
) -> None:
    legacy = legacy_mail(name)
    mail_id = send(site, legacy)
    page.goto(f"{site.url}/mails/{mail_id}")
    page.get_by_role("link", name="Make a rule").last.click()
    expect(page).to_have_url(f"{site.url}/mails/{mail_id}/rule")

    verdict = page.get_by_role("status").filter(has_text="The rule holds")
    expect(verdict).to_be_visible()

    facts = Facts.of(legacy.submission)
    made = toml(page)
    assert tomllib.loads(made)["rules"][0]["sender"] == field(page, "MAIL FROM")
    rule = compiled(tmp_path, made)
    held = rule.rule_for(facts)
    assert held is not None
    found = held.find(facts)
    assert found.missing == ()
    for variable in ("code", "link"):
        if variable in legacy.variables:
            assert legacy.variables[variable] in found.variables.values()
    for value in found.variables.values():
        expect(page.get_by_role("list", name="Patterns")).to_contain_text(value)


def test_a_rule_is_changed_and_its_result_is_seen_at_once(
    page: Page, tmp_path: Path
) -> None:
    with running_site(settings=SETTINGS) as site:
        mail_id = send(site, legacy_mail("cdo-code-spanish"))
        page.goto(f"{site.url}/mails/{mail_id}/rule")
        verdict = page.get_by_role("status").filter(has_text="The rule")
        expect(verdict).to_have_text("The rule holds for this mail and finds code.")
        templated = page.frame_locator("iframe[title='The templated mail']")
        expect(templated.locator("p")).to_have_text("4821")
        expect(page.locator("figure pre")).to_contain_text("Su código de")
        faultless(page)

        # A condition that does not hold, one that cannot be read, and one that does.
        subject = page.get_by_label("Subject", exact=True)
        subject.fill("Something else")
        expect(
            page.get_by_text("does not hold for this mail", exact=True)
        ).to_be_visible()
        expect(verdict).to_have_text("The rule does not hold for this mail.")
        subject.fill("/c(/")
        expect(page.locator(".note.bad")).to_contain_text("missing )")
        expect(page.get_by_text("There is no TOML until")).to_be_visible()
        subject.fill("/^Código/")
        expect(verdict).to_contain_text("The rule holds")
        faultless(page)

        # A pattern by another name, one that finds nothing, and what it becomes.
        pattern = page.get_by_label("Pattern 1", exact=True)
        pattern.fill(r"es (?P<pin>\d{4})\.")
        expect(page.locator(".note", has_text="pin = 4821")).to_be_visible()
        refused = "SignIn would have it refused: Variables not given: code."
        expect(verdict).to_contain_text(refused)
        pattern.fill(r"PIN (?P<code>\d+)")
        expect(page.get_by_text("finds nothing in this mail")).to_be_visible()
        pattern.fill(r"es (?P<code>\d+)\.")
        page.get_by_label("Usage").select_option("Wrap")
        expect(templated.locator("p")).to_contain_text("Hola Lucía")
        page.get_by_label("Usage").select_option("SignIn")
        page.get_by_label("Locale").fill("es")

        # What was removed comes back; of two lines for one thing, one is enough.
        page.get_by_label("Remove MAIL FROM").click()
        expect(page.get_by_label("The rule as TOML")).not_to_contain_text("sender")
        add = page.get_by_label("Add a condition")
        add.select_option(label="MAIL FROM: intranet@acme.example")
        add.select_option(label="MAIL FROM: intranet@acme.example")
        page.get_by_label("MAIL FROM", exact=True).last.fill("other@acme.example")
        both = 'sender = ["intranet@acme.example", "other@acme.example"]'
        expect(page.get_by_label("The rule as TOML")).to_contain_text(both)
        expect(verdict).to_contain_text("The rule holds")
        page.get_by_label("Remove MAIL FROM").last.click()

        # One more condition, and one less.
        page.get_by_label("Add a condition").select_option(label="Listener: local")
        expect(page.get_by_label("Listener", exact=True)).to_be_focused()
        page.get_by_label("Remove Header X-Mailer").click()
        page.get_by_label("Name of the rule").fill("intranet: códigos")
        expect(page.get_by_label("The rule as TOML")).to_contain_text("intranet: códi")
        expect(page.get_by_label("The rule as TOML")).not_to_contain_text("X-Mailer")

        assert tomllib.loads(toml(page)) == {
            "rules": [
                {
                    "name": "intranet: códigos",
                    "sender": "intranet@acme.example",
                    "subject": "/^Código/",
                    "listener": "local",
                    "usage": "SignIn",
                    "locale": "es",
                    "variablesFrom": "text",
                    "extract": [r"es (?P<code>\d+)\."],
                }
            ]
        }
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        copied = toml(page)
        page.get_by_role("button", name="Copy TOML").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()").strip() == copied.strip()

    # What was copied is a settings file's part: the next mail has its template.
    facts = Facts.of(legacy_mail("cdo-code-spanish").submission)
    rule = compiled(tmp_path, copied.replace("SignIn", "Generic")).rule_for(facts)
    assert rule is not None
    assert rule.find(facts).variables == {"code": "4821"}
    settings = {**SETTINGS, "RELAY_RULES": rules_in_json(copied)}
    with running_site(settings=settings) as site:
        mail_id = send(site, legacy_mail("cdo-code-spanish"))
        page.goto(f"{site.url}/mails/{mail_id}")
        expect(page.get_by_role("heading", name="Code 4821")).to_be_visible()
        expect(page.get_by_role("link", name="Make a rule")).to_have_count(0)


def rules_in_json(text: str) -> str:
    return json.dumps(tomllib.loads(text)["rules"])


def test_a_hostile_mail_runs_nothing_in_the_form(page: Page, site: Site) -> None:
    script = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    message = mail(subject=script, text=f"Your code is 123456\n{script}\n")
    message["X-Mailer"] = script
    message["X-Shop"] = script
    message.add_alternative(
        f"<p>Your code is 123456</p>{script}<a href='javascript:alert(3)'>x</a>",
        subtype="html",
    )
    site.submit(message)
    mail_id = site.get("/api/v1/mails").json["mails"][0]["id"]
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog}"))
    page.goto(f"{site.url}/mails/{mail_id}/rule")
    verdict = page.get_by_role("status").filter(has_text="The rule")
    expect(verdict).to_contain_text("finds code")
    page.get_by_label("Pattern 1", exact=True).fill(r"(?s)Your (?P<code>.*)")
    expect(page.locator(".note.good", has_text="onerror")).to_be_visible()
    inside = page.frame_locator("iframe[title='The templated mail']")
    expect(inside.get_by_text("onerror")).to_be_visible()
    expect(page.get_by_label("The rule as TOML")).to_contain_text("onerror")
    page.goto(f"{site.url}/mails")
    page.get_by_text("of the last hour had no usage").click()
    expect(page.locator(".unclaimed li")).to_contain_text("onerror")
    page.wait_for_timeout(300)  # nothing tells of what does not happen
    assert page.locator("main img, script[src='x']").count() == 0


def test_what_comes_meanwhile_does_not_change_the_form(page: Page, site: Site) -> None:
    mail_id = send(site, legacy_mail("keycloak-code"))
    page.goto(f"{site.url}/mails/{mail_id}/rule")
    subject = page.get_by_label("Subject", exact=True)
    subject.fill("E-Mail*")
    site.submit(mail(subject="Order 17 shipped"))
    site.submit(mail(subject="Order 18 shipped"))
    expect(page.get_by_text("3 mails of the last hour")).to_have_count(1)
    expect(subject).to_have_value("E-Mail*")
    expect(subject).to_be_focused()


def test_a_rule_is_made_by_keyboard_alone(page: Page, site: Site) -> None:
    send(site, legacy_mail("wordpress-reset"))
    page.goto(f"{site.url}/mails")
    expect(page.locator(".list li")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Make a rule").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Make a rule")).to_be_visible()
    page.get_by_label("MAIL FROM", exact=True).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Remove MAIL FROM")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("The rule as TOML")).not_to_contain_text("sender")
    page.locator("#main").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="[Acme Blog]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{site.url}/mails")


def test_a_mail_that_has_a_rule_without_a_usage_says_so(page: Page) -> None:
    rule = {"name": "all of it", "tags": {"app": "shop"}}
    with running_site(settings={"RELAY_RULES": json.dumps([rule])}) as site:
        mail_id = send(site, legacy_mail("wordpress-reset"))
        page.goto(f"{site.url}/mails/{mail_id}")
        expect(page.locator(".story")).to_contain_text("Rule all of it")
        page.get_by_role("link", name="Make a rule").click()
        expect(page.get_by_text("It has the rule “all of it” already")).to_be_visible()
        expect(page.get_by_text("The rule holds for this mail")).to_be_visible()


def test_mail_that_nobody_claims_is_counted_above_the_list(
    page: Page, site: Site
) -> None:
    page.goto(site.url)
    expect(page.get_by_text("No mail yet")).to_be_visible()
    expect(page.get_by_text("of the last hour had no usage")).to_be_hidden()
    for number in (17, 18):
        site.submit(mail(subject=f"Order {number} shipped"))
    page.reload()
    summary = page.get_by_text("2 mails of the last hour had no usage and no rule")
    summary.click()
    expect(page.locator(".unclaimed li")).to_have_text(
        ["2 ×Order * shippedMake a rule"]
    )
    faultless(page)
    page.get_by_role("link", name="Make a rule").click()
    expect(page.get_by_label("Subject", exact=True)).to_have_value("Order * shipped")


def test_a_sending_relay_counts_by_sender_and_makes_no_rule(page: Page) -> None:
    with fake_ses() as ses, sending_site(through(ses)) as site:
        site.submit(mail(subject="Your code is 123456"))
        page.goto(site.url)
        page.get_by_text("1 mail of the last hour had no usage and no rule").click()
        expect(page.locator(".unclaimed li")).to_have_text(
            ["1 ×app@acme.exampleThe newest"]
        )
        page.get_by_role("link", name="The newest").click()
        expect(page.locator(".story")).to_be_visible()
        expect(page.get_by_role("link", name="Make a rule")).to_have_count(0)
        [one] = site.get("/api/v1/mails").json["mails"]
        page.goto(f"{site.url}/mails/{one['id']}/rule")
        expect(page.get_by_role("alert")).to_contain_text("Its content is not kept")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("name", ["gitlab-pipeline", "portal-code-arabic"])
def test_nothing_of_the_form_is_lost_on_a_small_screen(
    page: Page, site: Site, width: int, name: str
) -> None:
    mail_id = send(site, legacy_mail(name))
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{site.url}/mails/{mail_id}/rule")
    expect(page.get_by_label("The rule as TOML")).to_be_visible()
    assert page.locator(".detail").evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    faultless(page)
    page.emulate_media(color_scheme="dark")
    faultless(page)


def test_a_form_is_made_once_though_the_page_asks_twice_at_its_start(
    page: Page, site: Site
) -> None:
    mail_id = send(site, legacy_mail("keycloak-code"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    page.goto(f"{site.url}/mails/{mail_id}/rule")
    expect(page.get_by_label("Subject", exact=True)).to_be_visible()
    expect(page.get_by_text("All is well")).to_be_visible()  # the events are open
    page.wait_for_load_state("load")
    page.get_by_label("Subject", exact=True).fill("E-Mail*")
    expect(page.get_by_label("The rule as TOML")).to_contain_text("E-Mail*")
    made = [one for one in asked if one.endswith(f"/api/v1/mails/{mail_id}/rule")]
    assert sum(one.startswith("GET") for one in made) == 1
    # Left for the list and come back to, it is made anew.
    page.get_by_role("link", name="Mails").click()
    expect(page.get_by_label("Subject", exact=True)).to_have_count(0)
    page.go_back()
    expect(page.get_by_label("Subject", exact=True)).to_be_visible()
