"""SPHERE by a chat model: what the policy is shown, turn by turn, when it is to correct itself."""

from __future__ import annotations

from collections.abc import Sequence

from search.data import Candidate, State
from search.formats.chat_format import ChatFormat
from search.formats.chat_template import ChatTemplate
from search.formats.requests import REFLECT
from search.protocols import SearchServices
from search.strategies.registry import search_config
from search.strategies.tree.sphere import Branch, Sphere, extremes
from tests.fakes.executor import ScriptedExecutor, refuse_code
from tests.fakes.grader import TextGrader
from tests.fakes.policy import Request, ScriptedPolicy
from tests.fakes.reward_model import ScriptedRewardModel, word_rewards
from tests.fakes.words import PROBLEM, candidate

TEMPLATE = ChatTemplate(
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CHAT = ChatFormat(TEMPLATE, system="Reason.")
ASKED = f"<|system|>Reason.<|end|><|user|>{PROBLEM.question}<|end|><|assistant|>"


def shown(state: State) -> str:
    return "".join(segment.text for segment in CHAT.segments(state))


def services(policy: ScriptedPolicy, second: ScriptedPolicy | None = None) -> SearchServices:
    return SearchServices(
        policy=policy,
        executor=ScriptedExecutor(refuse_code),
        format=CHAT,
        reward_model=ScriptedRewardModel(word_rewards({"=8": 0.5, "=9": -0.5, "=7": 0.8})),
        grader=TextGrader(),
        second_policy=second,
    )


async def test_attempt_and_reflection_are_turns_before_the_new_attempt() -> None:
    """Both ends are incorrect. Each is a turn of the assistant, the call to reflect the next of the user; then a new one."""

    def script(request: Request) -> Sequence[Candidate]:
        if request.state.request is None:
            lines = ["a", "=9"] if not request.words else ["=8"]
        else:
            lines = ["b"] if not request.words else ["=7"]
        return [candidate(line) for line in lines[: request.n]]

    policy = ScriptedPolicy(script)
    config = search_config(preset="sphere", candidates=2, instructions=True)
    tree = await Sphere(config).search(PROBLEM, services(policy), 1)
    best = f"{ASKED}a\n\n\\boxed{{8}}<|end|><|user|>{REFLECT}<|end|><|assistant|>"
    worst = f"{ASKED}\\boxed{{9}}<|end|><|user|>{REFLECT}<|end|><|assistant|>"
    assert [shown(request.state) for request in policy.requests] == [
        ASKED, f"{ASKED}a\n\n", best, f"{best}b\n\n", worst, f"{worst}b\n\n"
    ]  # fmt: skip
    corrected = extremes(tree, Branch.CORRECT_MAX)
    assert corrected is not None and tree.nodes[corrected[0]].correct
    assert shown(tree.state(corrected[0])) == f"{ASKED}b\n\n\\boxed{{7}}"  # the pair learns the bare question


async def test_second_policy_is_asked_in_turns_too() -> None:
    def solve(answer: str) -> ScriptedPolicy:
        return ScriptedPolicy(lambda request: [candidate(f"={answer}")] * request.n)

    first, second = solve("7"), solve("9")
    tree = await Sphere(search_config(preset="sphere", instructions=True)).search(PROBLEM, services(first, second), 1)
    assert [(shown(request.state), request.n) for request in second.requests] == [(ASKED, 10)]  # 2 E candidates
    assert tree.answer == "7" and extremes(tree, Branch.DIVERSIFY) is not None
