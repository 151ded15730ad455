"""The line of each setting of a file."""

from __future__ import annotations

from pathlib import Path

from relay.config.lines import lines

ROOT = Path(__file__).parents[3]

TEXT = '''\
# a comment
grace = 30 # another

[queue]
retry_delays = [
  5, # [not]
  10,
]
"engine" = "none"
[[templates]]
usageType = "A"
content = """
[ses]
region = "no setting"
"""
[[templates]]
usageType = "B"
[[rules]]
ses.region = 1
[rules.header]
X-App = "shop"
[[rules]]
tags = { app = "shop" }
'''


def test_each_setting_has_the_line_where_its_statement_begins() -> None:
    assert lines(TEXT) == {
        ("grace",): 2,
        ("queue",): 4,
        ("queue", "retryDelays"): 5,
        ("queue", "engine"): 9,
        ("templates", 0): 10,
        ("templates", 0, "usageType"): 11,
        ("templates", 0, "content"): 12,
        ("templates", 1): 16,
        ("templates", 1, "usageType"): 17,
        ("rules", 0): 18,
        ("rules", 0, "ses"): 19,
        ("rules", 0, "ses", "region"): 19,
        ("rules", 0, "header"): 20,
        ("rules", 0, "header", "X-App"): 21,
        ("rules", 1): 22,
        ("rules", 1, "tags"): 23,
        ("rules", 1, "tags", "app"): 23,
    }


def test_line_ends_of_windows_count_as_one() -> None:
    assert lines("a = 1\r\n\r\n[b]\r\nc = 2\r\n") == {
        ("a",): 1,
        ("b",): 3,
        ("b", "c"): 4,
    }


def test_a_table_in_a_list_in_a_list_has_its_place() -> None:
    assert lines("[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3\n") == {
        ("a", 0): 1,
        ("a", 0, "b", 0): 2,
        ("a", 0, "b", 0, "x"): 3,
        ("a", 0, "b", 1): 4,
        ("a", 0, "b", 1, "x"): 5,
        ("a", 1): 6,
        ("a", 1, "b", 0): 7,
        ("a", 1, "b", 0, "x"): 8,
    }
