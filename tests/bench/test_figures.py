"""The bench's arithmetic: percentiles, spreads, ratios, verdicts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench import report
from bench.__main__ import main
from bench.cases import DURABILITY, FULL, GOAL, Case
from bench.compare import Change, Verdict, compare, text, verdict
from bench.figures import Spread, percentile
from bench.measure import Footprint, Sample
from bench.plan import Plan
from bench.relays import BASELINE, FLOOR, RELAY, parse
from bench.result import Result, Run, read, write

CASE = Case(sessions=200)
SAMPLE = Sample(
    mails=1000,
    mails_per_second=500.0,
    cpu_ms=1.0,
    p50_ms=60.0,
    p95_ms=80.0,
    p99_ms=90.0,
    max_ms=100.0,
    peak=80_000_000,
    queued=0,
    relay_load=0.9,
    tools_load=0.1,
    others_load=0.0,
    errors=0,
    ses_connections=200,
    large_mails=0,
    large_max_ms=0.0,
)


def run(relay: str, *cpu_ms: float, case: Case = CASE) -> Run:
    return Run(relay, case, [replace(SAMPLE, cpu_ms=value) for value in cpu_ms])


def result(*runs: Run) -> Result:
    return Result({}, list(runs))


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, 1), (0.01, 1), (0.5, 50), (0.501, 51), (0.99, 99), (1.0, 100)],
)
def test_a_percentile_is_the_value_of_nearest_rank(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.0], 0.99) == 7.0


def test_a_spread_is_median_least_and_greatest() -> None:
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread == Spread(2.0, 1.0, 3.0)
    assert spread.share == 1.0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1.00, 1.02, 1.04], [0.80, 0.82, 0.84], Verdict.BETTER),
        ([0.80, 0.82, 0.84], [1.00, 1.02, 1.04], Verdict.WORSE),
        ([1.00, 1.02, 1.04], [1.00, 1.02, 1.04], Verdict.SAME),
        # The repeats overlap.
        ([1.00, 1.10, 1.30], [0.90, 0.95, 1.01], Verdict.SAME),
        # They do not, and the difference is a trifle.
        ([1.000, 1.001, 1.002], [0.990, 0.991, 0.992], Verdict.SAME),
        # They do not, and one of them spreads more than the difference.
        ([1.0, 1.1, 2.0], [0.6, 0.8, 0.9], Verdict.SAME),
    ],
)
def test_a_change_is_one_beyond_the_spread_of_the_repeats(
    before: list[float], after: list[float], expected: Verdict
) -> None:
    found = verdict(Spread.of(before), Spread.of(after), more_is_better=False)
    assert found is expected


def test_more_throughput_is_better() -> None:
    before, after = Spread(100, 99, 101), Spread(120, 119, 121)
    assert verdict(before, after, more_is_better=True) is Verdict.BETTER


def of_cpu(changes: list[Change], relay: str) -> Change:
    (found,) = [
        change
        for change in changes
        if change.relay == relay and change.figure.startswith("CPU")
    ]
    return found


def test_a_busier_machine_is_no_change_of_the_relay() -> None:
    before = result(run("relay", 0.5, 0.5, 0.5), run("baseline", 2.0, 2.0, 2.0))
    after = result(run("relay", 0.7, 0.7, 0.7), run("baseline", 2.8, 2.8, 2.8))
    changes = compare(before, after)
    assert of_cpu(changes, "relay").verdict is Verdict.SAME
    assert of_cpu(changes, "baseline").verdict is Verdict.WORSE


def test_a_faster_relay_shows_on_a_busier_machine_too() -> None:
    before = result(run("relay", 0.5, 0.51, 0.52), run("baseline", 2.0, 2.0, 2.0))
    after = result(run("relay", 0.5, 0.51, 0.52), run("baseline", 3.0, 3.0, 3.0))
    change = of_cpu(compare(before, after), "relay")
    assert change.verdict is Verdict.BETTER
    assert change.share == pytest.approx(-1 / 3)
    assert "relay: CPU per mail / baseline's: 0.255 [0.25 to 0.26]" in text([change])


def test_times_tell_nothing_where_others_used_the_core() -> None:
    def with_others(share: float, rate: float) -> Result:
        sample = replace(SAMPLE, others_load=share, mails_per_second=rate)
        return result(Run("relay", CASE, [sample] * 3))

    calm = compare(with_others(0.0, 500.0), with_others(0.05, 300.0))
    busy = compare(with_others(0.0, 500.0), with_others(0.5, 300.0))
    assert Verdict.WORSE in {change.verdict for change in calm}
    assert {change.figure: change.verdict for change in busy} == {
        "CPU per mail": Verdict.SAME,
        "mails/s": Verdict.UNKNOWN,
        "p50": Verdict.UNKNOWN,
        "p99": Verdict.UNKNOWN,
        "peak memory": Verdict.SAME,
    }
    last = "3 cannot be judged: measured once, or beside others on the core"
    assert text(busy).endswith(last)


def test_what_was_measured_once_is_not_judged() -> None:
    changes = compare(result(run("relay", 1.0)), result(run("relay", 0.5, 0.5)))
    assert {change.verdict for change in changes} == {Verdict.UNKNOWN}


def test_repeats_are_held_against_the_baselines_of_the_same_number() -> None:
    mine = run("relay", 0.5, 1.0, 0.6)
    found = result(mine, run("baseline", 2.0, 4.0, 2.4))
    assert found.against_baseline(mine, "cpu_ms") == [0.25, 0.25, 0.25]


def test_a_case_with_features_is_held_against_the_plain_baseline() -> None:
    queued = run("relay", 0.5, case=replace(CASE, queue="sqlite", templated=True))
    found = result(queued, run("baseline", 2.0))
    assert found.against_baseline(queued, "cpu_ms") == [0.25]


def test_memory_with_idle_connections_is_compared_by_its_size() -> None:
    def with_idle(size: int) -> Result:
        footprint = Footprint([0.3, 0.31], 60_000_000, {5000: size}, {5000: 5000}, 0.0)
        return Result({}, [], {"relay": footprint})

    changes = compare(with_idle(116_000_000), with_idle(80_000_000))
    assert {change.figure: change.verdict for change in changes} == {
        "first 220": Verdict.SAME,
        "idle memory": Verdict.SAME,
        "memory with 5000 idle": Verdict.BETTER,
    }


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    footprint = Footprint([0.3], 60_000_000, {1000: 70_000_000}, {1000: 999}, 0.2)
    failed = Run("relay", replace(CASE, queue="sqlite"), failed="it did not start")
    written = Result(
        {"python": "3.11"}, [run("relay", 1.0, 2.0), failed], {"relay": footprint}
    )
    write(written, tmp_path / "a.json")
    assert read(tmp_path / "a.json") == written


def test_compare_names_a_file_that_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.json"
    file.write_text("[]")
    assert main(["compare", str(file), str(file)]) == 2
    assert f"{file}: not a result of the bench" in capsys.readouterr().err


def test_the_command_compares_two_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a.json", "b.json")
    for name, value in zip(names, (1.0, 0.5), strict=True):
        found = result(run("relay", value, value), run("baseline", 2.0, 2.0))
        write(found, tmp_path / name)
    assert main(["compare", *(str(tmp_path / name) for name in names)]) == 0
    out = capsys.readouterr().out
    assert "better   -50.0%  relay: CPU per mail / baseline's" in out
    assert "9 of 10 figures did not change beyond the noise" in out


def test_the_table_says_how_much_less_than_the_baseline() -> None:
    found = result(run("relay", 0.5, 0.4, 0.6), run("baseline", 2.0, 2.0, 2.2))
    (line,) = [line for line in report.table(found).splitlines() if "0.500" in line]
    expected = ["relay", "500", "0.500", "0.400", "40%", "4.00", "5.00"]
    assert line.split()[:7] == expected


def test_the_table_says_what_a_queue_costs() -> None:
    slower = replace(
        SAMPLE, mails_per_second=450.0, cpu_ms=1.2, p50_ms=62.5, p99_ms=95.0
    )
    slowest = replace(slower, mails_per_second=400.0)
    queued = Run("relay", replace(CASE, queue="sqlite"), [slower, slowest, slowest])
    last = report.table(result(run("relay", 1.0, 1.0, 1.0), queued)).splitlines()[-1]
    assert last.endswith(
        "-20.0% [-20.0% -10.0%]  +0.200 [+0.200 +0.200]"
        "  +2.50 [+2.50 +2.50]  +5.00 [+5.00 +5.00]"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--case", "carrier pigeon"], "no case has carrier pigeon in its name"),
        (["--json", "/no/such/a.json"], "--json /no/such/a.json: there is no such"),
        (["--relay", "go"], "'go' is not name='command with {port} {ses}'"),
        (["hold", "floor", "--case", "pigeon"], "no case has pigeon in its name"),
    ],
)
def test_wrong_words_are_refused_before_anything_runs(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_goal_is_measured_in_under_ten_minutes() -> None:
    plan = Plan(
        cases=GOAL, relays=(RELAY, BASELINE, FLOOR), repeats=3, seconds=3, starts=5
    )
    assert plan.longest_seconds < 600
    assert all((case, BASELINE) in plan.pairs for case in GOAL)


def test_relays_without_features_meet_the_plain_cases_once() -> None:
    relays = (RELAY, BASELINE, FLOOR)
    for cases in (FULL, DURABILITY):
        plan = Plan(
            cases=cases, relays=relays, repeats=1, seconds=1, starts=0, beside=False
        )
        plain = [case for case, relay in plan.pairs if relay is FLOOR]
        assert plain == [case for case in cases if case == case.plain]
        assert [case for case, relay in plan.pairs if relay is RELAY] == list(cases)


def test_a_further_relay_is_a_name_and_a_command() -> None:
    relay = parse("go='/opt/relay' -p {port} --endpoint '{ses}'")
    assert relay.name == "go"
    words = relay.words(port=1025, ses_url="https://127.0.0.1:9", config=Path("c"))
    assert words == ["/opt/relay", "-p", "1025", "--endpoint", "https://127.0.0.1:9"]


@pytest.mark.parametrize("wrong", ["go", "=x", "go="])
def test_a_further_relay_without_name_or_command_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not name='command"):
        parse(wrong)


def test_a_further_relay_cannot_take_the_name_of_ours() -> None:
    with pytest.raises(ValueError, match="'floor' is the name of a relay that always"):
        parse("floor=x")
