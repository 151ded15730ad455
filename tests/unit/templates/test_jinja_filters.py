"""Filters: those that write as the mail's reader does, and Jinja's own, bounded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.templates.jinja_mail import (
    html,
    made,
    plain,
    problems,
    refusal,
    text,
)

MOMENT = "2026-11-29T23:30:00+02:00"
NARROW = "\u202f"


@pytest.mark.parametrize(
    ("locale", "wanted"),
    [
        ("en", f"Nov 29, 2026|9:30:00{NARROW}PM|12,345.678|€12,345.68"),
        ("de", "29.11.2026|21:30:00|12.345,678|12.345,68\xa0€"),
        ("fr", f"29 nov. 2026|21:30:00|12{NARROW}345,678|12{NARROW}345,68\xa0€"),
        ("ja", "2026/11/29|21:30:00|12,345.678|€12,345.68"),
        ("de-XX-u-co-phonebk", "29.11.2026|21:30:00|12.345,678|12.345,68\xa0€"),
        ("xx", f"Nov 29, 2026|9:30:00{NARROW}PM|12,345.678|€12,345.68"),
        ("../../etc", f"Nov 29, 2026|9:30:00{NARROW}PM|12,345.678|€12,345.68"),
        ("", f"Nov 29, 2026|9:30:00{NARROW}PM|12,345.678|€12,345.68"),
    ],
)
def test_dates_and_numbers_are_written_in_the_mail_s_locale(
    locale: str, wanted: str
) -> None:
    content = "{{ t|date }}|{{ t|time }}|{{ n|number }}|{{ n|currency('EUR') }}"
    values = {"t": MOMENT, "n": "12345.678"}
    assert plain(content, values, locale=locale) == wanted
    # Without a header the variable counts.
    assert plain(content, {**values, "locale": locale}) == wanted


def test_the_header_s_locale_goes_before_the_variable() -> None:
    assert plain("{{ t|date }}", {"t": MOMENT, "locale": "en"}, locale="de") == (
        "29.11.2026"
    )


def test_moments_are_shown_in_the_template_s_time_zone() -> None:
    zone = {"timezone": "Asia/Tokyo"}
    assert plain("{{ t|datetime('short') }}", {"t": MOMENT}, **zone, locale="de") == (
        "30.11.26, 06:30"
    )
    # A day is the same day everywhere, and a time the same time.
    assert plain("{{ t|date('full') }}", {"t": "2026-11-29"}, **zone, locale="de") == (
        "Sonntag, 29. November 2026"
    )
    assert (
        plain("{{ t|time('short') }}", {"t": "10:30"}, **zone, locale="de") == "10:30"
    )


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1764403200, "2025-11-29 08:00:00"),
        (1764403200.5, "2025-11-29 08:00:00"),
        ("1764403200", "2025-11-29 08:00:00"),
        ("2025-11-29T08:00:00Z", "2025-11-29 08:00:00"),
        ("2025-11-29T08:00:00", "2025-11-29 08:00:00"),
        ("2025-11-29 09:00+01:00", "2025-11-29 08:00:00"),
        ("20251129T080000Z", "2025-11-29 08:00:00"),
        ("2025-11-29", "2025-11-29 00:00:00"),
        ("20251129", "2025-11-29 00:00:00"),
        ("Sat, 29 Nov 2025 09:00:00 +0100", "2025-11-29 08:00:00"),
        ("29 Nov 2025 08:00:00", "2025-11-29 08:00:00"),
        ("", ""),
        (None, ""),
    ],
)
def test_moments_are_read_as_apps_write_them(value: object, wanted: str) -> None:
    assert plain("{{ t|datetime('yyyy-MM-dd HH:mm:ss') }}", {"t": value}) == wanted


@pytest.mark.parametrize("value", ["tomorrow", True, 1e300, [1], {"a": 1}, "9" * 200])
@pytest.mark.parametrize("name", ["date", "time", "datetime", "number"])
def test_what_a_filter_cannot_read_is_refused_by_name(value: object, name: str) -> None:
    if name == "number" and value == 1e300:
        return
    said = refusal(text(f"{{{{ o.v|{name} }}}}"), {"o": {"v": value}})
    assert said == f"550 5.6.0 Variable o.v cannot be read by the filter {name}"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1, "1 ¥1"),
        ("1.5", "1.5 ¥2"),
        (" 1e3 ", "1,000 ¥1,000"),
        (-0.25, "-0.25 -¥0"),
        (None, " "),
        ("", " "),
    ],
)
def test_numbers_may_be_texts(value: object, wanted: str) -> None:
    content = "{{ n|number }} {{ n|currency('jpy') }}"
    assert plain(content, {"n": value}) == wanted


@pytest.mark.parametrize("value", ["x", "1e999", "１２", float("nan"), True, [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    assert refusal(text("{{ n|currency('EUR') }}"), {"n": value}) == (
        "550 5.6.0 Variable n cannot be read by the filter currency"
    )


def test_a_pattern_may_stand_behind_the_name() -> None:
    content = (
        "{{ t|date('d. MMMM yyyy') }} {{ t|time('HH:mm') }} {{ n|number('#,##0.00') }} "
        "{{ n|currency('EUR', 'name') }} {{ n|currency(code, format='¤ #,##0') }}"
    )
    values: dict[str, Any] = {"t": MOMENT, "n": 5, "code": "USD"}
    assert plain(content, values, locale="de") == (
        "29. November 2026 21:30 5,00 5,00 Euro $ 5"
    )


def test_a_format_that_is_none_is_a_mistake_at_the_start() -> None:
    content = "{{ n|currency('EURO') }}\n{{ n|date(3) }}{{ n|time('full') }}"
    assert problems(text(content)) == [
        "here.content:1: currency: 'EURO' is no currency, such as EUR",
        "here.content:2: date: 3 is no format and no pattern",
    ]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("w|upper", "ANN &lt;B&gt;"),
        ("w|title", "Ann &lt;B&gt;"),
        ("w|replace('n', '<')", "A&lt;&lt; &lt;b&gt;"),
        ("w|replace(' ', '<br>'|safe)", "Ann<br>&lt;b&gt;"),
        ("w|e", "Ann &lt;b&gt;"),
        ("w|e|upper", "ANN &LT;B&GT;"),
        ("w|truncate(4, true, '>')", "Ann &lt;b&gt;"),
        ("w|truncate(4, true, '>', 0)", "Ann&gt;"),
        ("w|center(11)", "  Ann &lt;b&gt;  "),
        ("w|striptags", "Ann"),
        ("'<!-- x --><p>a &lt; b</p>'|striptags", "a &lt; b"),
        ("w|length", "7"),
        ("w|wordcount", "2"),
        ("w|urlencode", "Ann%20%3Cb%3E"),
        ("{'a b': 1}|urlencode", "a%20b=1"),
        ("l|join(', ')", "b, a, C"),
        ("l|sort|join", "abC"),
        ("l|sort(case_sensitive=true)|join", "Cab"),
        ("l|map('upper')|join", "BAC"),
        ("o|map(attribute='n')|join('-')", "2-1"),
        ("o|sum('n')", "3"),
        ("o|sort(attribute='n')|map(attribute='n')|join", "12"),
        ("o|selectattr('n', 'gt', 1)|list|length", "1"),
        ("o|rejectattr('n', 'gt', 1)|list|length", "1"),
        ("l|select('equalto', 'a')|first", "a"),
        ("l|reject('in', ['a'])|join", "bC"),
        ("(o|groupby('n')|first).grouper", "1"),
        ("l|batch(2)|length", "2"),
        ("l|slice(2)|first|join", "ba"),
        ("[1, 1, 2]|unique|join", "12"),
        ("{'b': 1, 'a': 2}|dictsort|first|first", "a"),
        ("[1, 2]|max ~ [1, 2]|min ~ []|max", "21"),
        ("l|last ~ l|first ~ l|reverse|first", "CbC"),
        ("'7.5'|float + '2'|int + 'x'|int", "9.5"),
        ("2.567|round(1) ~ '|' ~ 2.1|round(0, 'ceil')", "2.6|3"),
        ("1000|filesizeformat", "1.0 kB"),
        ("'%s: %05.1f'|format(w, 2)", "Ann &lt;b&gt;: 002.0"),
        ("'%s' % w", "Ann &lt;b&gt;"),
        ("('<i>%s</i>'|safe) % w", "<i>Ann &lt;b&gt;</i>"),
        ("{'a': '<'}|tojson", '{"a": "\\u003c"}'),
        ("{'title': w, 'x': none}|xmlattr", ' title="Ann &lt;b&gt;"'),
        ("'a\nb'|indent(2)", "a\n  b"),
        ("'aaa bbb'|wordwrap(3)", "aaa\nbbb"),
        (
            "'see https://x.example now'|urlize",
            'see <a href="https://x.example" rel="noopener">https://x.example</a> now',
        ),
        ("none|default('x') ~ none|default('y', true)", "y"),
        ("w[:3] ~ w[0] ~ l[-1] ~ l[9]", "AnnAC"),
        ("'n' in w, 1 in l", "REFUSED"),
        ("'n' in w and 'a' in l and 'z' not in l", "true"),
        ("('<b>'|safe) ~ w", "<b>Ann &lt;b&gt;"),
        ("('<b>'|safe) + w", "<b>Ann &lt;b&gt;"),
        ("7 // 2 ~ 7 % 2 ~ 2 ** 3 ~ -1", "318-1"),
    ],
)
def test_jinja_s_own_filters_do_what_they_do(expression: str, wanted: str) -> None:
    values = {"w": "Ann <b>", "l": ["b", "a", "C"], "o": [{"n": 2}, {"n": 1}]}
    if wanted == "REFUSED":
        assert "is a list" in refusal(text(f"{{{{ ({expression}) }}}}"), values)
        return
    assert html(f"[{{{{ {expression} }}}}]", values) == f"[{wanted}]"


def test_a_value_of_the_wrong_kind_names_the_filter() -> None:
    for expression, name in (
        ("v|abs", "abs"),
        ("v|sum", "sum"),
        ("v|dictsort", "dictsort"),
        ("v|filesizeformat", "filesizeformat"),
        ("v|round", "round"),
        ("v|items", "items"),
    ):
        assert refusal(text(f"{{{{ {expression} }}}}"), {"v": "a"}) == (
            f"550 5.6.0 Variable v cannot be read by the filter {name}"
        )


def test_long_words_and_odd_texts_are_wrapped_within_bounds() -> None:
    mail = made(text("{{ v|wordwrap(50) }}"), {"v": "x" * 5000 + " y"})
    content = mail.get_content()
    assert max(map(len, content.splitlines())) == 50
    assert content.split()[-1] == "y"
