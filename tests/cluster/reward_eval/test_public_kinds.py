"""ProcessBench's protocol with every kind of reward model: scripted outputs, and one real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.config import EngineConfig
from actors.engines.manager import EngineManager
from cluster.reward_eval import evaluate, step_scores
from cluster.reward_eval.evaluate import RESULT
from cluster.reward_eval.request import STEPS_STAGE
from cluster.reward_eval.samples import SCORES
from cluster.reward_eval.step_scores import read_logits
from cluster.reward_eval.threshold import Threshold
from cluster.run.context import Context
from search.data import Scores, State
from search.evaluation.process_bench import ProcessRow
from search.formats.base import Piece
from search.reward_models import Reading, RewardAdapter, RewardModelKind
from tests.cluster.reward_eval.stored_samples import context
from tests.fakes.public_models import QWEN_TEMPLATE, make_with_head, qwen_tokenizer, write_files

MISTAKE = "2 + 2 = 5"


def row(name: str, steps: tuple[str, ...], label: int) -> ProcessRow:
    return ProcessRow(id=name, generator="m", problem=name, steps=steps, final_answer_correct=label < 0, label=label)


ROWS = (
    row("a", ("Add 2 and 2.", f"So {MISTAKE}.", "Done."), 1),
    row("b", ("Add 2 and 2.", "So 2 + 2 = 4."), -1),
    row("c", (f"It is {MISTAKE}.", "Done."), 0),
)
# Outputs for a state with the mistake and for one without, as an engine gives them.
OUTPUTS: dict[Reading, tuple[Sequence[float], Sequence[float]]] = {
    Reading.CLASSIFY: ([-3.0], [3.0]),
    Reading.TOKEN_CLASSIFY: ([0.0, -3.0], [0.0, 3.0]),
    Reading.NEXT_TOKEN: ([-3.0, 0.0], [3.0, 0.0]),
    Reading.LIKELIHOOD: ([-60.0], [60.0]),
    Reading.JUDGEMENT: ([0.1] * 4, [0.9] * 4),
}
SPECIAL: dict[RewardModelKind, tuple[Sequence[float], Sequence[float]]] = {
    RewardModelKind.PRM: ([0.0, 0.0, 4.0], [4.0, 0.0, 0.0]),
    RewardModelKind.CLASSIFIER: ([3.0, 0.0], [0.0, 3.0]),
    RewardModelKind.DPO: ([-5.0], [-0.1]),
}
ARCHITECTURES = {
    RewardModelKind.QWEN_PRM: "Qwen2ForProcessRewardModel",
    RewardModelKind.SKYWORK: "Qwen2ForPrmModel",
    RewardModelKind.CLASSIFIER: "Qwen2ForSequenceClassification",
    RewardModelKind.OUTCOME: "Qwen2ForSequenceClassification",
}
LABELS = {RewardModelKind.CLASSIFIER: ("incorrect", "correct"), RewardModelKind.OUTCOME: ("LABEL_0",)}


class ScriptedPool:
    """A pool whose engine gives OUTPUTS: those of a mistake where the rendered state shows one."""

    def __init__(self, handles: object, adapter: RewardAdapter, *_: object) -> None:
        self.adapter = adapter

    async def score(self, states: Sequence[State]) -> Scores:
        logits = []
        for state in states:
            text = "".join(map(piece_text, self.adapter.render(state).pieces))
            with_mistake, without = SPECIAL.get(self.adapter.kind, OUTPUTS[self.adapter.reading])
            logits.append(self.adapter.to_logit(with_mistake if MISTAKE in text else without))
        return Scores(tuple(logits), prompt_tokens=len(states))


def piece_text(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece[0]


@contextmanager
def reading(root: Path, **reward_model: Any) -> Iterator[Context]:
    """Open a run whose reward model is read with these options."""
    with context(root) as running:
        config = running.config
        changed = config.model_copy(update={"reward_model": config.reward_model.model_copy(update=reward_model)})
        yield replace(running, config=changed)


@pytest.mark.parametrize("kind", list(RewardModelKind))
def test_first_errors_are_found_with_every_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: RewardModelKind
) -> None:
    monkeypatch.setattr(EngineManager, "handles", lambda *_: [])
    monkeypatch.setattr(step_scores, "RewardModelPool", ScriptedPool)
    architecture = ARCHITECTURES.get(kind, "LlamaForCausalLM")
    model = write_files(tmp_path / "model", architecture, QWEN_TEMPLATE, labels=LABELS.get(kind, ()))
    with reading(tmp_path / "run", reference="/reference", beta=0.05) as running:
        evaluate.evaluate_on_file(running, model, kind, Path("/bench.jsonl"), ROWS, Threshold(value=0.5))
    result = json.loads((tmp_path / "run" / RESULT).read_text())
    assert result["kind"] == kind
    assert (result["steps"]["erroneous"]["mean"], result["steps"]["correct"]["mean"]) == (1.0, 1.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_steps_are_scored_by_a_real_engine(local_ray: None, tmp_path: Path) -> None:
    import torch

    linear = torch.nn.Linear
    head = {"score.0": lambda: linear(64, 64), "score.2": lambda: linear(64, 2)}
    make_with_head(tmp_path / "model", "Qwen2ForProcessRewardModel", qwen_tokenizer(), head, seed=1)
    engine = EngineConfig(dtype="float32", max_model_len=512, kv_cache_gib=0.1, num_cpus=0.1, start_deadline_s=500)
    with reading(tmp_path / "run", engine=engine) as running:
        score = evaluate.evaluate_on_file(
            running, tmp_path / "model", RewardModelKind.QWEN_PRM, Path("/bench.jsonl"), ROWS, Threshold(value=0.5)
        ).steps
        logits = read_logits(running.run.stage(STEPS_STAGE).path / SCORES)
    assert score is not None and score.f1.n == 3
    assert [len(logits[str(number)].logits[0]) for number in range(3)] == [3, 2, 2]
    assert all(entry.tokens > 0 for entry in logits.values())
    assert len({logit for entry in logits.values() for logit in entry.logits[0]}) > 3
