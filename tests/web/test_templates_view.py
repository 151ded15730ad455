"""The Templates view over a folder of Jinja's templates that changes meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.server.relay_process import WAIT
from tests.web.browser import faultless
from tests.web.site import Site, running_site

expect.set_options(timeout=WAIT * 1000)

LAYOUT = """<!doctype html><html lang="{{ locale|default('en') }}"><body>
<h1>{{ title }}</h1>{% block body %}{% endblock %}
<p id="when">{{ ordered|date('long') }}</p></body></html>
"""
ORDER = """+++
subject = "%(title)s {{ number }}"
syntax = "jinja"
+++
{%% extends '_layout.html' %%}
{%% set title = '%(title)s' %%}
{%% block body %%}<ul>{%% for line in lines %%}<li>{{ line.name }}
{%%- if line.gift %%} (%(gift)s){%% endif %%}</li>
{%%- else %%}<li>%(none)s</li>{%% endfor %%}</ul>{%% endblock %%}
"""
ENGLISH = {"title": "Your order", "gift": "a gift", "none": "nothing"}
FRENCH = {"title": "Votre commande", "gift": "un cadeau", "none": "rien"}
KEPT = {
    "usage": "Order",
    "variables": {
        "number": 7,
        "ordered": "2026-11-29T12:00:00Z",
        "lines": [{"name": "Tea <green>"}, {"name": "Cup", "gift": True}],
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mails"
    (folder / "tests").mkdir(parents=True)
    write(folder / "_layout.html", LAYOUT)
    write(folder / "Order.html", ORDER % ENGLISH)
    write(folder / "Order.fr.html", ORDER % FRENCH)
    write(folder / "tests" / "order.json", json.dumps(KEPT))
    write(tmp_path / "config.toml", 'templatesDir = "mails"\n')
    return folder


def write(file: Path, text: str) -> None:
    """Put a whole file in the place of the one before."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, "utf-8")
    new.rename(file)


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    file = str(folder.parent / "config.toml")
    with running_site("--capture", "--show", "-c", file) as site:
        yield site


def test_lists_and_conditions_are_seen_and_edited_as_json(
    page: Page, folder: Path
) -> None:
    with running(folder) as site:
        page.goto(f"{site.url}/templates/Order")
        inside = page.frame_locator("iframe.frame")
        lines = inside.locator("li")
        expect(lines).to_have_text(["Tea <green>", "Cup (a gift)"])
        expect(inside.locator("#when")).to_have_text("November 29, 2026")
        # A list is no field, so that the JSON stands open at once.
        expect(page.get_by_label("lines", exact=True)).to_be_hidden()
        expect(page.get_by_label("number", exact=True)).to_have_value("7")
        field = page.get_by_label("Variables as JSON")
        values = json.loads(field.input_value())
        values["lines"] = [{"name": "Pot", "gift": True}]
        field.fill(json.dumps(values))
        expect(lines).to_have_text(["Pot (a gift)"])
        field.fill(json.dumps({**values, "lines": []}))
        expect(lines).to_have_text(["nothing"])
        field.fill(json.dumps({**values, "ordered": "some day"}))
        refusal = page.get_by_role("region", name="Rendered").get_by_role("alert")
        expect(refusal).to_contain_text("ordered")
        field.fill(json.dumps(values))
        page.get_by_role("tab", name="All locales").click()
        for index, text in enumerate(("Pot (un cadeau)", "Pot (a gift)")):
            one = page.frame_locator("iframe.frame").nth(index)
            expect(one.locator("li")).to_have_text(text)
        for index, text in enumerate(("29 novembre 2026", "November 29, 2026")):
            one = page.frame_locator("iframe.frame").nth(index)
            expect(one.locator("#when")).to_have_text(text)
        faultless(page)


def test_a_reload_shows_the_new_templates_and_keeps_what_is_typed(
    page: Page, folder: Path
) -> None:
    with running(folder) as site:
        before = site.get("/api/v1/status").json["settings"]["hash"]
        page.goto(f"{site.url}/templates/Order?locale=fr")
        read = page.locator(".read")
        expect(read).to_contain_text(f"Settings {before} in force, read ")
        inside = page.frame_locator("iframe.frame")
        expect(inside.locator("h1")).to_have_text("Votre commande")
        page.get_by_role("button", name="Phone").click()
        number = page.get_by_label("number", exact=True)
        number.fill("4711")
        page.get_by_label("Send one to").fill("ann@example.com")
        field = page.get_by_label("Variables as JSON")
        values = json.loads(field.input_value())
        values["lines"] = [{"name": "Pot"}]
        field.fill(half := json.dumps(values)[:-1])  # somebody is in the middle of it
        page.evaluate("() => { window.same = document.activeElement; }")

        texts = {**FRENCH, "title": "Facture"}
        new = (ORDER % texts).replace("<ul>", "<p>{{ greeting }}</p><ul>")
        write(folder / "Order.fr.html", new)
        expect(inside.locator("h1")).to_have_text("Facture")
        news = page.get_by_text("The settings were read again")
        expect(news).to_be_visible()
        after = site.get("/api/v1/status").json["settings"]["hash"]
        assert after != before
        expect(read).to_contain_text(f"Settings {after} in force")
        assert page.evaluate("() => document.activeElement === window.same")
        expect(field).to_have_value(half)
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(number).to_have_value("4711")
        expect(page.get_by_label("greeting", exact=True)).to_have_value("greeting")
        expect(page.get_by_label("Send one to")).to_have_value("ann@example.com")
        expect(page.get_by_role("heading", name="Facture 4711")).to_be_visible()
        phone = page.get_by_role("button", name="Phone")
        expect(phone).to_have_attribute("aria-pressed", "true")
        field.press("End")
        field.press_sequentially(', "greeting": "Salut"}')
        expect(inside.locator("li")).to_have_text(["Pot"])
        expect(inside.get_by_text("Salut")).to_be_visible()
        faultless(page)

        (folder / "Order.fr.html").unlink()
        expect(page.get_by_text("Order · fr is gone.")).to_be_visible()
        expect(inside.locator("h1")).to_have_text("Your order")
        expect(page.get_by_role("heading", name="Your order 4711")).to_be_visible()
        expect(field).to_have_value(re.compile('"Pot"'))


def test_what_is_wrong_with_the_last_settings_stands_with_file_line_and_cure(
    page: Page, folder: Path
) -> None:
    with running(folder) as site:
        page.goto(f"{site.url}/templates/Order")
        inside = page.frame_locator("iframe.frame")
        expect(inside.locator("h1")).to_have_text("Your order")
        read = page.locator(".read")
        broken = (ORDER % ENGLISH).replace("{% endfor %}", "{% endfro %}")
        write(folder / "Order.html", broken)
        expect(read).to_contain_text("the settings before it hold")
        expect(read).to_contain_text("Order.html:9")
        expect(read).to_contain_text("endfor")
        expect(inside.locator("h1")).to_have_text("Your order")
        faultless(page)
        write(folder / "Order.html", ORDER % {**ENGLISH, "title": "Bill"})
        expect(inside.locator("h1")).to_have_text("Bill")
        expect(read.locator(".notice")).to_have_count(0)
        config = folder.parent / "config.toml"
        probes = '[health]\nlisten = "127.0.0.1:0"\n'
        write(config, f'templatesDir = "mails"\n{probes}')
        expect(read).to_contain_text("in force after a restart: health.listen")
