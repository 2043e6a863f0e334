"""Name the class by which vLLM serves a sequence classifier whose architecture it does not list.

vLLM derives such a class from the name: Qwen2ForSequenceClassification is Qwen2ForCausalLM with a head. The name
Gemma3TextForSequenceClassification, of the text part of a family, leads it to Gemma3TextModel instead, whose weights have
other names than the saved ones. Imported in vLLM's processes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from vllm import ModelRegistry

from actors.engines.arguments import language_model_of
from search.serialization import read_json_object

CLASSIFIER, LANGUAGE_MODEL = "ForSequenceClassification", "ForCausalLM"


def classifier_arguments(
    directory: Path, overrides: Mapping[str, Any], supported: Set[str] | None = None
) -> dict[str, Any]:
    """Return the arguments that make vLLM serve a classifier as the language model of its family with a head.

    Empty where the classifier's own name leads vLLM to a language model with a head, and where vLLM has none for its text
    part. ``overrides``: the config's own ``hf_overrides``, which are kept. ``supported``: architectures that vLLM has, by
    default those of its registry.
    """
    architectures = read_json_object(directory / "config.json").get("architectures") or [""]
    name = str(architectures[0])
    supported = supported if supported is not None else set(ModelRegistry.get_supported_archs())
    language_model = language_model_of(name)
    if language_model not in supported or {name, name.removesuffix(CLASSIFIER) + LANGUAGE_MODEL} & supported:
        return {}
    return {"hf_overrides": {"architectures": [language_model], **overrides}, "convert": "classify"}
