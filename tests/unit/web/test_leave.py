"""Where a link of a mail leads, as a browser would read it."""

from __future__ import annotations

import pytest

from relay.web.leave import leaving, target


@pytest.mark.parametrize(
    ("link", "where"),
    [
        ("https://acme.example/in?token=1", "https://acme.example"),
        ("HTTP://ACME.example:8080/", "http://acme.example:8080"),
        ("https://acme.example@evil.example/", "https://evil.example"),
        ("https://acme.example\\@evil.example/", "https://acme.example"),
        ("https:\\\\evil.example\\x", "https://evil.example"),
        ("https:evil.example/x", "https://evil.example"),
        ("https:////evil.example/x", "https://evil.example"),
        ("ht\ntps://evil.example/", "https://evil.example"),
        ("  https://evil.example?@acme.example", "https://evil.example"),
        ("https://evil.example#@acme.example", "https://evil.example"),
        ("https://аcme.example/", "https://xn--cme-5cd.example"),
        ("https://Straße.example/", "https://xn--strae-oqa.example"),
        ("https://[::1]:8025/", "https://[::1]:8025"),
        ("mailto:ann@example.com?subject=Hi", "mailto:ann@example.com"),
        ("tel:+491234", "tel:+491234"),
        *[
            (link, "")
            for link in (
                "javascript:alert(1)",
                "data:text/html,x",
                "//evil.example/",
                "/queue",
                "",
                "https://",
                "https://a:b:c/",
                "https://[::1/",
                "https://acme.example/" + "x" * 8000,
            )
        ],
    ],
)
def test_a_link_is_shown_as_a_browser_reads_it(link: str, where: str) -> None:
    assert target(link)[1] == where


def test_links_in_html_lead_out_by_a_tab_of_their_own() -> None:
    assert leaving(
        '<p title="<a href=x>">'.replace("<a href=x>", "&lt;a href=x&gt;")
        + '<a class="x" HREF="https://a.example/?b=1&amp;c=2" target="_top" rel>in</a>'
        '<a href="/queue" id="own">own</a><a href="#up">up</a><a name="up">here</a>'
        '<area href="javascript:x">'
    ) == (
        '<p title="&lt;a href=x&gt;">'
        '<a href="/leave?to=https%3A%2F%2Fa.example%2F%3Fb%3D1%26c%3D2"'
        ' title="https://a.example" target="_blank" rel="noopener noreferrer"'
        ' class="x">in</a>'
        '<a id="own">own</a><a href="#up">up</a><a name="up">here</a><area>'
    )
