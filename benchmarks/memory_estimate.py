"""Compare estimates of memory with the measured peaks of trainings and engines on this machine, in one run.

    python benchmarks/memory_estimate.py                      all cases; the largest takes 4 GiB
    python benchmarks/memory_estimate.py --only engine        cases whose name has "engine" in it
    python benchmarks/memory_estimate.py --model DIR          trainings and an engine of a model directory, too

Each case runs in processes of its own. A training is the project's own loop and DeepSpeed engine in one process, without
Ray: two optimizer steps of full micro-batches of random tokens. An engine is an actor of the project's own, which writes as
many sequences as its KV cache holds. The peak is that of resident memory (VmHWM), that of the engine's core process added.
Printed are the estimate, the measured peak, both in GiB, and estimate / peak. Models have random weights, unless --model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from actors.config import EngineConfig
from cluster.capacity.memory.estimate import MemoryUse, serving_memory, shape_of_directory, training_memory
from train.config import TrainConfig

CHILDREN = {"training": "benchmarks/memory_of_training.py", "engine": "benchmarks/memory_of_engine.py"}
CHILD_S = 900.0  # seconds that one case may take
# Many weights and few tokens, and few weights and many tokens: states and activations by turns are most of a training.
WIDE = {"hidden": 768, "layers": 12, "heads": 12, "kv_heads": 4, "intermediate": 3072, "vocabulary": 32_000}
NARROW = {"hidden": 256, "layers": 8, "heads": 4, "kv_heads": 2, "intermediate": 1024, "vocabulary": 8000}
FEW_TOKENS = {"micro_batch_tokens": 128, "batch_size": 2, "max_length": 128}
MANY_TOKENS = {"micro_batch_tokens": 4096, "batch_size": 8, "max_length": 1024}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured: a ``kind`` of CHILDREN, a model (its widths, or its directory), settings, tokens of a sequence."""

    name: str
    kind: str
    model: dict[str, int] | str
    settings: dict[str, Any]
    objective: str = "sft"
    length: int = 0


def cases() -> Iterator[Case]:
    """Yield all cases with random models."""
    short_rows = MANY_TOKENS | {"batch_size": 32, "max_length": 256}
    trainings: dict[str, tuple[dict[str, int], dict[str, Any], str]] = {
        "weights, fp32": (WIDE, FEW_TOKENS | {"precision": "fp32"}, "sft"),
        "weights, bf16": (WIDE, FEW_TOKENS | {"precision": "bf16"}, "sft"),
        "weights, fp32, stage 0": (WIDE, FEW_TOKENS | {"precision": "fp32", "zero_stage": 0}, "sft"),
        "weights, bf16, stage 2": (WIDE, FEW_TOKENS | {"precision": "bf16", "zero_stage": 2}, "sft"),
        "weights, bf16, stage 3": (WIDE, FEW_TOKENS | {"precision": "bf16", "zero_stage": 3}, "sft"),
        "tokens, fp32": (NARROW, MANY_TOKENS | {"precision": "fp32"}, "sft"),
        "tokens, fp32, short rows": (NARROW, short_rows | {"precision": "fp32"}, "sft"),
        "tokens, bf16": (NARROW, MANY_TOKENS | {"precision": "bf16"}, "sft"),
        "tokens, bf16, checkpointed": (
            NARROW,
            MANY_TOKENS | {"precision": "bf16", "gradient_checkpointing": True},
            "sft",
        ),
        "tokens, fp32, reward model": (NARROW, MANY_TOKENS | {"precision": "fp32"}, "ppm"),
    }
    for name, (model, settings, objective) in trainings.items():
        yield Case(
            name=f"training: {name}",
            kind="training",
            model=model,
            settings=settings,
            objective=objective,
            length=settings["max_length"],
        )
    engine = {"max_num_seqs": 64, "max_model_len": 512, "kv_cache_gib": 0.5, "cpu_threads": 2}
    for title, model in (("narrow", NARROW), ("wide", WIDE)):
        yield Case(name=f"engine: {title}", kind="engine", model=model, settings=engine, length=512)


def model_cases(directory: str) -> Iterator[Case]:
    """Yield the cases of a model directory, which only a machine with enough memory can run."""
    settings = {"micro_batch_tokens": 1024, "batch_size": 4, "max_length": 512}
    for title, more in (("checkpointed", {"gradient_checkpointing": True}), ("", {})):
        name = f"training {Path(directory).name} {title}".strip()
        yield Case(name=name, kind="training", model=directory, settings=settings | more, length=512)
    engine = {"max_num_seqs": 32, "max_model_len": 1024, "kv_cache_gib": 1.0, "cpu_threads": 2}
    yield Case(name=f"engine {Path(directory).name}", kind="engine", model=directory, settings=engine, length=1024)


def estimate(case: Case, directory: Path) -> MemoryUse:
    """Return what the estimator says of a case."""
    shape = shape_of_directory(directory)
    if shape is None:
        raise RuntimeError(f"{directory}: its config says no layers or widths")
    if case.kind == "engine":
        engine = EngineConfig(**case.settings)
        return serving_memory(shape, engine, sequences=engine.max_num_seqs, context=case.length)
    use = training_memory(shape, TrainConfig(**case.settings), workers=1, gpus=0, objective=case.objective)
    without_ray = {name: size for name, size in use.parts.items() if name != "Ray Train"}
    return MemoryUse(parts=without_ray, per_gpu_gib=0.0, per_host_gib=sum(without_ray.values()))


def measure(case: Case, directory: Path) -> float:
    """Return the measured peak (GiB) of a case in processes of its own."""
    command = [sys.executable, CHILDREN[case.kind], json.dumps(asdict(replace(case, model=str(directory))))]
    root = Path(__file__).resolve().parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=CHILD_S, check=False)
    if result.returncode:
        raise RuntimeError(f"{case.name} failed:\n{result.stderr[-3000:]}")
    return float(json.loads(result.stdout.splitlines()[-1])["peak_gib"])


def model_directory(case: Case, folder: Path) -> Path:
    """Return the model of a case: its directory, or one with random weights, which is made once."""
    if isinstance(case.model, str):
        return Path(case.model)
    directory = folder / "-".join(str(value) for value in case.model.values())
    if not directory.exists():
        from benchmarks.random_model import write_random_model  # heavy: torch and transformers

        write_random_model(directory, case.model)
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of the names of the cases to run (default: all)")
    parser.add_argument("--model", help="model directory to measure too")
    args = parser.parse_args()
    chosen = [*cases(), *(model_cases(args.model) if args.model else ())]
    print(f"{'case':<36}{'estimate':>10}{'peak':>8}{'ratio':>7}  parts")
    with tempfile.TemporaryDirectory() as folder:
        for case in chosen:
            if args.only in case.name:
                directory = model_directory(case, Path(folder))
                use, peak = estimate(case, directory), measure(case, directory)
                ratio = use.per_host_gib / peak
                print(
                    f"{case.name:<36}{use.per_host_gib:>10.2f}{peak:>8.2f}{ratio:>7.2f}  {use.describe()}", flush=True
                )


if __name__ == "__main__":
    main()
