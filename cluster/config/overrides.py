"""Parse command-line overrides such as ``--search.rollouts=32``, and set them in a config's tree of values."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from search.errors import UserError

FLAG = re.compile(r"--([A-Za-z_][\w-]*(?:\.[\w/-]+)*)(?:=(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Override:
    """A value for a field. ``path``: ("search", "rollouts"); a list item by its index from 0 or its name."""

    path: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        return ".".join(self.path)


def parse(arguments: Sequence[str]) -> tuple[Override, ...]:
    """Parse ``--path=value`` and ``--path value``; values are YAML (``true``, ``[1, 2]``). Raise UserError."""
    parsed: list[Override] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        match = FLAG.fullmatch(argument)
        if match is None:
            raise UserError(f"unexpected argument {argument!r}: overrides look like --search.rollouts=32")
        name, text = match[1], match[2]
        if text is None:
            if not rest or FLAG.fullmatch(rest[0]):
                raise UserError(f"--{name} needs a value: --{name}=VALUE")
            text = rest.pop(0)
        parsed.append(Override(tuple(name.replace("-", "_").split(".")), _parse_value(name, text)))
    return tuple(parsed)


def apply(tree: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Return a copy of ``tree`` with every override set, in order. Missing sections are created."""
    result = copy.deepcopy(tree)
    for override in overrides:
        node: Any = result
        for depth, key in enumerate(override.path[:-1]):
            node = _descend(node, key, override, depth)
        _set(node, override.path[-1], override)
    return result


def _parse_value(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--{name}={text!r} is not a YAML value: {' '.join(str(error).split())}") from error


def _descend(node: Any, key: str, override: Override, depth: int) -> Any:
    """Return the section or list under ``key``, created if it is missing. Raise UserError if it is a value."""
    if isinstance(node, list):
        return node[_index(node, key, override)]
    if node.get(key) is None:
        node[key] = {}
    child = node[key]
    if not isinstance(child, dict | list):
        path = ".".join(override.path[: depth + 1])
        raise UserError(f"--{override.name}: {path} is the value {child!r}, it has no fields")
    return child


def _set(node: Any, key: str, override: Override) -> None:
    if isinstance(node, list):
        node[_index(node, key, override)] = override.value
    else:
        node[key] = override.value


def _index(items: list[Any], key: str, override: Override) -> int:
    """Return the index of the entry ``key``: the ``name`` of an entry, or a number from 0. Raise UserError."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(items):
        return int(key)
    known = ", ".join(str(name) for name in names if name is not None)
    raise UserError(
        f"--{override.name}: no entry {key!r}: the list has {len(items)} entries, counted from 0"
        + (f" or by name: {known}" if known else "")
    )
