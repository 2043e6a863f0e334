"""Read what an installed package says in its source, without importing it: vLLM and transformers take seconds."""

from __future__ import annotations

import ast
from functools import cache
from importlib import util
from pathlib import Path


@cache
def package_directory(package: str) -> Path | None:
    """Return the directory of an installed package, None where it is not installed."""
    spec = util.find_spec(package)
    locations = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(locations))) if locations else None


@cache
def parse_module(package: str, file: str) -> ast.Module:
    """Return the parsed source of a file of an installed package; an empty module where there is none."""
    folder = package_directory(package)
    path = folder / file if folder is not None else None
    if path is None or not path.is_file():
        return ast.Module(body=[], type_ignores=[])
    return ast.parse(path.read_text(encoding="utf-8"))


def assigned(module: ast.Module, name: str) -> ast.expr | None:
    """Return the value that a name is given at the top of a module, None without one."""
    for node in module.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value  # type: ignore[attr-defined, no-any-return]
    return None
