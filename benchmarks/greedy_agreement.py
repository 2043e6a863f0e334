"""Compare a chat model's greedy accuracy as RayStar asks it with plain transformers generation.

    python benchmarks/greedy_agreement.py MODEL PROBLEMS.jsonl [--count N] [--max-tokens T] [--work DIR]

Both sides are in float32 and get the same prompt ids, the same limit of tokens, the same stops and the same extraction
and grading of answers. RayStar's side is ``raystar search`` with one greedy sample a problem. The other side is
``model.generate`` on batches padded on the left, some 25 minutes for 200 problems of a 0.5B model on two cores. Trees and
finished batches stay in the work directory, and a second call goes on where the first one stopped.
Prints both accuracies with 95 % intervals, their paired difference, and how many answers and texts differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from search.data import Candidate, Finish, Problem, State, Step
from search.evaluation.confidence import paired_difference, wilson
from search.formats.base import StepFormat
from search.formats.model_prompt import PromptSettings, prompt_format
from search.grading.grader import grader
from search.storage import tree_store
from search.tokens import TokenEncoder
from search.tree import Tree

NAME = "greedy_agreement"


@dataclass(frozen=True, slots=True)
class Solution:
    """A greedy solution: its text and the answer in it."""

    text: str
    answer: str | None


def by_search(args: argparse.Namespace) -> list[Tree]:
    """Return the trees of ``raystar search``, one greedy sample each."""
    # A hash of the question parts the problems; the split that is not searched is as small as can be.
    problems = {"name": str(args.problems.absolute()), "count": args.count, "part": [0.0, 0.95]}
    validation = {**problems, "count": 1, "part": [0.95, 1.0]}
    config = {
        "name": NAME,
        "problems": {"train": problems, "validation": validation, "evaluation": {}},
        "policy": {
            "path": str(args.model),
            "format": "chat",
            "engine": {
                "dtype": "float32",
                "max_num_seqs": args.batch,
                "cpu_threads": 0,
                "kv_cache_gib": 2,
                "num_cpus": 0,
            },
        },
        "search": {
            "strategy": "sampling",
            "candidates": 1,
            "temperature": 0.0,
            "max_solution_tokens": args.max_tokens,
        },
        "workers": {"trees_in_flight": args.batch, "num_cpus": 0},
        "executor": {"num_cpus": 0},
    }
    args.work.mkdir(parents=True, exist_ok=True)
    file = args.work / f"{NAME}.yaml"
    file.write_text(yaml.safe_dump(config))
    run = args.work / "run"
    command = [Path(sys.executable).with_name("raystar"), "search", file, "--run-dir", run]
    subprocess.run([str(part) for part in command], check=True)
    folders = sorted({path.parent for path in run.rglob(tree_store.PATTERN)})
    return [tree for folder in folders for tree in tree_store.read_trees(folder)]


def of_steps(steps: Sequence[Step]) -> Solution:
    """Return the text of steps and the answer in it."""
    return Solution("".join(step.text for step in steps), next((s.answer for s in steps if s.answer is not None), None))


def by_transformers(
    args: argparse.Namespace, problems: list[Problem], form: StepFormat, lengths: Sequence[int]
) -> list[Solution]:
    """Return the greedy solutions of ``model.generate``, in the order of ``problems``.

    ``lengths``: of the solutions that are expected; a batch takes as long as its longest, so like are put together.
    """
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    encoder = TokenEncoder.of(tokenizer)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    stops = sorted({tokenizer.eos_token_id, *_as_list(model.generation_config.eos_token_id)} - {None})
    settings = GenerationConfig(do_sample=False, max_new_tokens=args.max_tokens, eos_token_id=stops, pad_token_id=pad)
    prompts = [encoder.ids([s.piece for s in form.segments(State(problem))]) for problem in problems]
    kept = args.work / "transformers.jsonl"
    solutions = {row.pop("index"): Solution(**row) for row in map(json.loads, kept.open())} if kept.exists() else {}
    order = sorted(set(range(len(prompts))) - solutions.keys(), key=lambda i: lengths[i])
    for begin in range(0, len(order), args.generate_batch):
        batch = order[begin : begin + args.generate_batch]
        width = max(len(prompts[i]) for i in batch)
        ids = torch.tensor([[pad] * (width - len(prompts[i])) + prompts[i] for i in batch])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch])
        with torch.inference_mode():
            output = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        for i, row in zip(batch, output[:, width:].tolist(), strict=True):
            solutions[i] = _solution(row, stops, encoder, form, State(problems[i]))
        with kept.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps({"index": i, **asdict(solutions[i])}) + "\n" for i in batch)
        print(f"transformers: {len(solutions)}/{len(prompts)}", flush=True)
    return [solutions[i] for i in range(len(prompts))]


def _solution(row: list[int], stops: list[int], encoder: TokenEncoder, form: StepFormat, state: State) -> Solution:
    length = next((i for i, token in enumerate(row) if token in stops), None)
    text = encoder.text(row if length is None else row[:length])
    finish = Finish.LENGTH if length is None else Finish.END
    steps = form.parse(Candidate(text, (), finish), state)
    return of_steps(steps)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="model directory with a chat template")
    parser.add_argument("problems", type=Path, help="JSON lines of question and answer")
    parser.add_argument("--count", type=int, default=200, help="problems, drawn at random with the seed 0")
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--batch", type=int, default=32, help="sequences at once of RayStar's engine")
    parser.add_argument("--generate-batch", type=int, default=25, help="sequences at once of transformers")
    parser.add_argument("--work", type=Path, default=Path("runs") / NAME, help="directory of the config and the trees")
    args = parser.parse_args()
    form = prompt_format(args.model, PromptSettings(format="chat"))
    started = time.monotonic()
    trees = by_search(args)
    seconds = [time.monotonic() - started]
    problems = [tree.problem for tree in trees]
    started = time.monotonic()
    ours = [of_steps([node.step for node in tree.nodes if node.step is not None]) for tree in trees]
    others = by_transformers(args, problems, form, [len(solution.text) for solution in ours])
    seconds.append(time.monotonic() - started)
    grade = grader().grade
    right = [[grade(p, s.answer) for p, s in zip(problems, side, strict=True)] for side in (ours, others)]
    for name, verdicts, spent in zip(("raystar", "transformers"), right, seconds, strict=True):
        share = wilson(sum(verdicts), len(verdicts))
        bounds = f"[{100 * share.low:.1f}, {100 * share.high:.1f}]"
        print(f"{name:13s}{100 * sum(verdicts) / len(verdicts):6.1f} % {bounds}, {spent:.0f} s")
    differing = sum(a.answer != b.answer for a, b in zip(ours, others, strict=True))
    texts = sum(a.text != b.text for a, b in zip(ours, others, strict=True))
    gained = sum(a and not b for a, b in zip(*right, strict=True))
    lost = sum(b and not a for a, b in zip(*right, strict=True))
    difference = paired_difference(*right)
    interval = f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    print(f"difference {100 * difference.mean:+.1f} {interval} points: {gained} correct here only, {lost} there only")
    print(f"{differing} of {len(problems)} answers and {texts} texts differ")
    rows = [
        {"id": p.id, "reference": p.answer, "raystar": a.answer, "transformers": b.answer}
        for p, a, b in zip(problems, ours, others, strict=True)
    ]
    (args.work / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
