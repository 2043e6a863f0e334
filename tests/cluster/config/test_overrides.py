"""Command-line overrides: parsing, paths into sections and lists, and what is refused."""

from __future__ import annotations

import pytest

from cluster.config.overrides import Override, apply, parse
from search.errors import UserError


def test_values_are_yaml() -> None:
    found = parse(["--search.rollouts=32", "--a.b=true", "--a.c=[1, 2]", "--a.d=1e-5", "--a.e=null", "--a.f=x: y"])
    assert [override.value for override in found] == [32, True, [1, 2], "1e-5", None, {"x": "y"}]
    assert found[0] == Override(("search", "rollouts"), 32)


def test_the_value_may_stand_in_the_next_argument_and_hold_an_equals_sign() -> None:
    assert parse(["--a.b", "3", "--a.c=x=y"]) == (Override(("a", "b"), 3), Override(("a", "c"), "x=y"))


def test_dashes_in_names_mean_underscores() -> None:
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
def test_what_is_no_override_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse(arguments)


def test_apply_sets_creates_and_leaves_the_original_alone() -> None:
    tree = {"a": {"b": 1}, "rounds": [{"name": "first", "c": 1}, {"c": 2}]}
    new = apply(tree, parse(["--a.b=2", "--x.y.z=3", "--rounds.1.c=5", "--rounds.first.c=4", "--a.b=6"]))
    assert new == {"a": {"b": 6}, "x": {"y": {"z": 3}}, "rounds": [{"name": "first", "c": 4}, {"c": 5}]}
    assert tree["a"] == {"b": 1}


def test_a_list_entry_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match=r"--rounds\.3\.c: no entry '3': the list has 1 entries"):
        apply({"rounds": [{"c": 1}]}, parse(["--rounds.3.c=1"]))


def test_a_value_has_no_fields() -> None:
    with pytest.raises(UserError, match="seed is the value 3, it has no fields"):
        apply({"seed": 3}, parse(["--seed.x=1"]))
