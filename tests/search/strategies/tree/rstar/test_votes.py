"""rStar's votes: what sub-answers agree in, the majority of several draws, the reward of an end."""

from __future__ import annotations

from collections import Counter

import pytest

from search.data import Outcome, Sampling, State, Step, StepStatus, Until
from search.strategies.tree.rstar.votes import AnswerCounts, majority, merge_equal, reward, sub_answer_key, vote_on_rest
from search.tree import ROOT, Node, Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import program_table, word_policy
from tests.fakes.services import code_services, word_services
from tests.fakes.words import PROBLEM, word
from tests.search.conftest import last


def final(answer: str) -> Step:
    return Step(f"\\boxed{{{answer}}}", status=StepStatus.FINAL, answer=answer)


FAILED = Step("cut", status=StepStatus.NO_ANSWER)


@pytest.mark.parametrize(
    ("step", "key"),
    [
        (final("0.50"), "1/2"),
        (Step("How many are left? 5 - 2 = 3.\n\n"), "3"),
        (Step("How many? 1,200 of them.\n\n"), "1200"),
        (Step("How many? 4 and 5, so the answer is 9.\n\n"), "9"),
        (Step("Which? The red one.\n\n"), "Which? The red one."),
        (Step("# q\nprint(5 - 2)", code="print(5 - 2)", output="3.0"), "3"),
        (Step("# q\na = 3", code="a = 3"), "# q\na = 3"),
        (Step("# q\nraise", code="raise", status=StepStatus.CODE_ERROR, outcome=Outcome.EXCEPTION), None),
        (FAILED, None),
    ],
)
def test_key_of_a_sub_answer(step: Step, key: str | None) -> None:
    assert sub_answer_key(step) == key


def draws(*steps: tuple[Step, int]) -> list[Node]:
    return [Node(ROOT, step, 1, multiplicity=count) for step, count in steps]


def test_majority_of_sub_answers_by_hand() -> None:
    three, four, also_four = Step("q? 3"), Step("q? 2 + 2 = 4"), Step("q? 4.0")
    chosen = majority(draws((three, 1), (four, 1), (also_four, 1), (FAILED, 2)))
    assert (chosen.step, chosen.multiplicity, chosen.votes) == (four, 2, 5)
    assert majority(draws((three, 1), (four, 1))).step is three  # of equals the first
    nothing = majority(draws((FAILED, 2), (FAILED, 1)))
    assert (nothing.step, nothing.multiplicity, nothing.votes) == (FAILED, 2, 3)


def test_equal_steps_share_their_votes() -> None:
    first, second, other = draws((Step("q? 4"), 2), (Step("q? 4"), 1), (Step("p? 4"), 1))
    first.votes, second.votes = 3, 4
    assert merge_equal([first, second, other]) == [first, other]
    assert (first.multiplicity, first.votes) == (3, 7)


async def rest(lines: list[str], votes: int) -> tuple[Tree, ScriptedPolicy, tuple[list[str], int, dict[str, int], int]]:
    """Vote on the rest of a solution after ``a``; return the tree, the policy and what was chosen."""
    tree, policy = Tree(PROBLEM), word_policy({("a",): lines})
    chosen = await vote_on_rest(
        tree,
        State(PROBLEM, (Step("a\n\n"),)),
        votes=votes,
        sampling=Sampling(until=Until.PAUSE),
        seed=1,
        answer_tokens=10,
        services=word_services(policy),
    )
    answers = chosen.answers
    return tree, policy, ([word(s) for s in chosen.steps], chosen.agreeing, dict(answers.counts), answers.drawn)


async def test_rest_is_the_first_completion_with_the_majority() -> None:
    tree, policy, chosen = await rest(["b =8", "!", "c =7", "d =7.0", "b =8", "=7"], 6)
    assert chosen == (["c", "=7"], 3, {"8": 2, "7": 3}, 6)
    assert [request.n for request in policy.requests] == [6]
    assert (tree.cost.requests, tree.cost.generated_tokens, tree.failures) == (
        1,
        20 + 10 + 20 + 20 + 20 + 10,
        {"no_answer": 1},
    )


async def test_rest_without_an_answer_is_the_first_completion() -> None:
    tree, _, chosen = await rest(["!", "b !", "!"], 3)
    assert chosen == (["!"], 2, {}, 3)
    assert tree.failures == {"no_answer": 1}  # the other is counted when it is added to the tree
    tree, _, chosen = await rest([], 3)
    assert (chosen, tree.failures) == (([""], 1, {}, 0), {"no_candidate": 1})


async def test_every_program_of_a_vote_states_its_answer() -> None:
    lines = {"": [last("print(1)"), last("print(2)"), last("print(1)")], last("print(1)"): None, last("print(2)"): None}
    policy, tree = ScriptedPolicy(program_table(lines)), Tree(PROBLEM)
    sampling = Sampling(until=Until.PAUSE)
    chosen = await vote_on_rest(
        tree, State(PROBLEM), votes=3, sampling=sampling, seed=1, answer_tokens=10, services=code_services(policy)
    )
    assert (chosen.steps[-1].answer, chosen.agreeing, chosen.answers.counts) == ("1", 2, Counter({"1": 2, "2": 1}))
    assert (tree.cost.requests, tree.cost.executions) == (3, 2)  # equal programs run once


def test_reward_by_hand() -> None:
    tree = Tree(PROBLEM)
    rest_end = tree.add(ROOT, final("7"), multiplicity=5, votes=8, action="A2")
    step = tree.add(ROOT, Step("a"), action="A1")
    stated, other, silent = (tree.add(step, leaf, action="A1") for leaf in (final("7.0"), final("9"), FAILED))
    program = tree.add(step, Step("print(8)<end_of_code>"), action="A1")
    output = tree.add(program, final("8"))
    voted = tree.add(step, Step("q? print(8)<end_of_code>"), action="A3", multiplicity=3, votes=4)
    voted_output = tree.add(voted, final("8"))
    answers = {
        ROOT: AnswerCounts(counts={"7": 5, "6": 1}, drawn=8),
        step: AnswerCounts(counts={"7": 1, "8": 2}, drawn=4),
    }
    rewards = {end: reward(tree, end, answers) for end in (rest_end, stated, other, silent, output, voted_output)}
    # of A2 its own votes; of A1 the share of A2's votes at "a"; the output of a program has the votes of its step, if any
    assert rewards == {rest_end: 5 / 8, stated: 1 / 4, other: 0, silent: 0, output: 2 / 4, voted_output: 3 / 4}
    assert reward(tree, stated, {}) == 0.0
    assert reward(tree, stated, answers, counts_unvoted=False) == 0.0
    assert reward(tree, voted_output, answers, counts_unvoted=False) == 3 / 4
