"""Harvest rules over independent samples: their records by hand, and the reasons for none."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.data import PreferencePair, Problem, Step, StepStatus, Trajectory
from search.tree import ROOT, Tree
from train.record_files import PAIRS, TRAJECTORIES
from train.rules import expert_iteration, irpo, iterative_dpo, self_rewarding, sphere, spin, star, vstar
from train.rules.base import Harvest, RuleInput, RuleInputs, SolutionMarks, TrainingSet
from train.rules.irpo import IrpoOptions, cycle_pairs
from train.rules.registry import rule_options, rules_that_need
from train.rules.star import add_hint
from train.rules.vstar import VStarOptions, cross_pairs

MODULES = {
    module.RULE.name: module
    for module in (expert_iteration, star, vstar, irpo, iterative_dpo, self_rewarding, spin, sphere)
}
RECORD_TYPES = {TRAJECTORIES: Trajectory, PAIRS: PreferencePair}


def harvest(name: str, inputs: RuleInputs, **options: object) -> Harvest:
    """Return what the rule makes of ``inputs`` with these options."""
    module = MODULES[name]
    result: Harvest = module.harvest(inputs, module.RULE.options(**options))
    return result


def first_set(result: Harvest) -> TrainingSet:
    """Return the first training set of a harvest; most rules make one."""
    return next(iter(result.training_sets.values()))


def problem(name: str) -> Problem:
    return Problem(id=name, question=f"What is {name}?", answer="7", source="made up")


def samples(name: str, *lines: str, graded: bool = True, scores: tuple[float | None, ...] = ()) -> Tree:
    """Return a tree of independent samples. ``a 7``: a step and the answer 7, correct; ``!``: no answer."""
    tree = Tree(problem(name), strategy="sampling")
    for place, line in enumerate(lines):
        *before, last = line.split(" ")
        index = ROOT
        for text in before:
            index = tree.add(index, Step(text))
        answer = last if last.isdigit() else None
        status = StepStatus.NO_ANSWER if answer is None else StepStatus.FINAL
        index = tree.add(index, Step(last, status=status, answer=answer))
        tree.nodes[index].correct = answer == "7" if graded and answer else None
        score = scores[place] if scores else None
        tree.nodes[index].logit = None if score is None else math.atanh(score)
    return tree


def shown(result: Harvest, file: str | None = None) -> list[tuple[str, ...]]:
    """Return problem and texts: of a trajectory its own, of a pair the chosen and the rejected one's."""
    rows: list[tuple[str, ...]] = []
    for record in (result.training_sets[file] if file else first_set(result)).records:
        if isinstance(record, PreferencePair):
            assert record.prefix == ()
            rows.append((record.problem.id, join_words(record.chosen), join_words(record.rejected)))
        else:
            rows.append((record.problem.id, join_words(record.steps)))
    return rows


def join_words(steps: tuple[Step, ...]) -> str:
    return " ".join(step.text for step in steps)


def reference(name: str, *texts: str) -> dict[str, Trajectory]:
    return {name: Trajectory(problem(name), tuple(Step(text) for text in texts), correct=True, q=1.0)}


MIXED = samples("p1", "a 7", "b 8", "c 7", "!")
CORRECT, INCORRECT, UNGRADED = samples("p2", "d 7"), samples("p3", "e 1", "f 2"), samples("p4", "g 7", graded=False)
ALL_TREES = (MIXED, CORRECT, INCORRECT, UNGRADED)
GRADE_COUNTS = {"problems": 4, "mixed": 1, "all_correct": 1, "all_incorrect": 1, "ungraded": 1}


def test_expert_iteration_keeps_correct_solutions() -> None:
    result = harvest("expert_iteration", RuleInputs(trees=ALL_TREES))
    assert shown(result) == [("p1", "a 7"), ("p1", "c 7"), ("p2", "d 7")]
    assert result.counts == {**GRADE_COUNTS, "trajectories": 3, "beyond_max_solutions": 0}
    first = first_set(result).records[0]
    assert first == Trajectory(problem("p1"), MIXED.steps(2), correct=True, q=1.0)
    result = harvest("expert_iteration", RuleInputs(trees=ALL_TREES), max_solutions=1)
    assert shown(result) == [("p1", "a 7"), ("p2", "d 7")]
    assert result.counts["beyond_max_solutions"] == 1


def test_equal_solutions_of_several_trees_count_once() -> None:
    again = samples("p1", "c 7", "h 7", "b 8")
    result = harvest("expert_iteration", RuleInputs(trees=(MIXED, again)))
    assert shown(result) == [("p1", "a 7"), ("p1", "c 7"), ("p1", "h 7")]
    assert result.counts["problems"] == 1


def test_star_rationalises_failed_problems() -> None:
    helped = (
        samples("p1", "never used 7"),  # solved without help
        samples("p3", "h 8", "i 7", "j 7"),
        samples("p5", "k 7"),  # nobody tried it without help
    )
    result = harvest("star", RuleInputs(trees=(MIXED, INCORRECT), hinted_trees=helped))
    assert shown(result) == [("p1", "a 7"), ("p1", "c 7"), ("p3", "i 7"), ("p3", "j 7")]
    assert (result.counts["rationalised"], result.counts["trajectories"], result.counts["hinted_problems"]) == (2, 4, 3)
    assert shown(harvest("star", RuleInputs(trees=(MIXED, INCORRECT), hinted_trees=helped), max_solutions=1)) == [
        ("p1", "a 7"),
        ("p3", "i 7"),
    ]


def test_rationalised_solution_has_the_bare_question() -> None:
    hinted = add_hint(problem("p3"))
    assert (hinted.id, hinted.question, hinted.answer) == ("p3", "What is p3?", "7")
    assert hinted.request is not None and hinted.request.text.startswith("(The answer is 7.")
    helped = samples("p3", "i 7")
    helped.problem = hinted
    (record,) = first_set(harvest("star", RuleInputs(trees=(INCORRECT,), hinted_trees=(helped,)))).records
    assert (record.problem.question, record.problem.request) == ("What is p3?", None)


def test_vstar_makes_records_for_two_models() -> None:
    result = harvest("vstar", RuleInputs(trees=(MIXED, CORRECT)))
    assert shown(result) == [("p1", "a 7"), ("p1", "c 7"), ("p2", "d 7")]
    assert shown(result, PAIRS) == [("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p1", "a 7", "!"), ("p1", "c 7", "b 8")]
    assert (result.counts["trajectories"], result.counts["pairs"]) == (3, 4)
    result = harvest("vstar", RuleInputs(trees=(MIXED, CORRECT)), max_solutions=1, max_pairs=3)
    assert (len(first_set(result).records), len(result.training_sets[PAIRS].records)) == (2, 3)


def test_vstar_gives_a_reason_when_one_model_has_no_records() -> None:
    result = harvest("vstar", RuleInputs(trees=(CORRECT,)))
    assert (len(first_set(result).records), first_set(result).nothing_to_learn) == (1, "")
    assert result.training_sets[PAIRS].records == ()
    assert result.training_sets[PAIRS].nothing_to_learn == (
        "no problem has both a correct and an incorrect solution: of 1 problems 1 are all correct, 0 all incorrect, "
        "0 without a graded solution"
    )


def test_cross_pairs_by_hand() -> None:
    assert cross_pairs("ab", "xyz") == [tuple(pair) for pair in ("ax", "by", "ay", "bz", "az", "bx")]
    assert cross_pairs("ab", "") == cross_pairs("", "xyz") == []


@given(st.integers(0, 6), st.integers(0, 6))
def test_cross_pairs_have_every_pair_once(correct: int, incorrect: int) -> None:
    pairs = cross_pairs(range(correct), range(incorrect))
    assert sorted(pairs) == [(a, b) for a in range(correct) for b in range(incorrect)]
    assert len({a for a, _ in pairs[:correct]}) == (correct if incorrect else 0)


def test_cycle_pairs_by_hand() -> None:
    assert cycle_pairs("ab", "xyz", 5) == [tuple(pair) for pair in ("ax", "by", "az", "bx", "ay")]
    assert cycle_pairs("ab", "xyz", 8)[6:] == [("a", "x"), ("b", "y")]  # from the beginning again
    assert cycle_pairs("abc", "x", 2) == [("a", "x"), ("b", "x")]
    assert cycle_pairs("", "xyz", 5) == cycle_pairs("ab", "", 5) == []


@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 40))
def test_cycle_pairs_use_both_sides_evenly(winners: int, losers: int, k: int) -> None:
    pairs = cycle_pairs(range(winners), range(losers), k)
    assert len(pairs) == k
    for place, size in ((0, winners), (1, losers)):
        uses = [sum(pair[place] == i for pair in pairs) for i in range(size)]
        assert max(uses) - min(uses) <= 1


def test_irpo_takes_k_pairs_of_a_mixed_problem() -> None:
    result = harvest("irpo", RuleInputs(trees=ALL_TREES), pairs=3)
    assert shown(result) == [("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p1", "a 7", "b 8")]
    assert result.counts == {**GRADE_COUNTS, "pairs": 3}
    pair = first_set(result).records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == (1.0, -1.0)
    assert len(first_set(harvest("irpo", RuleInputs(trees=ALL_TREES))).records) == 10


def test_irpo_adds_the_reference_to_the_winners() -> None:
    gold = {**reference("p3", "gold ", "7"), **reference("p1", "a", "7")}  # p1's was written by the model too
    result = harvest("irpo", RuleInputs(trees=(MIXED, INCORRECT), references=gold), pairs=2)
    assert shown(result) == [
        ("p1", "a 7", "b 8"), ("p1", "c 7", "!"), ("p3", "gold  7", "e 1"), ("p3", "gold  7", "f 2"),
    ]  # fmt: skip


def test_iterative_dpo_prefers_highest_over_lowest_score() -> None:
    trees = (
        samples("p1", "a 7", "b 8", "c 9", "!", scores=(0.1, 0.6, -0.2, None)),
        samples("p2", "a 7", "b 8", "c 9", scores=(0.4, 0.4, 0.4)),
        samples("p3", "a 7", "b 8", scores=(0.4, None)),
    )
    result = harvest("iterative_dpo", RuleInputs(trees=trees))
    assert shown(result) == [("p1", "b 8", "c 9")]  # grades do not count
    pair = first_set(result).records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == pytest.approx((0.6, -0.2))
    assert result.counts == {"problems": 3, "unscored": 2, "too_few_scored": 1, "ties": 1, "pairs": 1}


def test_iterative_dpo_ranks_equal_values_by_logit() -> None:
    tree = samples("p1", "a 7", "b 8", "c 9", scores=(0.0, 0.0, 0.0))
    for index, logit in zip(tree.terminals(), (25.0, 30.0, 22.0), strict=True):
        tree.nodes[index].logit = logit
    result = harvest("iterative_dpo", RuleInputs(trees=(tree,)))
    assert (shown(result), result.counts["ties"]) == ([("p1", "b 8", "c 9")], 0)


def test_self_rewarding_averages_marks_and_drops_ties() -> None:
    trees = (samples("p1", "a 7", "b 8", "c 9"), samples("p2", "a 7", "b 8"), samples("p3", "a 7", "b 8"))
    marks = (
        SolutionMarks(problem_id="p1", text="a7", marks=(5, 4, 3)),
        SolutionMarks(problem_id="p1", text="b8", marks=(5, 5)),  # the third could not be read
        SolutionMarks(problem_id="p1", text="c9", marks=(3,)),
        SolutionMarks(problem_id="p1", text="c9", marks=(4, 4)),  # the same solution once more: 11 / 3
        SolutionMarks(problem_id="p2", text="a7", marks=(2, 3, 4)),
        SolutionMarks(problem_id="p2", text="b8", marks=(3, 3, 3)),
        SolutionMarks(problem_id="p3", text="a7", marks=(5,)),
        SolutionMarks(problem_id="p3", text="b8", marks=()),
    )
    result = harvest("self_rewarding", RuleInputs(trees=trees, marks=marks))
    assert shown(result) == [("p1", "b 8", "c 9")]
    pair = first_set(result).records[0]
    assert isinstance(pair, PreferencePair)
    assert (pair.chosen_q, pair.rejected_q) == (5.0, pytest.approx(11 / 3))
    assert result.counts == {"problems": 3, "unscored": 1, "too_few_scored": 1, "ties": 1, "pairs": 1}


def test_marks_off_the_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="a judge gives 0 to 5"):
        SolutionMarks(problem_id="p1", text="a", marks=(5.5,))


def test_spin_prefers_the_reference_over_samples() -> None:
    gold = {**reference("p1", "a", "7"), **reference("p2", "gold ", "7")}
    result = harvest("spin", RuleInputs(trees=ALL_TREES, references=gold))
    assert shown(result) == [("p1", "a 7", "b 8"), ("p1", "a 7", "c 7"), ("p1", "a 7", "!"), ("p2", "gold  7", "d 7")]
    assert result.counts == {"problems": 4, "without_reference": 2, "same_text": 1, "pairs": 4}


@pytest.mark.parametrize(
    ("name", "trees", "reason"),
    [
        (
            "expert_iteration",
            (INCORRECT, UNGRADED),
            "no solution is correct: of 2 problems 1 are all incorrect, 1 without a graded",
        ),
        (
            "star",
            (INCORRECT,),
            "without a graded solution, and none of 0 hinted problems was solved that failed before",
        ),
        (
            "vstar",
            (INCORRECT,),
            "no solution is correct: of 1 problems 1 are all incorrect, 0 without a graded solution",
        ),
        ("irpo", (CORRECT, INCORRECT), "of 2 problems 1 are all correct, 1 all incorrect, 0 without a graded solution"),
        ("iterative_dpo", (MIXED,), "no problem has two solutions of different reward: of 1 problems 1 have fewer"),
        ("self_rewarding", (MIXED,), "no problem has two solutions of different mark: of 1 problems 1 have fewer"),
        ("spin", (MIXED,), "no sample differs from a reference solution: of 1 problems 1 have no reference"),
        ("sphere", (MIXED,), "no branch has a correct solution to set against an incorrect one: of 1 trees 1 have"),
    ],
)
def test_empty_training_set_gives_its_reason(name: str, trees: tuple[Tree, ...], reason: str) -> None:
    result = harvest(name, RuleInputs(trees=trees))
    assert first_set(result).records == ()
    assert reason in first_set(result).nothing_to_learn


LINES = st.lists(st.sampled_from(["a 7", "b 7", "c 8", "d 9", "!", "!!"]), max_size=6)


@given(st.lists(LINES, max_size=4), st.sampled_from(sorted(MODULES)))
def test_rule_makes_its_record_types_or_gives_a_reason(every: list[list[str]], name: str) -> None:
    trees = [samples(f"p{number}", *lines) for number, lines in enumerate(every)]
    gold = {name: solution for number in range(2) for name, solution in reference(f"p{number}", "gold ", "7").items()}
    result = harvest(name, RuleInputs(trees=trees, references=gold, hinted_trees=trees))
    assert [*result.training_sets] == [file for files in MODULES[name].RULE.files.values() for file in files]
    for file, training_set in result.training_sets.items():
        assert bool(training_set.records) is not bool(training_set.nothing_to_learn)
        assert {type(record) for record in training_set.records} <= {RECORD_TYPES[file]}
        for record in training_set.records:
            if isinstance(record, PreferencePair):
                assert record.prefix == ()
                assert record.chosen != record.rejected
            else:
                assert record.steps[-1].answer == "7"


def test_options_of_another_rule_are_refused() -> None:
    assert rule_options("irpo", {"pairs": 3}) == IrpoOptions(pairs=3)
    assert rule_options("vstar", None) == VStarOptions()
    with pytest.raises(ValueError, match="rule 'irpo' has no option max_pairs: it belongs to vstar"):
        rule_options("irpo", {"max_pairs": 3})


def test_needed_inputs_are_fields_of_the_rule_inputs() -> None:
    assert {field.name for field in fields(RuleInputs)} == {"trees", "rounds", *RuleInput}
    assert rules_that_need(RuleInput.CHECKED_LABELS) == ["checked_labels"]


def test_written_harvest_has_records_counts_and_reasons(tmp_path: Path) -> None:
    result = vstar.RULE.write(RuleInputs(trees=(CORRECT,)), VStarOptions(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.json", PAIRS, TRAJECTORIES]
    assert len((tmp_path / TRAJECTORIES).read_text().splitlines()) == 1
    assert [*result.nothing_to_learn] == [PAIRS]
    assert json.loads((tmp_path / "counts.json").read_text()) == result.counts
    assert result.summary.startswith("1 problems, 0 mixed, 1 all_correct, ")
