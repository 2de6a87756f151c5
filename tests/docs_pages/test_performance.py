"""docs/performance.md and scaling.md show what benchmarks/*.json hold. Nothing is measured here."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks import page, results
from benchmarks.figures import Figure
from benchmarks.machine import Machine
from benchmarks.results import Results, Section, lead, load, number, rows
from benchmarks.runner import run

IMAGES = page.PAGE.parent / "images"
INTAKE = Figure(
    name="durable intake",
    unit="of the bare handler",
    rounds=(0.53, 0.49, 0.52),
    target=0.5,
    bound="Python | one core.",
    details={"events/s": 8123.4},
)
DWELL = Figure(name="dwell", unit="ms", rounds=(6.0, 5.5, 80.0), target=5.0, less_is_better=True)
CEILING = Figure(name="ceiling", unit="/s", rounds=(12_345.6,))
MACHINE = Machine(
    processor="Abacus",
    cores=2,
    memory_gib=4.0,
    filesystem="ext4 on /dev/sda",
    fsync_ms=0.5,
    system="Debian",
    load=0.1,
    python="3.11",
    sqlite="3.40",
    postgresql="18",
    libraries={"aiohttp": "3.14"},
)
RESULTS = Results(
    date=datetime(2026, 11, 27, 3, 30, tzinfo=UTC),
    commit="0123abcd",
    machine=MACHINE,
    sections=(
        Section(module="intake", seconds=61.0, figures=(INTAKE, DWELL, CEILING)),
        Section(module="drain", seconds=1.0, error="Nothing answers."),
    ),
)
SINGLE = Figure(name="one connection", unit="ms", rounds=(0.42,), details={results.OF_EMPTY: 1.05})
GROWTH = replace(RESULTS, sections=(Section(module="2,000,000 events", seconds=60.0, figures=(SINGLE,)),))


def test_the_page_and_its_pictures_are_of_the_results_that_are_kept() -> None:
    text, kept = page.PAGE.read_text(), load()

    assert page.with_results(text, kept, load(results.GROWTH)) == text, (
        "run `.venv/bin/python -m benchmarks --show`"
    )
    for scheme in ("light", "dark"):
        assert kept.stamp in (IMAGES / f"performance-{scheme}.svg").read_text()


def test_the_page_on_many_daemons_is_of_the_results_that_are_kept() -> None:
    text = page.SCALING_PAGE.read_text()

    assert page.with_scaling(text, load(results.SCALING)) == text


def test_the_page_on_many_daemons_gets_what_was_measured_beside_a_figure() -> None:
    text = f"# Many\n{page.SCALED}\nold\n{page.END}\nEnd\n"

    shown = page.with_scaling(text, RESULTS)

    assert "old" not in shown
    assert "| durable intake | 0.52 of the bare handler | 0.49–0.53 | events/s 8,123 |" in shown


def test_a_row_says_what_was_measured_and_whether_that_is_enough() -> None:
    assert list(rows(RESULTS.sections)) == [
        ("durable intake", "0.52 of the bare handler", "at least 0.5", "yes", "0.49–0.53"),
        ("dwell", "6.00 ms", "at most 5", "no", "5.50–80.0"),
        ("ceiling", "12,346 /s", "–", "–", "12,346–12,346"),
        ("(drain)", "failed: Nothing answers.", "", "no", ""),
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (20_000, "20,000"),
        (99.96, "100"),
        (31.24, "31.2"),
        (9.999, "10.0"),
        (0.5, "0.50"),
        (0.0123, "0.012"),
        (0, "0.00"),
    ],
)
def test_a_number_has_about_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_picture_shows_how_many_times_better_a_figure_is() -> None:
    assert lead(INTAKE, 1.0) == 2
    assert lead(DWELL, 2.5) == lead(INTAKE, 1.0)
    assert lead(DWELL, 0.0) == lead(DWELL, 0.01) == results.MOST_SHOWN
    assert lead(DWELL, 500.0) == 1 / results.MOST_SHOWN


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.json"

    RESULTS.save(file)

    assert load(file) == RESULTS
    assert '"value": 0.52' in file.read_text()
    assert '"is_reached": false' in file.read_text()


def test_the_page_gets_new_results_in_place_of_old_ones() -> None:
    text = f"# Fast\n{page.FIGURES}\nold\n{page.END}\nThen\n{page.GROWN}\nold\n{page.END}\nEnd\n"

    first = page.with_results(text, RESULTS, GROWTH)
    second = page.with_results(first, replace(RESULTS, commit="fedc9876"), GROWTH)

    assert "old" not in first
    assert "| durable intake | 0.52 of the bare handler | at least 0.5 | yes | 0.49–0.53 |" in first
    assert "- **durable intake.** Python | one core. Beside it: events/s 8,123." in first
    assert "| 2,000,000 events | 0.42 (1.05) |" in first
    assert first.endswith(f"{page.END}\nEnd\n")
    assert second == first.replace("0123abcd", "fedc9876", 1)
    with pytest.raises(ValueError, match="no place"):
        page.with_results("# Fast\n", RESULTS, GROWTH)


def test_a_machine_that_is_busy_or_forgets_is_told_of() -> None:
    busy = replace(MACHINE, load=1.5, filesystem="tmpfs on /tmp")

    assert not list(MACHINE.warnings())
    assert [line.partition(":")[0] for line in busy.warnings()] == [
        "Other programs ran beside it (load 1.5)",
        "An fsync on tmpfs on /tmp keeps nothing and costs nothing",
    ]


def test_a_module_that_fails_is_told_with_its_error() -> None:
    section = run("gone", rounds=1)

    assert section.error == "No module named 'benchmarks.gone'"
    assert section.figures == ()
