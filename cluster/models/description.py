"""Describe a model directory from its files: nothing is loaded but the tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from actors.engines.arguments import saved_dtype, saved_quantization
from actors.engines.context_limit import context_limit
from cluster.models.directory import architecture, saved_weights
from cluster.models.resolve import ResolvedModel
from search.data import Problem, State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_template import TOKENIZER_CONFIG, read_chat_template, token_text
from search.formats.model_prompt import PromptSettings, choose_prompt, prompt_format
from search.reward_models import recognise
from search.serialization import read_json_object
from search.tokens import TokenEncoder

SAMPLE = Problem(id="sample", question="What is 12 times 7, minus 9?", answer="75", source="sample")
POLICY = "policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """What a model is, and how RayStar prompts it.

    Attributes:
        reference: what the user wrote.
        directory: absolute.
        commit: of a Hub name.
        architecture: class that the config names.
        parameters: number of weights; None where they are .bin files.
        dtype: type that the weights are saved in.
        quantization: how the weights are quantized; None if they are not.
        context: tokens of prompt and continuation together; None if the files do not say it.
        tokenizer: family and number of tokens.
        bos: token that stands before every text; None without one.
        end_of_turn: tokens that end a response.
        has_chat_template: whether the model brings one.
        needs_remote_code: whether the config names Python code that the model brings.
        kind: "policy", or the kind of reward model; None if it is neither for certain.
        format: step format in which a policy is prompted.
        prompt: a sample prompt.
    """

    reference: str
    directory: str
    commit: str | None
    architecture: str
    parameters: int | None
    dtype: str
    quantization: str | None
    context: int | None
    tokenizer: str
    bos: str | None
    end_of_turn: tuple[str, ...]
    has_chat_template: bool
    needs_remote_code: bool
    kind: str | None
    format: str | None
    prompt: str | None

    def facts(self) -> dict[str, Any]:
        """Return the description as plain data."""
        return asdict(self)


def describe_model(model: ResolvedModel) -> ModelDescription:
    """Return the description of a resolved model. Raises UserError if its tokenizer or template cannot be read."""
    directory = model.directory
    config = read_json_object(directory / "config.json")
    tokenizer = load_tokenizer(directory)
    kind = recognise(config, model.name, directory) or (
        POLICY if str(architecture(config)).endswith("ForCausalLM") else None
    )
    step_format = prompt_format(directory, PromptSettings()) if kind == POLICY else None
    elements = saved_weights(directory) or model.elements
    return ModelDescription(
        reference=model.reference,
        directory=str(directory),
        commit=model.commit,
        architecture=str(architecture(config)),
        parameters=sum(elements.values()) or None,
        dtype=saved_dtype(directory),
        quantization=saved_quantization(directory),
        context=context_limit(directory),
        tokenizer=describe_tokenizer(directory, tokenizer),
        bos=first_token(directory, tokenizer),
        end_of_turn=end_of_turn_tokens(directory, tokenizer, step_format),
        has_chat_template=read_chat_template(directory) is not None,
        needs_remote_code=bool(config.get("auto_map")),
        kind=str(kind) if kind else None,
        format=choose_prompt(directory, PromptSettings()).format if step_format else None,
        prompt=sample_prompt(step_format) if step_format else None,
    )


def load_tokenizer(directory: Path) -> Tokenizer | None:
    """Return the tokenizer in tokenizer.json, None without that file. Raises UserError if the library cannot read it."""
    file = directory / "tokenizer.json"
    if not file.is_file():
        return None
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing more exact
        raise UserError(f"{file} is damaged: {error}") from error


def describe_tokenizer(directory: Path, tokenizer: Tokenizer | None) -> str:
    """Return the family of the tokenizer, its class and its number of tokens."""
    name = read_json_object(directory / TOKENIZER_CONFIG).get("tokenizer_class")
    suffix = f", {name}" if name else ""
    if tokenizer is None:
        return f"no tokenizer.json{suffix}"
    family = tokenizer_family(read_json_object(directory / "tokenizer.json"))
    return f"{family}{suffix}, {tokenizer.get_vocab_size():,} tokens"


def tokenizer_family(content: Mapping[str, Any]) -> str:
    """Return the family that a tokenizer.json describes: how text becomes tokens, and whether a space is put before it."""
    model = content.get("model") or {}
    parts = [part for key in ("normalizer", "pre_tokenizer") for part in _components(content.get(key))]
    types = {part.get("type") for part in parts}
    has_prefix = "Prepend" in types or any(
        part.get("type") == "Metaspace" and part.get("prepend_scheme", "always") != "never" for part in parts
    )
    prefix = " with a space before every text" if has_prefix else ""
    if model.get("type") == "Unigram":
        return f"SentencePiece unigram{prefix}"
    if model.get("type") != "BPE":
        return f"{model.get('type', 'unknown')}{prefix}"
    return f"SentencePiece BPE{prefix}" if model.get("byte_fallback") else f"byte-level BPE{prefix}"


def end_of_turn_tokens(directory: Path, tokenizer: Tokenizer | None, step_format: StepFormat | None) -> tuple[str, ...]:
    """Return the tokens that end a response: the format's, the generation config's and the tokenizer's own."""
    configured = read_json_object(directory / "generation_config.json").get("eos_token_id")
    if configured is None:
        configured = read_json_object(directory / "config.json").get("eos_token_id")
    ids = configured if isinstance(configured, list) else [configured]
    names: list[str | None] = [step_format.turn_end] if step_format is not None else []
    names += [tokenizer.id_to_token(index) for index in ids if tokenizer is not None and isinstance(index, int)]
    names.append(token_text(read_json_object(directory / TOKENIZER_CONFIG).get("eos_token")))
    return tuple(dict.fromkeys(name for name in names if name))


def sample_prompt(step_format: StepFormat) -> str:
    """Return the prompt of a sample question in a format."""
    return "".join(segment.text for segment in step_format.segments(State(SAMPLE)))


def first_token(directory: Path, tokenizer: Tokenizer | None) -> str | None:
    """Return the token that stands before every text, None without one.

    It is that of transformers' tokenizer, which engines and training use and which can differ from the file alone. A
    tokenizer that is code of the model's own is not run: there the file decides. Raises UserError if transformers refuses the
    config.
    """
    from transformers import AutoTokenizer  # takes seconds, and only this command needs it

    try:
        encoder = TokenEncoder.of(AutoTokenizer.from_pretrained(directory))
    except (OSError, ValueError):
        if tokenizer is None:
            return None
        encoder = TokenEncoder(tokenizer)
    except Exception as error:  # what transformers raises for a field of the wrong type has no common class
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"transformers cannot read config and tokenizer in {directory}: {reason}") from error
    return encoder.text(encoder.leading_ids) or None


def _components(section: Any) -> list[dict[str, Any]]:
    """Return the parts of a normalizer or pre-tokenizer, which may be a sequence of them."""
    if not isinstance(section, dict):
        return []
    nested = section.get("normalizers") or section.get("pretokenizers") or []
    return [section, *(part for entry in nested for part in _components(entry))]
