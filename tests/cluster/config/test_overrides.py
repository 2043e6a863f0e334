"""Command-line overrides: parsing, paths into sections and lists, and errors."""

from __future__ import annotations

import pytest

from cluster.config.overrides import Override, apply, parse
from search.errors import UserError


def test_values_are_parsed_as_yaml() -> None:
    parsed = parse(["--search.rollouts=32", "--a.b=true", "--a.c=[1, 2]", "--a.d=1e-5", "--a.e=null", "--a.f=x: y"])
    assert [override.value for override in parsed] == [32, True, [1, 2], "1e-5", None, {"x": "y"}]
    assert parsed[0] == Override(("search", "rollouts"), 32)


def test_value_can_be_the_next_argument_or_hold_equals_signs() -> None:
    assert parse(["--a.b", "3", "--a.c=x=y"]) == (Override(("a", "b"), 3), Override(("a", "c"), "x=y"))


def test_dash_in_a_name_becomes_an_underscore() -> None:
    assert parse(["--search.max-depth=4"])[0].path == ("search", "max_depth")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search.rollouts=3"], "unexpected argument 'search.rollouts=3': overrides look like"),
        (["--a.b"], "--a.b needs a value"),
        (["--a.b", "--c.d=1"], "--a.b needs a value"),
        (["--a.b={"], "is not a YAML value"),
    ],
)
def test_parse_refuses_arguments_that_are_no_overrides(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(arguments)


def test_apply_sets_values_in_a_copy() -> None:
    tree = {"a": {"b": 1}, "rounds": [{"name": "first", "c": 1}, {"c": 2}]}
    new = apply(tree, parse(["--a.b=2", "--x.y.z=3", "--rounds.1.c=5", "--rounds.first.c=4", "--a.b=6"]))
    assert new == {"a": {"b": 6}, "x": {"y": {"z": 3}}, "rounds": [{"name": "first", "c": 4}, {"c": 5}]}
    assert tree["a"] == {"b": 1}


def test_apply_refuses_a_missing_list_entry() -> None:
    with pytest.raises(UserError, match=r"--rounds\.3\.c: no entry '3': the list has 1 entries"):
        apply({"rounds": [{"c": 1}]}, parse(["--rounds.3.c=1"]))


def test_apply_refuses_a_field_of_a_value() -> None:
    with pytest.raises(UserError, match="seed is the value 3, it has no fields"):
        apply({"seed": 3}, parse(["--seed.x=1"]))
