"""All five actions on a model that follows instructions: the chat format puts each to the policy as a turn of the user."""

from __future__ import annotations

import re
from dataclasses import replace

from search.data import State
from search.formats.chat_format import ChatFormat
from search.formats.chat_template import ChatTemplate
from search.strategies.registry import search_config
from search.strategies.tree.rstar.actions import Action
from search.strategies.tree.rstar.prompts import INSTRUCTIONS
from search.strategies.tree.rstar.strategy import Rstar
from search.tree import Tree
from tests.fakes.policy import ScriptedPolicy
from tests.fakes.scripts import action_table
from tests.fakes.services import word_services
from tests.fakes.words import PROBLEM, Words, word

A1, A2, A3, A4, A5 = Action
CHAT = ChatFormat(
    ChatTemplate(
        "{% for message in messages %}<{{ message.role }}>{{ message.content | trim }}</>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    ),
    system=None,
)
FIRST, SECOND, AGAIN = "Smaller question:q?4", "Smaller question:p?5", "Smaller question:p?6"
TABLE: dict[tuple[Words, Action | None], list[str]] = {
    ((), A1): ["a"],
    ((), A2): ["x =7", "=7"],
    ((), A3): ["q?3"],
    (("q?",), A3): ["4", "4"],
    ((), A4): ["4", "4", "4"],
    ((), A5): ["r"],
    (("a",), A1): ["b"],
    (("a",), A2): ["=7", "=8"],
    (("r",), A2): ["=7", "=8"],
    ((FIRST,), A2): ["=7", "=7"],
    ((FIRST,), A3): ["p?5"],
    ((FIRST, "p?"), A3): ["5", "6"],
    ((FIRST,), A4): ["6", "5", "6"],
    ((FIRST, SECOND), A2): ["=7", "=7"],
    ((FIRST, AGAIN), A2): ["=7", "=7"],
}  # fmt: skip


def text(state: State) -> str:
    """Return a state as the policy sees it."""
    return "".join(segment.text for segment in CHAT.segments(state))


async def search() -> tuple[Tree, ScriptedPolicy]:
    config = search_config(
        strategy="rstar", rollouts=20, candidates=1, votes=2, sub_votes=3, max_actions=4, instructions=True
    )
    policy = ScriptedPolicy(action_table(TABLE))
    services = replace(word_services(policy), format=CHAT)
    return await Rstar(config).search(PROBLEM.without_answer(), services, 1), policy


async def test_every_action_reaches_the_policy_as_a_turn_of_the_user() -> None:
    _, policy = await search()
    at_the_question: set[Action] = set()
    after_steps: set[Action] = set()
    for request in policy.requests:
        assert request.state.request is not None
        instruction = request.state.request.text
        action = next(action for action in Action if INSTRUCTIONS[action] == instruction)
        steps = [step.text for step in request.state.steps[: request.state.request.steps_before]]
        begun = "".join(step.text for step in request.state.steps[len(steps) :])
        if steps:
            turns = f"<user>{PROBLEM.question}</><assistant>{''.join(steps)}</><user>{instruction}</><assistant>{begun}"
            after_steps.add(action)
        else:
            turns = f"<user>{PROBLEM.question}\n\n{instruction}</><assistant>{begun}"
            at_the_question.add(action)
        assert text(request.state) == turns
        # what is begun for the model: a label, or the sub-question that is answered several times or again
        labels = {A3: "Smaller question:", A4: "Smaller question:", A5: "In other words:"}
        assert re.fullmatch(rf"{labels.get(action, '')}(\w\?)?", begun)
    assert at_the_question == set(Action)
    assert after_steps == {A1, A2, A3, A4}  # the question is put in other words at the beginning only


async def test_answers_to_a_sub_question_are_a_vote_in_chat() -> None:
    tree, _ = await search()
    by_action = {(node.action, word(node.step)): (node.multiplicity, node.votes) for node in tree.nodes[1:]}
    assert by_action["A3", FIRST] == (2, 3)  # 3, 4, 4
    assert by_action["A3", SECOND] == (2, 3)  # 5, 5, 6
    assert by_action["A4", AGAIN] == (2, 3)  # 6, 5, 6
    assert by_action["A2", "=7"] == (2, 2)
    assert tree.answer == "7"
