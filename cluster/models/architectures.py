"""Check that vLLM serves the architecture of a model, before anything starts.

Neither vLLM nor transformers is imported, which takes seconds: the names that they know are read from their source.
vLLM serves a model by a class of its own, by one of the same family (a classifier by the language model), by transformers'
class where that is written for other attention kernels, or by code that the model brings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from actors.engines.arguments import language_model_of
from cluster.models.directory import architecture
from cluster.models.package_source import assigned, package_directory, parse_module
from search.errors import UserError
from search.reward_models.skywork import ARCHITECTURE as VALUE_HEAD
from search.serialization import read_json_object

REGISTRY = "model_executor/models/registry.py"
ADDED_BY_RAYSTAR = frozenset({VALUE_HEAD})  # actors/engines/value_head.py
# In the source of a model that leaves the choice of the attention kernel to others.
CHOOSES_KERNELS = ("_supports_attention_backend = True", "ALL_ATTENTION_FUNCTIONS.get_interface(")


def check_architecture(option: str, directory: Path, *, trust_remote_code: bool) -> None:
    """Raise UserError, one line, if the installed vLLM cannot serve the model in a directory.

    ``option``: field or option that names it. Without an installed vLLM nothing is checked.
    """
    config, known = read_json_object(directory / "config.json"), vllm_architectures()
    name, code = architecture(config), config.get("auto_map")
    if not known or name is None or name in ADDED_BY_RAYSTAR:
        return
    if config.get("is_encoder_decoder"):
        raise UserError(
            f"{option}: {name} in {directory} is an encoder with a decoder: a language model that goes on with its prompt "
            "(…ForCausalLM) is needed"
        )
    if trust_remote_code and code:
        return
    is_served = bool(known.intersection(served_names(name))) or is_served_by_transformers(name, config)
    if code and not (is_served and _is_known_config(config)):
        raise UserError(
            f"{option}: {name} in {directory} works by Python code that the model brings: read it, and set "
            "engine.trust_remote_code=true for it, or name another model"
        )
    if not is_served:
        raise UserError(
            f"{option}: the installed vLLM has no {name}, which the model in {directory} is: name a model of another "
            "architecture"
        )


def served_names(name: str) -> Iterator[str]:
    """Yield the architectures as which vLLM could serve a model: its own, those of the same family, a classifier's base.

    Qwen2ForSequenceClassification → itself, Qwen2ForCausalLM, Qwen2ForConditionalGeneration …
    """
    yield name
    suffixes = vllm_suffixes()
    for suffix in suffixes:
        if name.endswith(suffix):
            yield from (name.removesuffix(suffix) + other for other in suffixes)
            break
    if language_model := language_model_of(name):
        yield language_model


def is_served_by_transformers(name: str, config: dict[str, Any]) -> bool:
    """Return whether transformers has the class, and it works with vLLM's attention kernels, as far as its source says."""
    folder = package_directory("transformers")
    if folder is None:
        return False
    files = sorted((folder / "models" / str(config.get("model_type")).replace("-", "_")).glob("modeling_*.py"))
    texts = [text for file in files if f"class {name}(" in (text := file.read_text(encoding="utf-8"))]
    if not texts:  # a model type that lies in another folder: known by name is all that can be said
        return f'"{name}"' in (folder / "models/auto/modeling_auto.py").read_text(encoding="utf-8")
    return any(sign in text for text in texts for sign in CHOOSES_KERNELS)


def _is_known_config(config: dict[str, Any]) -> bool:
    """Return whether vLLM reads the config without the model's own code."""
    if "AutoConfig" not in (config.get("auto_map") or {}):
        return True
    model_type = str(config.get("model_type"))
    return model_type in _transformers_names("CONFIG_MAPPING_NAMES") or model_type in vllm_configs()


@cache
def vllm_architectures() -> frozenset[str]:
    """Return the architectures in the registry of the installed vLLM; empty where there is none."""
    tree = parse_module("vllm", REGISTRY)
    models = assigned(tree, "_VLLM_MODELS")
    if not isinstance(models, ast.Dict):
        return frozenset()
    names: set[str] = set()
    for part in models.values:  # **_TEXT_GENERATION_MODELS, …
        table = assigned(tree, part.id) if isinstance(part, ast.Name) else None
        if isinstance(table, ast.Dict):
            names |= {str(key.value) for key in table.keys if isinstance(key, ast.Constant)}
    return frozenset(names)


@cache
def vllm_suffixes() -> tuple[str, ...]:
    """Return the ends of architectures' names by which vLLM tells what a model does, in its order."""
    table = assigned(parse_module("vllm", "config/model.py"), "_SUFFIX_TO_DEFAULTS")
    entries = ast.literal_eval(table) if table is not None else []
    return tuple(suffix for suffix, _ in entries)


@cache
def vllm_configs() -> frozenset[str]:
    """Return the model types whose config vLLM reads by a class of its own."""
    table = assigned(parse_module("vllm", "transformers_utils/config.py"), "_CONFIG_REGISTRY")
    return frozenset(word.arg for word in table.keywords if word.arg) if isinstance(table, ast.Call) else frozenset()


@cache
def _transformers_names(table: str) -> dict[str, str]:
    """Return one of transformers' tables of model types and class names."""
    names: dict[str, str] = {}
    for file in ("modeling_auto.py", "auto_mappings.py"):
        value = assigned(parse_module("transformers", f"models/auto/{file}"), table)
        if isinstance(value, ast.Call) and value.args:
            names |= dict(ast.literal_eval(value.args[0]))
    return names
