"""The page's own files: how large they are, and how they travel."""

from __future__ import annotations

import gzip
import itertools
import json
import re
from pathlib import Path

import pytest

from relay.web.page import takes_gzip
from tests.web.site import Site, mail

STATIC = Path(__file__).parents[2] / "relay" / "web" / "static"
# What a browser loads; the licences beside them are for people.
LOADED = sorted(file for file in STATIC.iterdir() if file.suffix != ".txt")
PLOTS = {"uplot.css", "uplot.js"}  # loaded by Now alone
VIEWS = ("mails", "now", "queue", "templates")
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for file in LOADED:
        if file.suffix in (".html", ".css", ".js") and file.name != "uplot.js":
            text = file.read_text("utf-8")
            assert "://" not in text.replace("http://www.w3.org/2000/svg", "")


def loaded_by(site: Site, view: str) -> list[str]:
    """The files that a browser asks for when it opens a view."""
    index = site.get(f"/{view}").body.decode()
    named = re.findall(r'"/assets/([\w.-]+)"', index)
    scripts = [name for name in named if name.endswith(".js")]
    for name in scripts:
        text = site.get(f"/assets/{name}").body.decode()
        assert set(re.findall(r'from "\./([\w.-]+)"', text)) <= set(scripts)
    return named


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_a_few_small_files_that_its_document_names(
    site: Site, view: str
) -> None:
    names = loaded_by(site, view)
    files = {"theme.js", "page.css", "app.js", f"{view}.js", "icon.svg"}
    assert sorted(names) == sorted(files)
    # A rule's form is a part of Mails that is loaded when it is asked for.
    asked = [*names, *(["rule.js"] if view == "mails" else [])]
    plain = [len(site.get(f"/assets/{name}").body) for name in asked]
    packed = [len(site.get(f"/assets/{name}", GZIP).body) for name in asked]
    document = len((STATIC / "index.html").read_bytes())
    assert document + sum(plain) < 150_000
    assert document + sum(packed) < 60_000


def test_a_module_is_in_one_file_of_a_view_and_its_sheet_has_all_styles(
    site: Site,
) -> None:
    for view in VIEWS:
        texts = [
            site.get(f"/assets/{name}").body.decode()
            for name in loaded_by(site, view)
            if name.endswith(".js")
        ]
        made = re.findall(r"(?m)^const (\$\w+) = \(\(\) => \{$", "".join(texts))
        assert len(made) == len(set(made)) > 3
    sheet = site.get("/assets/page.css").body.decode()
    for file in STATIC.glob("*.css"):
        assert (file.read_text("utf-8") in sheet) is (file.name not in PLOTS)


def test_a_document_has_the_first_answers_and_none_of_them_ends_it(
    site: Site,
) -> None:
    subject = "</script><script>x</script>"
    site.submit(mail("first@example.com", subject))
    document = site.get("/mails").body.decode()
    [held] = re.findall(r'id="first">(.*?)</script>', document, re.DOTALL)
    first = json.loads(held)
    assert subject not in document
    assert first["/api/v1/mails?limit=100"]["mails"][0]["subject"] == subject
    for path, text in first.items():
        assert text.keys() == site.get(path).json.keys()
    for path in ("/now", "/mails?q=x"):  # which begin with other questions
        text = site.get(path).body.decode()
        assert "/api/v1/mails?limit=100" not in text
        assert '"/api/v1/status": {' in text


def test_the_plots_travel_compressed(site: Site) -> None:
    assert sum(len(site.get(f"/assets/{one}", GZIP).body) for one in PLOTS) < 24_000


def test_no_two_views_say_how_the_same_class_looks() -> None:
    """Their styles are all there at once, whichever view is open."""
    names: dict[str, set[str]] = {}
    for file in STATIC.glob("*.css"):
        if file.name in PLOTS or file.name in ("base.css", "tokens.css"):
            continue
        text = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", file.read_text("utf-8"))
        for selector in re.findall(r"([^{}]+)\{", text):
            firsts = re.findall(r"(?:^|,)\s*\.([\w-]+)", selector)
            names.setdefault(file.name, set()).update(firsts)
    assert len(names) > 4
    shared = {
        (one, other): common
        for one, other in itertools.combinations(sorted(names), 2)
        if (common := names[one] & names[other])
    }
    # A rule is made beside its mail.
    assert shared == {("mail.css", "rule.css"): {"detail"}}


def test_an_icon_that_is_asked_for_is_there_and_no_other() -> None:
    own = [file for file in LOADED if file.suffix in (".js", ".html")]
    texts = {file.name: file.read_text("utf-8") for file in own}
    kept, _, _ = texts.pop("icons.js").partition("};")
    there = set(re.findall(r'^  "?([a-z0-9-]+)"?: "M', kept, re.MULTILINE))
    text = "\n".join(texts[name] for name in texts if name != "uplot.js")
    asked = set(re.findall(r'(?:icon|says|lesson)\("([a-z0-9-]+)"', text))
    asked |= set(re.findall(r'data-icon="([a-z0-9-]+)"', text))
    assert asked <= there
    assert [name for name in sorted(there) if f'"{name}"' not in text] == []


@pytest.mark.parametrize("path", ["/assets/app.js", "/assets/page.css"])
def test_a_file_is_the_same_compressed_and_not_sent_twice(
    site: Site, path: str
) -> None:
    plain, packed = site.get(path), site.get(path, GZIP)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) == int(packed.headers["content-length"]) < len(plain.body)
    assert plain.headers["etag"] != packed.headers["etag"]
    for found, asked in ((plain, {}), (packed, GZIP)):
        assert found.headers["vary"] == "Accept-Encoding"
        assert found.headers["cache-control"] == "no-cache"
        etag = found.headers["etag"]
        for known in (etag, f'"other", W/{etag}', "*"):
            again = site.get(path, {**asked, "If-None-Match": known})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == etag
    other = site.get(path, {**GZIP, "If-None-Match": plain.headers["etag"]})
    assert (other.status, other.body) == (200, packed.body)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP;Q=0.5, br", True),
        ("x-gzip", True),
        ("*", True),
        ("identity", False),
        ("br, gzip;q=0", False),
        ("gzip ; q=0.000, *", False),
        ("*;q=0", False),
        ("*;q=0, gzip;q=0.001", True),
        (";;,q=1", False),
    ],
)
def test_gzip_goes_to_those_alone_who_take_it(accepted: str, takes: bool) -> None:
    assert takes_gzip(accepted) is takes
