import dataclasses

from pingpilot.rendering.fitting import Fitted, Limits, fit

from .strategies import notification

LIMITS = Limits(total=1000, description=800, fields=5, name=50, value=400)


def lengths(fitted: Fitted) -> list[int]:
    return [len(fitted.description), *(len(text) for field in fitted.fields for text in field)]


def test_what_fits_arrives_whole() -> None:
    note = notification("d" * 500, ("a", "v" * 300), ("b", 2))

    fitted = fit(note, LIMITS)

    assert fitted.description == "d" * 500
    assert fitted.fields == (("a", "v" * 300), ("b", "2"))


def test_each_part_keeps_to_its_own_limit() -> None:
    note = notification("x", ("n" * 256, "v" * 500))

    [(name, value)] = fit(note, LIMITS).fields

    assert len(name) == 50
    assert len(value) == 400


def test_the_longest_is_cut_first_and_short_fields_stay_whole() -> None:
    note = notification("d", ("a", "1" * 390), ("b", "2" * 390), ("c", "3" * 390), ("short", "whole"))

    fitted = fit(note, LIMITS)

    assert sum(lengths(fitted)) <= 1000
    assert fitted.fields[3] == ("short", "whole")
    cut = [len(value) for _, value in fitted.fields[:3]]
    assert min(cut) > 300
    assert max(cut) - min(cut) <= 2


def test_a_long_description_gets_several_times_the_room_of_a_field() -> None:
    limits = dataclasses.replace(LIMITS, description=1000)
    note = notification("d" * 4000, ("a", "v" * 4000))

    fitted = fit(note, limits)

    assert 980 <= sum(lengths(fitted)) <= 1000
    assert len(fitted.description) > 7 * len(fitted.fields[0][1])


def test_too_many_fields_keep_the_first_and_the_last() -> None:
    note = notification("x", *((f"k{n}", n) for n in range(100)))

    fitted = fit(note, LIMITS)

    assert fitted.fields == (
        ("k0", "0"),
        ("k1", "1"),
        ("…", "96 fields left out"),
        ("k98", "98"),
        ("k99", "99"),
    )


def test_fields_are_left_out_before_they_are_cut_to_nothing() -> None:
    limits = dataclasses.replace(LIMITS, fields=100)
    note = notification("x", *((f"k{n}", "v" * 90) for n in range(50)))

    fitted = fit(note, limits)

    assert sum(lengths(fitted)) <= 1000
    assert {value for name, value in fitted.fields if name != "…"} == {"v" * 90}
    assert fitted.fields[0][0] == "k0"
    assert fitted.fields[-1][0] == "k49"
    assert ("…", "40 fields left out") in fitted.fields


def test_one_field_too_many_is_called_one() -> None:
    limits = dataclasses.replace(LIMITS, total=350, fields=100)
    note = notification("x", *((f"k{n}", "v" * 90) for n in range(4)))

    fitted = fit(note, limits)

    assert ("…", "1 field left out") in fitted.fields


def test_what_a_field_costs_besides_is_counted() -> None:
    limits = dataclasses.replace(LIMITS, per_field=100)
    note = notification("d" * 4000, ("a", "1"), ("b", "2"))

    assert sum(lengths(fit(note, limits))) <= 800
