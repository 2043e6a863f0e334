"""Write the model card: a YAML header for the Hub, then what the model is, how to prompt it and what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from huggingface_hub import EvalResult, ModelCardData

from cluster.evaluation.records import METHODS
from cluster.export.provenance import NOT_STATED, Measured, Provenance
from cluster.run.models import POLICY
from search.formats.base import StepFormat
from search.formats.code_format import END_OF_CODE, END_OF_OUTPUT, OUTPUT
from search.reward_models import KINDS

QUESTION = "What is 3 + 4?"
LIBRARY = "transformers"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What the card tells beside the provenance.

    Attributes:
        name: of the model.
        license: identifier of the model's licence on the Hub; None if it is not stated.
        prompt: the prompt of QUESTION.
        step_format: how the model is prompted.
        stops: texts that end a step or a solution.
        trained_on_format: whether the model was trained on the format.
    """

    name: str
    license: str | None
    prompt: str
    step_format: StepFormat
    stops: tuple[str, ...]
    trained_on_format: bool


def model_card(facts: CardFacts, origin: Provenance) -> str:
    """Return the text of README.md."""
    return f"---\n{_header(facts, origin)}\n---\n\n" + "\n\n".join(_sections(facts, origin)) + "\n"


def _header(facts: CardFacts, origin: Provenance) -> str:
    base = origin.base if "/" in origin.base and not origin.base.startswith((".", "~", "/")) else None
    results = [_eval_result(measured) for measured in origin.measured]
    data = ModelCardData(
        base_model=base,
        datasets=[data.hub for data in origin.data if data.hub] or None,
        eval_results=results or None,
        library_name=LIBRARY,
        license=facts.license,
        model_name=facts.name,
        pipeline_tag="text-generation" if origin.role == POLICY else "text-classification",
        tags=["raystar", "math", "reasoning", *([str(origin.kind), "reward-model"] if origin.kind else [])],
    )
    return data.to_yaml()


def _eval_result(measured: Measured) -> EvalResult:
    return EvalResult(
        task_type="text-generation",
        dataset_type=measured.split,
        dataset_name=measured.split,
        metric_type="accuracy",
        metric_name=f"accuracy, {METHODS.get(measured.method, measured.method)}",
        metric_value=round(100 * measured.measure.accuracy, 1),
    )


def _sections(facts: CardFacts, origin: Provenance) -> Iterator[str]:
    yield f"# {facts.name}"
    yield _introduction(origin)
    yield "## How to prompt it"
    yield from (_reward_model_use(origin) if origin.kind else _policy_use(facts))
    yield "## Training"
    yield "\n".join(f"- {line}" for line in _training(origin))
    yield "## Accuracy"
    yield _accuracy(origin)
    yield "## Limits"
    yield "\n".join(f"- {line}" for line in _limits(facts, origin))


def _introduction(origin: Provenance) -> str:
    role = f"A reward model (kind {origin.kind})" if origin.kind else "A policy: it writes solutions step by step"
    base = f", from `{origin.base}`" if origin.base else ""
    revision = f" at revision `{origin.revision}`" if origin.revision else ""
    if not origin.is_trained:
        return f"{role}{base}{revision}. RayStar did not train it: template, stops and card are its own, the weights as they were."
    return f"{role}{base}{revision}, trained by RayStar."


def _policy_use(facts: CardFacts) -> Iterator[str]:
    yield (
        "The chat template renders the prompt that the model was trained on; give it one user message, the question:"
        if facts.trained_on_format
        else f"The model was not trained on the step format {facts.step_format.name!r}; the chat template renders its prompt "
        "without worked examples:"
    )
    yield (
        "```python\n"
        "from transformers import pipeline\n\n"
        'generate = pipeline("text-generation", "DIR")\n'
        f'print(generate([{{"role": "user", "content": "{QUESTION}"}}], max_new_tokens=512)[0]["generated_text"][-1])\n'
        "```"
    )
    yield f"or `vllm serve DIR` and a request to `/v1/chat/completions`. The prompt as text:\n\n```\n{facts.prompt}\n```"
    yield (
        "Append the model's steps as they are. To stop after a step, or at the end, give as `stop`: "
        f"{', '.join(f'`{stop!r}`' for stop in facts.stops)}."
    )
    if facts.step_format.runs_code:
        yield (
            f"Steps are Python. At `{END_OF_CODE}` run the whole program, append `\\n{OUTPUT}…{END_OF_OUTPUT}\\n` with what it "
            "printed, and let the model go on: it states the answer. Run the code in a sandbox."
        )


def _reward_model_use(origin: Provenance) -> Iterator[str]:
    assert origin.kind is not None
    entry = KINDS[origin.kind]
    if entry.is_language_model:
        yield "The score of a solution is its log-likelihood given the question, summed over the solution's tokens."
        return
    yield (
        "Give the question as a user message and the solution so far as an assistant message. Read the logits at the last "
        f"token of the text after a step; the outputs are, in this order: {', '.join(entry.labels)}."
    )
    yield (
        "```python\n"
        "from transformers import AutoModelForSequenceClassification\n\n"
        'model = AutoModelForSequenceClassification.from_pretrained("DIR")\n'
        "```"
    )
    yield (
        "or `vllm serve DIR --runner pooling` with raw logits (`use_activation` false). "
        f"A solution's score is the {entry.aggregation} of its steps' scores."
    )


def _training(origin: Provenance) -> Iterator[str]:
    if origin.rule:
        yield f"Method: harvest rule `{origin.rule}`, objective `{origin.objective or NOT_STATED}`, round {origin.round}."
    elif origin.objective:
        yield f"Objective: `{origin.objective}`."
    if origin.start:
        yield f"Started from: `{origin.start}`."
    for data in origin.data:
        where = f" (`{data.hub}`)" if data.hub else ""
        yield f"Problems learnt from: {data.name}{where}, licence {data.licence}. Solutions are the model's own."
    training = origin.training
    if "samples" in training:
        yield f"{training['samples']} samples, {training.get('steps')} optimizer steps, {training.get('tokens')} tokens."
    if origin.decision:
        yield f"Promotion: {origin.decision}."
    if origin.commit:
        yield f"RayStar commit `{origin.commit}`{' with local changes' if origin.dirty else ''}."


def _accuracy(origin: Provenance) -> str:
    if not origin.measured:
        return "No evaluation of this model is recorded."
    rows = [
        "| problems | method | accuracy, % | 95 % interval | problems measured | generated tokens |",
        "|---|---|---|---|---|---|",
    ]
    for entry in origin.measured:
        measure = entry.measure
        rows.append(
            f"| {entry.split} | {METHODS.get(entry.method, entry.method)} | {100 * measure.accuracy:.1f} "
            f"| {100 * measure.low:.1f} to {100 * measure.high:.1f} | {measure.n} | {measure.tokens} |"
        )
    return "\n".join(rows) + f"\n\nMajority and best-of-N use {origin.samples} samples a problem."


def _limits(facts: CardFacts, origin: Provenance) -> Iterator[str]:
    if origin.is_trained:
        yield "Trained on mathematical word problems; nothing else was measured."
    if not origin.kind:
        yield "One question a conversation: later turns were no part of training."
    if facts.step_format.runs_code and not origin.kind:
        yield "It writes code. Never run that outside a sandbox."
    unknown: Sequence[str] = [data.name for data in origin.data if data.licence == NOT_STATED]
    if unknown:
        yield f"The licence of {', '.join(unknown)} is not stated here: check it before you use the model."
    if facts.license is None:
        yield "The licence of the model is not stated: that of its base applies."
