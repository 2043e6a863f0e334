"""What each harvest rule takes from trees of independent samples, by hand, and why it takes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import PreferencePair, Problem, Step, StepStatus, Trajectory
from search.errors import UserError
from search.tree import ROOT, Tree
from train.rules import POLICY, RULES, VERIFIER, Harvest, Marked, RuleInputs, RulesConfig, harvest
from train.rules.irpo import cycle
from train.rules.star import hinted
from train.rules.vstar import crossed


def problem(name: str) -> Problem:
    return Problem(name, f"What is {name}?", "7", "made up")


def samples(name: str, *lines: str, graded: bool = True, scores: tuple[float | None, ...] = ()) -> Tree:
    """A tree of the strategy "samples". ``a 7``: a step and the answer 7, right; ``!``: no answer."""
    tree = Tree(problem(name), strategy="samples")
    for place, line in enumerate(lines):
        *before, last = line.split(" ")
        index = ROOT
        for text in before:
            index = tree.add(index, Step(text))
        found = last if last.isdigit() else None
        status = StepStatus.NO_ANSWER if found is None else StepStatus.FINAL
        index = tree.add(index, Step(last, status=status, answer=found))
        tree.nodes[index].correct = found == "7" if graded and found else None
        tree.nodes[index].score = scores[place] if scores else None
    return tree


def shown(made: Harvest, role: str = POLICY) -> list[tuple[str, ...]]:
    """Problem and texts: of a trajectory its own, of a pair the chosen and the rejected one's."""
    rows: list[tuple[str, ...]] = []
    for record in made.lessons[role].records:
        if isinstance(record, PreferencePair):
            assert record.prefix == ()
            rows.append((record.problem.id, said(record.chosen), said(record.rejected)))
        else:
            rows.append((record.problem.id, said(record.steps)))
    return rows


def said(steps: tuple[Step, ...]) -> str:
    return " ".join(step.text for step in steps)


def reference(name: str, *texts: str) -> dict[str, Trajectory]:
    return {name: Trajectory(problem(name), tuple(Step(text) for text in texts), True, 1.0)}


MIXED = samples("p1", "a 7", "b 8", "c 7", "!")
RIGHT, WRONG, UNGRADED = samples("p2", "d 7"), samples("p3", "e 1", "f 2"), samples("p4", "g 7", graded=False)
EVERY = (MIXED, RIGHT, WRONG, UNGRADED)
SORTS = {"problems": 4, "mixed": 1, "all_right": 1, "all_wrong": 1, "ungraded": 1}


def test_expert_iteration_imitates_what_is_right() -> None:
    made = harvest("expert_iteration", RuleInputs(EVERY), RulesConfig())
    assert shown(made) == [("p1", "a 7"), ("p1", "c 7"), ("p2", "d 7")]
    assert made.counts == {**SORTS, "trajectories": 3, "beyond_solutions": 0}
    first = made.lessons[POLICY].records[0]
    assert first == Trajectory(problem("p1"), MIXED.steps(2), True, 1.0)
    made = harvest("expert_iteration", RuleInputs(EVERY), RulesConfig(solutions=1))
    assert shown(made) == [("p1", "a 7"), ("p2", "d 7")]
    assert made.counts["beyond_solutions"] == 1


def test_equal_solutions_of_several_trees_count_once() -> None:
    again = samples("p1", "c 7", "h 7", "b 8")
    made = harvest("expert_iteration", RuleInputs((MIXED, again)), RulesConfig())
    assert shown(made) == [("p1", "a 7"), ("p1", "c 7"), ("p1", "h 7")]
    assert made.counts["problems"] == 1


def test_star_rationalises_what_failed() -> None:
    helped = (
        samples("p1", "never used 7"),  # solved without help
        samples("p3", "h 8", "i 7", "j 7"),
        samples("p5", "k 7"),  # nobody tried it without help
    )
    made = harvest("star", RuleInputs((MIXED, WRONG), hinted=helped), RulesConfig())
    assert shown(made) == [("p1", "a 7"), ("p1", "c 7"), ("p3", "i 7"), ("p3", "j 7")]
    assert (made.counts["rationalised"], made.counts["trajectories"], made.counts["hinted_problems"]) == (2, 4, 3)
    assert shown(harvest("star", RuleInputs((MIXED, WRONG), hinted=helped), RulesConfig(solutions=1))) == [
        ("p1", "a 7"),
        ("p3", "i 7"),
    ]


def test_a_rationalised_solution_is_one_of_the_bare_question() -> None:
    told = hinted(problem("p3"))
    assert (told.id, told.answer) == ("p3", "7")
    assert told.question.startswith("What is p3?\n\n(The answer is 7.")
    helped = samples("p3", "i 7")
    helped.problem = told
    (record,) = harvest("star", RuleInputs((WRONG,), hinted=(helped,)), RulesConfig()).lessons[POLICY].records
    assert record.problem.question == "What is p3?"


def test_vstar_trains_two_models() -> None:
    made = harvest("vstar", RuleInputs((MIXED, RIGHT)), RulesConfig())
    assert shown(made) == [("p1", "a 7"), ("p1", "c 7"), ("p2", "d 7")]
    assert shown(made, VERIFIER) == [("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p1", "a 7", "!"), ("p1", "c 7", "b 8")]
    assert (made.counts["trajectories"], made.counts["pairs"]) == (3, 4)
    made = harvest("vstar", RuleInputs((MIXED, RIGHT)), RulesConfig(solutions=1, verifier_pairs=3))
    assert (len(made.lessons[POLICY].records), len(made.lessons[VERIFIER].records)) == (2, 3)


def test_vstar_may_have_something_to_learn_for_one_model_only() -> None:
    made = harvest("vstar", RuleInputs((RIGHT,)), RulesConfig())
    assert (len(made.lessons[POLICY].records), made.lessons[POLICY].nothing) == (1, "")
    assert made.lessons[VERIFIER].records == ()
    assert made.lessons[VERIFIER].nothing == (
        "no problem has both a right and a wrong solution: of 1 problems 1 are all right, 0 all wrong, "
        "0 without a graded solution"
    )


def test_crossing_by_hand() -> None:
    assert crossed("ab", "xyz") == [tuple(pair) for pair in ("ax", "by", "ay", "bz", "az", "bx")]
    assert crossed("ab", "") == crossed("", "xyz") == []


@given(st.integers(0, 6), st.integers(0, 6))
def test_crossing_has_every_pair_once(right: int, wrong: int) -> None:
    pairs = crossed(range(right), range(wrong))
    assert sorted(pairs) == [(a, b) for a in range(right) for b in range(wrong)]
    assert len({a for a, _ in pairs[:right]}) == (right if wrong else 0)


def test_cycling_by_hand() -> None:
    assert cycle("ab", "xyz", 5) == [tuple(pair) for pair in ("ax", "by", "az", "bx", "ay")]
    assert cycle("ab", "xyz", 8)[6:] == [("a", "x"), ("b", "y")]  # from the beginning again
    assert cycle("abc", "x", 2) == [("a", "x"), ("b", "x")]
    assert cycle("", "xyz", 5) == cycle("ab", "", 5) == []


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 40))
def test_cycling_uses_both_sides_evenly(winners: int, losers: int, k: int) -> None:
    pairs = cycle(range(winners), range(losers), k)
    assert len(pairs) == k
    for place, size in ((0, winners), (1, losers)):
        uses = [sum(pair[place] == i for pair in pairs) for i in range(size)]
        assert max(uses) - min(uses) <= 1


def test_irpo_takes_k_pairs_of_a_problem_with_both() -> None:
    made = harvest("irpo", RuleInputs(EVERY), RulesConfig(pairs=3))
    assert shown(made) == [("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p1", "a 7", "b 8")]
    assert made.counts == {**SORTS, "pairs": 3}
    pair = made.lessons[POLICY].records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == (1.0, -1.0)
    assert len(harvest("irpo", RuleInputs(EVERY), RulesConfig()).lessons[POLICY].records) == 10


def test_a_reference_joins_the_winners() -> None:
    gold = {**reference("p3", "gold ", "7"), **reference("p1", "a", "7")}  # p1's was written by the model too
    made = harvest("irpo", RuleInputs((MIXED, WRONG), references=gold), RulesConfig(pairs=2))
    assert shown(made) == [
        ("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p3", "gold  7", "e 1"), ("p3", "gold  7", "f 2"),
    ]  # fmt: skip


def test_iterative_dpo_sets_the_best_scored_over_the_worst() -> None:
    trees = (
        samples("p1", "a 7", "b 8", "c 9", "!", scores=(0.1, 0.6, -0.2, None)),
        samples("p2", "a 7", "b 8", "c 9", scores=(0.4, 0.4, 0.4)),
        samples("p3", "a 7", "b 8", scores=(0.4, None)),
    )
    made = harvest("iterative_dpo", RuleInputs(trees), RulesConfig())
    assert shown(made) == [("p1", "b 8", "c 9")]  # grades do not count
    pair = made.lessons[POLICY].records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == (0.6, -0.2)
    assert made.counts == {"problems": 3, "unscored": 2, "single": 1, "ties": 1, "pairs": 1}


def test_self_rewarding_averages_the_marks_and_drops_ties() -> None:
    trees = (samples("p1", "a 7", "b 8", "c 9"), samples("p2", "a 7", "b 8"), samples("p3", "a 7", "b 8"))
    marked = (
        Marked("p1", "a7", (5, 4, 3)),
        Marked("p1", "b8", (5, 5)),  # the third could not be read
        Marked("p1", "c9", (3,)),
        Marked("p1", "c9", (4, 4)),  # the same solution once more: 11 / 3
        Marked("p2", "a7", (2, 3, 4)),
        Marked("p2", "b8", (3, 3, 3)),
        Marked("p3", "a7", (5,)),
        Marked("p3", "b8", ()),
    )
    made = harvest("self_rewarding", RuleInputs(trees, marked=marked), RulesConfig())
    assert shown(made) == [("p1", "b 8", "c 9")]
    pair = made.lessons[POLICY].records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == (5.0, pytest.approx(11 / 3))
    assert made.counts == {"problems": 3, "unscored": 1, "single": 1, "ties": 1, "pairs": 1}


def test_marks_lie_between_zero_and_five() -> None:
    with pytest.raises(ValueError, match="a judge gives 0 to 5"):
        Marked("p1", "a", (5.5,))


def test_spin_sets_the_reference_over_the_model_s_samples() -> None:
    gold = {**reference("p1", "a", "7"), **reference("p2", "gold ", "7")}
    made = harvest("spin", RuleInputs(EVERY, references=gold), RulesConfig())
    assert shown(made) == [("p1", "a 7", "b 8"), ("p1", "a 7", "c 7"), ("p1", "a 7", "!"), ("p2", "gold  7", "d 7")]
    assert made.counts == {"problems": 4, "without_reference": 2, "same_text": 1, "pairs": 4}


@pytest.mark.parametrize(
    ("name", "trees", "reason"),
    [
        (
            "expert_iteration",
            (WRONG, UNGRADED),
            "no solution is right: of 2 problems 1 are all wrong, 1 without a graded",
        ),
        ("star", (WRONG,), "without a graded solution, and none of 0 hinted problems was solved that failed before"),
        ("vstar", (WRONG,), "no solution is right: of 1 problems 1 are all wrong, 0 without a graded solution"),
        ("irpo", (RIGHT, WRONG), "of 2 problems 1 are all right, 1 all wrong, 0 without a graded solution"),
        ("iterative_dpo", (MIXED,), "no problem has two solutions of different reward: of 1 problems 1 have fewer"),
        ("self_rewarding", (MIXED,), "no problem has two solutions of different mark: of 1 problems 1 have fewer"),
        ("spin", (MIXED,), "no sample differs from a reference solution: of 1 problems 1 have no reference"),
        ("sphere", (MIXED,), "no branch has a right solution to set against a wrong one: of 1 trees 1 have"),
    ],
)
def test_nothing_to_learn_is_said_with_the_reason(name: str, trees: tuple[Tree, ...], reason: str) -> None:
    made = harvest(name, RuleInputs(trees), RulesConfig())
    assert made.lessons[POLICY].records == ()
    assert reason in made.lessons[POLICY].nothing


LINES = st.lists(st.sampled_from(["a 7", "b 7", "c 8", "d 9", "!", "!!"]), max_size=6)


@given(st.lists(LINES, max_size=4), st.sampled_from(sorted(RULES)))
def test_every_rule_makes_what_it_says_or_gives_a_reason(every: list[list[str]], name: str) -> None:
    trees = [samples(f"p{number}", *lines) for number, lines in enumerate(every)]
    gold = {name: found for number in range(2) for name, found in reference(f"p{number}", "gold ", "7").items()}
    made = harvest(name, RuleInputs(trees, references=gold, hinted=trees), RulesConfig(pairs=3))
    assert made.lessons.keys() == RULES[name].makes.keys()
    for role, lesson in made.lessons.items():
        assert bool(lesson.records) is not bool(lesson.nothing)
        assert {type(record) for record in lesson.records} <= {RULES[name].makes[role]}
        for record in lesson.records:
            if isinstance(record, PreferencePair):
                assert record.prefix == ()
                assert record.chosen != record.rejected
            else:
                assert record.steps[-1].answer == "7"


def test_a_rule_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no harvest rule 'ppo': one of expert_iteration, irpo"):
        harvest("ppo", RuleInputs(()), RulesConfig())
