"""Check whether a training can start from a model directory, by its config alone: no weights are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
)

from search.errors import UserError
from search.serialization import read_json_object

CLASSIFIER = "ForSequenceClassification"
LANGUAGE_MODELS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
# These read a text in both directions: a step's state would depend on the steps after it.
BIDIRECTIONAL = frozenset({*MODEL_FOR_MASKED_LM_MAPPING_NAMES, "xlnet"})


def reward_outputs(directory: Path) -> int:
    """Return the number of outputs of the reward model in ``directory``; 0 if it holds no reward model."""
    config = read_json_object(directory / "config.json")
    if not str((config.get("architectures") or [""])[0]).endswith(CLASSIFIER):
        return 0
    return len(config.get("id2label") or (0, 1))  # transformers leaves the map out where there are two


def check_trainable(directory: Path, head: Sequence[str], *, trust_remote_code: bool = False) -> None:
    """Raise UserError, which names the reason, if a model with this head cannot be trained from ``directory``.

    ``head``: the names of a reward head's outputs, empty for a language head. ``trust_remote_code``: run the code that
    the directory carries.
    """
    if (directory / "adapter_config.json").is_file() and not (directory / "config.json").is_file():
        raise UserError(f"{directory} holds an adapter without its model: merge it into the model first")
    if not (directory / "config.json").is_file():
        raise UserError(f"no model at {directory}: a Hugging Face directory with config.json is needed")
    config = read_json_object(directory / "config.json")
    _check_outputs(directory, head)
    if quantization := config.get("quantization_config"):
        method = quantization.get("quant_method", "unknown method") if isinstance(quantization, Mapping) else "unknown"
        raise UserError(f"{directory} cannot be trained: its weights are quantized ({method}): give the full weights")
    _check_architecture(directory, config, bool(head), trust_remote_code)


def _check_outputs(directory: Path, head: Sequence[str]) -> None:
    outputs, expected = reward_outputs(directory), len(head)
    if outputs and not expected:
        raise UserError(f"{directory} is a reward model: a causal language model is needed here")
    if outputs and outputs != expected:
        names = ", ".join(head)
        raise UserError(
            f"the reward model at {directory} gives {outputs} number(s), {expected} ({names}) are needed here"
        )


def _check_architecture(directory: Path, config: Mapping[str, Any], has_reward_head: bool, trust: bool) -> None:
    """Raise UserError unless transformers, or with ``trust`` the directory's own code, has the classes that are trained."""
    kind = str(config.get("model_type") or "")
    if kind not in CONFIG_MAPPING_NAMES:
        _check_remote_code(directory, config, has_reward_head, trust)
        return
    name = f"{directory} cannot be trained: its architecture {kind!r}"
    if kind in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES or config.get("is_encoder_decoder"):
        raise UserError(f"{name} is an encoder with a decoder: a decoder-only language model is needed")
    if kind in BIDIRECTIONAL:
        raise UserError(f"{name} reads a text in both directions: a decoder-only language model is needed")
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise UserError(f"{name} is no causal language model in transformers: a decoder-only language model is needed")
    written = str((config.get("architectures") or [""])[0])
    if (
        not has_reward_head
        and written
        and not written.endswith((*LANGUAGE_MODELS, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind]))
    ):
        raise UserError(f"{directory} holds a {written}, which has no language head: a causal language model is needed")
    if has_reward_head and kind not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        raise UserError(
            f"{name} has no sequence classifier in transformers, which a reward head needs: start the reward model "
            "from another model, or train one without a head (method.reward_model.objective dpo)"
        )


def _check_remote_code(directory: Path, config: Mapping[str, Any], has_reward_head: bool, trust: bool) -> None:
    """Raise UserError unless the directory's own code has the class that is trained, and is trusted."""
    classes = config.get("auto_map") or {}
    needed = f"AutoModel{CLASSIFIER}" if has_reward_head else "AutoModelForCausalLM"
    kind = config.get("model_type") or "none"
    if needed not in classes:
        raise UserError(
            f"{directory} cannot be trained: transformers has no architecture {kind!r} (model_type in config.json), and "
            f"the directory brings no {needed} of its own"
        )
    if not trust:
        raise UserError(
            f"{directory} cannot be trained: its architecture {kind!r} is code that the directory brings: "
            "read it, then set trust_remote_code in the training's config"
        )
