"""A search tree written by hand, whose trajectories and pairs the tests compute with pencil and paper."""

from __future__ import annotations

from search.data import Outcome, PreferencePair, Problem, Step, StepStatus
from search.tree import Tree
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.pairs import TreePairs, preference_pairs
from train.rules.rstar_math.valued_tree import value_tree

PROBLEM = Problem(id="p1", question="How many?", answer="4", source="made up")

TEXTS = {
    "a": "apples: three of Ann and one of Bob, added up",
    "b": "multiply both counts, 3 * 1",
    "c": "multiply both counts, 3 * 2",  # one character from b
    "d": "1 / 0",
    "e": "forget Bob altogether, as if he had none at all",
    "a1": "so the answer is 4",
    "a2": "so the answer is 5",  # one character from a1
    "a3": "no: they eat one of them, which leaves 3",
    "a4": "no: Bob's apple is rotten, which leaves three",
    "a5": "no: Ann gives half of them away, which leaves 2",
    "a6": "no: someone buys another dozen, which makes 16",
    "b1": "but a product is wrong, add instead: 3 + 1",
    "b11": "four apples",
    "b2": "three apples",
    "e1": "three of Ann",
    "e2": "still three of Ann",
    "e3": "three in all",
}


def step(text: str) -> Step:
    return Step(text, outcome=Outcome.OK)


def answer(text: str, value: str) -> Step:
    return Step(text, status=StepStatus.FINAL, answer=value)


def failing(text: str) -> Step:
    return Step(text, status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION)


def hand_tree() -> tuple[Tree, dict[str, int]]:
    """Return the tree and the index of each node by name. Numbers are Q, in brackets of ends that no rollout entered:

                                          root
             /                     /               |        |             \\
          a 0.75                b -0.5           c -1   d (-1)            e -1
       /   |   ...  \\           /      \\       incorrect  fails            |
    a1 1  a2 -1 … a6 (-1)   b1 -0.9   b2 -1                              e1 1
    correct  incorrect         |      incorrect                            |
                            b11 (1)                                      e2 1
                            correct                                        |
                                                                        e3 (-1)
                                                                        incorrect
    """
    tree = Tree(PROBLEM, strategy="mcts")
    node: dict[str, int] = {}

    def add(name: str, parent: str, new_step: Step, visits: int, total: float, correct: bool | None = None) -> None:
        node[name] = tree.add(node.get(parent, 0), new_step, visits=visits, value_sum=total, correct=correct)

    add("a", "root", step(TEXTS["a"]), 4, 3.0)
    add("b", "root", step(TEXTS["b"]), 2, -1.0)
    add("c", "root", answer(TEXTS["c"], "6"), 1, -1.0, False)
    add("d", "root", failing(TEXTS["d"]), 0, 0.0)
    add("e", "root", step(TEXTS["e"]), 2, -2.0)
    add("a1", "a", answer(TEXTS["a1"], "4"), 3, 3.0, True)
    add("a2", "a", answer(TEXTS["a2"], "5"), 1, -1.0, False)
    for name in ("a3", "a4", "a5", "a6"):
        add(name, "a", answer(TEXTS[name], name), 0, 0.0, False)
    add("b1", "b", step(TEXTS["b1"]), 10, -9.0)
    add("b2", "b", answer(TEXTS["b2"], "3"), 1, -1.0, False)
    add("b11", "b1", answer(TEXTS["b11"], "4"), 0, 0.0, True)
    add("e1", "e", step(TEXTS["e1"]), 1, 1.0)
    add("e2", "e1", step(TEXTS["e2"]), 1, 1.0)
    add("e3", "e2", answer(TEXTS["e3"], "3"), 0, 0.0, False)
    return tree, node


def pairs_of(tree: Tree, **options: object) -> TreePairs:
    """Return the pairs of a tree by these options."""
    parsed = RStarMathOptions.model_validate(options)
    return preference_pairs(value_tree(tree, parsed), parsed)


def names(pairs: list[PreferencePair]) -> list[str]:
    """Return ``prefix: chosen > rejected`` of each pair, in the names of the nodes."""
    by_text = {text: name for name, text in TEXTS.items()}

    def side(steps: tuple[Step, ...]) -> str:
        return "-".join(by_text.get(each.text, each.text) for each in steps)

    return [f"{side(pair.prefix)}: {side(pair.chosen)} > {side(pair.rejected)}" for pair in pairs]
