"""Command-line overrides: ``--search.rollouts=32`` becomes a value in the config's tree. Knows paths, and no field."""

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
    """A value for one field; ``path`` is ("search", "rollouts"), list items by their index from 0."""

    path: tuple[str, ...]
    value: Any

    @property
    def name(self) -> str:
        return ".".join(self.path)


def parse(arguments: Sequence[str]) -> tuple[Override, ...]:
    """Overrides in ``--path=value`` or ``--path value`` form; values are YAML (``true``, ``1e-5``, ``[1, 2]``)."""
    found: list[Override] = []
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
        found.append(Override(tuple(name.replace("-", "_").split(".")), _value(name, text)))
    return tuple(found)


def apply(tree: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """A copy of ``tree`` with every override set, later ones last; missing sections are created."""
    result = copy.deepcopy(tree)
    for override in overrides:
        here: Any = result
        for depth, key in enumerate(override.path[:-1]):
            here = _enter(here, key, override, depth)
        _set(here, override.path[-1], override)
    return result


def _value(name: str, text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--{name}={text!r} is not a YAML value: {' '.join(str(error).split())}") from error
    return value


def _enter(here: Any, key: str, override: Override, depth: int) -> Any:
    if isinstance(here, list):
        return here[_index(here, key, override)]
    if here.get(key) is None:
        here[key] = {}
    inside = here[key]
    if not isinstance(inside, dict | list):
        where = ".".join(override.path[: depth + 1])
        raise UserError(f"--{override.name}: {where} is the value {inside!r}, it has no fields")
    return inside


def _set(here: Any, key: str, override: Override) -> None:
    if isinstance(here, list):
        here[_index(here, key, override)] = override.value
    else:
        here[key] = override.value


def _index(items: list[Any], key: str, override: Override) -> int:
    """The position that ``key`` means: a number from 0, or the ``name`` of an entry."""
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
