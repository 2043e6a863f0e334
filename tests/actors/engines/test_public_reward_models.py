"""Public reward models: what vLLM serves equals a plain torch forward pass, written after each model's card or code.

The models are tiny, random and of the same architecture and template. All of them are scored in one process
(score_models.py).
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from search.reward_models import KINDS, RewardModelKind, sigmoid
from tests.fakes.public_models import (
    LLAMA_TEMPLATE,
    QUESTION,
    STEPS,
    chat_tokenizer,
    llama_tokenizer,
    make_chain,
    make_model,
    make_with_head,
    qwen_tokenizer,
    shepherd_tokenizer,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOLERANCE = 1e-4
ROOT = Path(__file__).parents[3]
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
Case = tuple[dict[str, Any], list[float]]  # what score_models.py is told, and the probabilities that it must give


def forward(model: Any, ids: Sequence[int]) -> Any:
    """Return a model's output for one sequence of ids."""
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([list(ids)]))


def qwen_prm(directory: Path) -> Case:
    """Model card of Qwen/Qwen2.5-Math-PRM-7B; head of its modeling_qwen2_rm.py: linear, ReLU, linear."""
    import torch

    tokenizer = qwen_tokenizer()
    linear = torch.nn.Linear
    head = {"score.0": lambda: linear(64, 64), "score.2": lambda: linear(64, 2)}
    backbone, layers = make_with_head(directory, "Qwen2ForProcessRewardModel", tokenizer, head, seed=1)
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "<extra_0>".join(STEPS) + "<extra_0>"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
    ids = tokenizer.encode(text)
    with torch.no_grad():
        hidden = forward(backbone, ids).last_hidden_state
        logits = layers["score.2"](torch.relu(layers["score.0"](hidden)))
    tag = tokenizer.convert_tokens_to_ids("<extra_0>")
    scores = torch.softmax(logits, -1)[0, [index == tag for index in ids], 1]
    return {"directory": str(directory), "kind": "qwen_prm"}, scores.tolist()


def math_shepherd(directory: Path) -> Case:
    """Model card of peiyi9979/math-shepherd-mistral-7b-prm."""
    import torch

    tokenizer = shepherd_tokenizer()
    model = make_model(directory, "MistralForCausalLM", tokenizer, seed=2, scale=1)
    candidates = tokenizer.encode("+ -")[1:]
    tag = tokenizer.encode("ки")[-1]
    output = "\n".join(f"Step {number}: {step} ки" for number, step in enumerate(STEPS, start=1))
    ids = tokenizer.encode(f"{QUESTION} {output}")
    logits = forward(model, ids).logits[:, :, candidates]
    scores = torch.softmax(logits, -1)[0, [index == tag for index in ids], 0]
    return {"directory": str(directory), "kind": "math_shepherd"}, scores.tolist()


@cache
def language_models(root: Path) -> tuple[Any, Any, Any]:
    """Make two language models that three kinds share: their tokenizer, a random one, and one that always says "Score: 7"."""
    tokenizer = llama_tokenizer()
    tokenizer.add_tokens(["Score: 7", "\n\n"])
    model = make_model(root / "random", "LlamaForCausalLM", tokenizer, seed=3)
    chain = make_chain(root / "chain", tokenizer, {"\n\n": "Score: 7", "Score: 7": "<|eot_id|>"})
    return tokenizer, model, chain


def rlhflow(directory: Path) -> Case:
    """RLHFlow/RLHF-Reward-Modeling, math-rm/prm_evaluate.py."""
    tokenizer, model, _ = language_models(directory.parent)
    candidates = [tokenizer.encode("+")[-1], tokenizer.encode("-")[-1]]
    conversation: list[dict[str, str]] = []
    scores = []
    for number, step in enumerate(STEPS):
        conversation.append({"role": "user", "content": f"{QUESTION} {step}" if number == 0 else step})
        conversation.append({"role": "assistant", "content": "+"})
        ids = tokenizer.encode(tokenizer.apply_chat_template(conversation, tokenize=False), add_special_tokens=False)
        scores.append(float(forward(model, ids).logits[0, -3, candidates].softmax(-1)[0]))
    return {"directory": str(directory.parent / "random"), "kind": "rlhflow"}, scores


def skywork(directory: Path) -> Case:
    """SkyworkAI/skywork-o1-prm-inference: prepare_input of io_utils.py, the value head of prm_model.py."""
    import torch

    tokenizer = chat_tokenizer(None, (), bos_token="<bos>")
    head = {"v_head.summary": lambda: torch.nn.Linear(64, 1)}
    backbone, layers = make_with_head(directory, "Qwen2ForPrmModel", tokenizer, head, seed=4)
    ids = tokenizer.encode(f"{tokenizer.bos_token}{QUESTION}\n")
    (newline,) = tokenizer.encode("\n")
    ends = []
    for step in STEPS:
        for line in step.split("\n"):
            ids = [*ids, *tokenizer.encode(line), newline]
        ends.append(len(ids) - 1)
    with torch.no_grad():
        values = layers["v_head.summary"](forward(backbone, ids).last_hidden_state).squeeze(-1)
    return {"directory": str(directory), "kind": "skywork"}, torch.sigmoid(values)[0, ends].tolist()


def implicit(directory: Path) -> Case:
    """Model card of PRIME-RL/EurusPRM-Stage2, with the end of a step where the step ends."""
    import torch

    tokenizer, model, reference = language_models(directory.parent)
    beta = 0.0005

    def encode(steps: Sequence[str]) -> list[int]:
        messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "\n\n".join(steps)}]
        text: str = tokenizer.apply_chat_template(messages, tokenize=False).strip()
        return list(tokenizer.encode(text))

    ids, end_of_turn, blank_line = encode(STEPS), 1, len(tokenizer.encode("\n\n"))
    first = len(encode(())) - end_of_turn  # the first token of the answer
    ends = [len(encode(STEPS[:number])) - end_of_turn + blank_line - 1 for number in (1, 2)] + [len(ids) - 1]

    def log_probabilities(model: Any) -> Any:
        logits = forward(model, ids).logits[0, :-1].log_softmax(-1)
        return logits.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]

    reward = beta * (log_probabilities(model) - log_probabilities(reference))
    cumulative = reward[first - 1 :].cumsum(0)
    scores = [sigmoid(float(cumulative[end - first])) for end in ends]
    options = {"reference": str(directory.parent / "chain"), "beta": beta}
    return {"directory": str(directory.parent / "random"), "kind": "implicit", "options": options}, scores


def conversation_ids(tokenizer: Any, steps: Sequence[str]) -> list[int]:
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "\n\n".join(steps)}]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    return list(tokenizer.encode(text, add_special_tokens=False))


def outcome(directory: Path) -> Case:
    """Model card of Skywork/Skywork-Reward-Llama-3.1-8B: the conversation in the chat template, one output at its end.

    transformers reads it at the last token that is no padding, which here is the one before the end of the turn.
    """
    tokenizer = llama_tokenizer()
    model = make_model(directory, "LlamaForSequenceClassification", tokenizer, seed=7, labels=("LABEL_0",), scale=2)
    prefixes = [STEPS[:number] for number in range(1, len(STEPS) + 1)]
    rewards = [float(forward(model, conversation_ids(tokenizer, steps)).logits[0, 0]) for steps in prefixes]
    return {"directory": str(directory), "kind": "outcome"}, [sigmoid(reward) for reward in rewards]


def outcome_of_tokens(directory: Path) -> Case:
    """Model card of Qwen/Qwen2.5-Math-RM-72B: the same with the head of modeling_qwen2_rm.py at the last token."""
    import torch

    tokenizer, linear = qwen_tokenizer(), torch.nn.Linear
    head = {"score.0": lambda: linear(64, 64), "score.2": lambda: linear(64, 1)}
    backbone, layers = make_with_head(directory, "Qwen2ForRewardModel", tokenizer, head, seed=8)
    scores = []
    for number in range(1, len(STEPS) + 1):
        hidden = forward(backbone, conversation_ids(tokenizer, STEPS[:number])).last_hidden_state[0, -1]
        with torch.no_grad():
            scores.append(sigmoid(float(layers["score.2"](torch.relu(layers["score.0"](hidden))))))
    return {"directory": str(directory), "kind": "outcome"}, scores


def classifier(labels: Sequence[str], positive: Sequence[int], template: str | None) -> Callable[[Path], Case]:
    """A classifier of question and solution: the probability of the labels that mean a correct one."""

    def make(directory: Path) -> Case:
        tokenizer = qwen_tokenizer(template)
        model = make_model(directory, "Qwen2ForSequenceClassification", tokenizer, seed=9, labels=labels, scale=1)
        scores = []
        for number in range(1, len(STEPS) + 1):
            steps = STEPS[:number]
            if template is None:
                ids = tokenizer.encode(f"{QUESTION}\n\n" + "\n\n".join(steps))
            else:
                ids = conversation_ids(tokenizer, steps)
            scores.append(float(forward(model, ids).logits[0].softmax(-1)[list(positive)].sum()))
        return {"directory": str(directory), "kind": "classifier"}, scores

    return make


def judge(directory: Path) -> Case:
    """A judge that says "Score: 7" whatever it is asked: the mean of four marks of 0.7 and one of 0.5."""
    language_models(directory.parent)
    options = {"judge": {"samples": 4, "max_tokens": 8}}
    score = (4 * 0.7 + 0.5) / 5
    return {"directory": str(directory.parent / "chain"), "kind": "judge", "options": options}, [score] * len(STEPS)


# Those that share models stand side by side: score_models.py stops an engine once no later case needs it.
CASES: dict[str, Callable[[Path], Case]] = {
    "qwen_prm": qwen_prm,
    "math_shepherd": math_shepherd,
    "skywork": skywork,
    "rlhflow": rlhflow,
    "implicit": implicit,
    "judge": judge,
    "outcome": outcome,
    "two labels": classifier(("LABEL_0", "LABEL_1"), (1,), None),
    "three labels": classifier(("incorrect", "neutral", "correct"), (1, 2), LLAMA_TEMPLATE),
    "outcome of tokens": outcome_of_tokens,
}
THOROUGH = ("outcome", "two labels", "three labels", "outcome of tokens")  # other heads at the last token
NAMES = [pytest.param(name, marks=pytest.mark.thorough) if name in THOROUGH else name for name in CASES]


@pytest.fixture(scope="module")
def scored(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, tuple[dict[str, Any], list[float]]]:
    """By case: what the engine gave, and the probabilities of the torch forward pass."""
    root = tmp_path_factory.mktemp("public")
    mine = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    wanted = {item.callspec.params["name"] for item in mine} & set(CASES)
    cases = {name: CASES[name](root / name.replace(" ", "_")) for name in CASES if name in wanted}
    file = root / "cases.json"
    file.write_text(json.dumps([case for case, _ in cases.values()]))
    command = [sys.executable, "-m", "tests.actors.engines.score_models", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(done.stdout.splitlines()[-1])
    return {name: (result, cases[name][1]) for name, result in zip(cases, results, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_scores_equal_those_of_the_authors_code(
    scored: dict[str, tuple[dict[str, Any], list[float]]], name: str
) -> None:
    result, expected = scored[name]
    assert [sigmoid(logit) for logit in result["singly"]] == pytest.approx(expected, abs=TOLERANCE)
    assert result["together"] == pytest.approx(result["singly"], abs=10 * TOLERANCE)
    log_odds = [math.log(score / (1 - score)) for score in expected]
    assert result["singly"] == pytest.approx(log_odds, rel=1e-3, abs=1e-3)
    if name != "judge":  # the test says something only if scores differ
        assert max(expected) - min(expected) > 50 * TOLERANCE


def test_every_kind_that_is_not_trained_here_is_compared() -> None:
    kinds = {kind for kind, entry in KINDS.items() if not entry.labels}
    assert kinds - {RewardModelKind.CLASSIFIER} == {
        RewardModelKind(name) for name in CASES if name in set(RewardModelKind)
    }
