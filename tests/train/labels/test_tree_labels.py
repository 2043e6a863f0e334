"""Labels from trees by hand: hard, shares of ends, values, and which solutions are taken."""

from __future__ import annotations

import math

from search.data import LabelScale, Outcome, Problem, Step, StepLabels, StepStatus
from search.strategies.labelling.monte_carlo_labels import COMPLETION
from search.strategies.registry import search_config
from search.strategies.sampling.sampling import IndependentSampling
from search.tree import Tree
from tests.fakes.scripts import word_policy
from tests.fakes.services import word_services
from train.labels.first_error import to_hard_labels
from train.labels.tree_labels import label_tree, labelled_solutions, node_labels, outcomes, without_repeats

PROBLEM = Problem(id="p1", question="How many?", answer="7", source="made up")
SIGN, SHARE, VALUE = LabelScale.SIGN, LabelScale.SHARE, LabelScale.VALUE


def step(text: str) -> Step:
    return Step(text, outcome=Outcome.OK)


def answer(value: str) -> Step:
    return Step(f"it is {value}", status=StepStatus.FINAL, answer=value)


def grow() -> tuple[Tree, dict[str, int]]:
    """                     root
                 /       |       |       \\
               a 0.5   b -1.0   c 0.0   e (error, drawn twice)
              /    \\     |       (never expanded)
         a1 1.0  a2 -1   b1 -1.0

    a1 is correct, a2 (drawn three times) and b1 are incorrect.
    """
    tree, node = Tree(PROBLEM, strategy="mcts"), {}

    def add(name: str, parent: str, new_step: Step, visits: int, total: float, **fields: object) -> None:
        node[name] = tree.add(node.get(parent, 0), new_step, visits=visits, value_sum=total, **fields)

    add("a", "root", step("a"), 4, 2.0)
    add("b", "root", step("b"), 2, -2.0)
    add("c", "root", step("c"), 0, 0.0)
    add("e", "root", Step("1/0", status=StepStatus.CODE_ERROR), 1, -1.0, multiplicity=2)
    add("a1", "a", answer("7"), 3, 3.0, correct=True)
    add("a2", "a", answer("8"), 1, -1.0, correct=False, multiplicity=3)
    add("b1", "b", answer("9"), 2, -2.0, correct=False)
    return tree, node


def by_name(tree: Tree, node: dict[str, int], scale: LabelScale) -> dict[str, float | None]:
    labels = node_labels(tree, scale)
    return {name: labels[index] for name, index in {"root": 0, **node}.items()}


def test_hard_label_is_1_when_any_leaf_is_correct() -> None:
    tree, node = grow()
    assert by_name(tree, node, SIGN) == {
        "root": 1, "a": 1, "b": -1, "c": None, "e": -1, "a1": 1, "a2": -1, "b1": -1
    }  # fmt: skip


def test_soft_labels_are_shares_of_drawn_leaves() -> None:
    tree, node = grow()
    # ends: a1 once correct; a2 three times, b1 once and e twice incorrect
    assert by_name(tree, node, SHARE) == {
        "root": 1 / 7, "a": 0.25, "b": 0.0, "c": None, "e": 0.0, "a1": 1.0, "a2": 0.0, "b1": 0.0
    }  # fmt: skip


def test_values_are_those_of_the_search() -> None:
    tree, node = grow()
    labels = by_name(tree, node, VALUE)
    assert {name: value for name, value in labels.items() if name != "root"} == {
        "a": 0.5, "b": -1.0, "c": None, "e": -1.0, "a1": 1.0, "a2": -1.0, "b1": -1.0
    }  # fmt: skip
    tree.nodes[node["c"]].logit = math.atanh(0.25)  # a prior is something that is known
    tree.nodes[node["a2"]].visits, tree.nodes[node["a2"]].logit = (
        0,
        math.atanh(0.5),
    )  # an end stands at its outcome all the same
    labels = by_name(tree, node, VALUE)
    assert (labels["c"], labels["a2"]) == (0.25, -1.0)


def test_solutions_visited_most_often_are_labelled() -> None:
    tree, node = grow()
    assert labelled_solutions(tree, 4, 4) == [node["a1"], node["b1"], node["a2"]]  # b1 has two visits, a2 one
    assert labelled_solutions(tree, 0, 1) == [node["b1"]]
    tree.nodes[node["b1"]].visits = 1
    assert labelled_solutions(tree, 0, 1) == [node["a2"]]  # drawn three times
    ungraded = Tree(PROBLEM)
    ungraded.add(0, answer("7"))
    assert labelled_solutions(ungraded, 4, 4) == []


def test_every_step_of_a_solution_has_a_label() -> None:
    tree, _ = grow()
    labels = label_tree(tree, SHARE, max_correct=1, max_incorrect=2)
    assert [([s.text for s in record.steps], record.labels) for record in labels] == [
        (["a", "it is 7"], (0.25, 1.0)),
        (["b", "it is 9"], (0.0, 0.0)),
        (["a", "it is 8"], (0.25, 0.0)),
    ]
    assert {record.scale for record in labels} == {SHARE}
    assert label_tree(tree, SIGN) == [
        to_hard_labels(record) for record in label_tree(tree, SHARE)
    ]  # the hard estimate of the soft one
    assert [(record.steps[-1].answer, record.correct, record.q) for record in outcomes(tree, 1, 1)] == [
        ("7", True, 1.0),
        ("9", False, -1.0),
    ]


def test_step_is_labelled_once() -> None:
    tree, _ = grow()
    labels = list(without_repeats(label_tree(tree, SHARE)))
    assert [record.labels for record in labels] == [(0.25, 1.0), (0.0, 0.0), (None, 0.0)]
    same = StepLabels(PROBLEM, (step("a"), answer("7")), labels=(0.25, 1.0), scale=SHARE)
    assert list(without_repeats([same, same])) == [same]
    later = StepLabels(PROBLEM, (step("a"), answer("7")), labels=(None, 1.0), scale=SHARE)
    assert list(without_repeats([later, same])) == [
        later,
        StepLabels(PROBLEM, same.steps, labels=(0.25, None), scale=SHARE),
    ]


async def test_independent_samples_share_common_prefixes() -> None:
    lines = ["a b =7", "a b =8", "a c =8", "d =7", "a b =7", "!"]
    services = word_services(word_policy({}, lines=lines), graded=True)
    tree = await IndependentSampling(search_config(strategy="sampling", candidates=6)).search(PROBLEM, services, 1)
    labels = {" ".join(s.text.strip() for s in record.steps): record.labels for record in label_tree(tree, SHARE)}
    # below a: =7 twice, =8 twice; below a b: =7 twice, =8 once
    assert labels == {
        "a b \\boxed{7}": (0.5, 2 / 3, 1.0),
        "a b \\boxed{8}": (0.5, 2 / 3, 0.0),
        "a c \\boxed{8}": (0.5, 0.0, 0.0),
        "d \\boxed{7}": (1.0, 1.0),
    }
    assert node_labels(tree, SHARE)[0] == 0.5  # three of six, the one that was cut off among them


def omega_tree() -> Tree:
    """Return what OmegaPRM writes: a searched rollout a b =8, a correct one a c =7, and completions after a."""
    tree = Tree(PROBLEM, strategy="omega_prm")
    a = tree.add(0, step("a"), label=0.5, completions=4)
    b = tree.add(a, step("b"))
    end = tree.add(b, answer("8"), label=0.0, correct=False)
    tree.nodes[tree.add(a, answer("9"), action=COMPLETION, correct=False)].multiplicity = 3
    c = tree.add(a, step("c"), action=COMPLETION)
    tree.add(c, answer("7"), label=1.0, correct=True)
    assert end == 3
    return tree


def test_labels_of_omega_prm_are_soft_where_it_estimated() -> None:
    records = [([s.text for s in record.steps], record.labels) for record in label_tree(omega_tree(), SHARE)]
    assert records == [(["a", "c", "it is 7"], (0.5, None, 1.0)), (["a", "b", "it is 8"], (0.5, None, 0.0))]


def test_hard_labels_of_omega_prm_reach_back_from_correct_steps() -> None:
    assert [record.labels for record in label_tree(omega_tree(), SIGN)] == [(1, 1, 1), (1, None, -1)]


def test_completion_that_only_served_a_label_is_not_labelled() -> None:
    tree = omega_tree()
    assert labelled_solutions(tree) == [6, 3]
    tree.strategy = "mcts"
    assert labelled_solutions(tree) == [6, 4, 3]  # elsewhere the action says nothing
    assert labelled_solutions(tree, 0, 1) == [4]


def test_all_solutions_of_a_search_for_labels_are_labelled() -> None:
    tree = Tree(PROBLEM, strategy="math_shepherd")
    for number in range(9):
        tree.add(tree.add(0, step(f"s{number}"), label=0.0), answer("8"), label=0.0, correct=False)
    assert len(label_tree(tree, SHARE)) == len(outcomes(tree)) == 9
