"""A config file and command-line overrides to a checked model, or one line that says where and what is wrong.

Knows YAML positions and how pydantic reports errors; knows no field of any config.
"""

from __future__ import annotations

import copy
import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cluster.config import overrides as command_line
from cluster.config.overrides import Override
from search.errors import UserError

Config = TypeVar("Config", bound=BaseModel)
Location = tuple[str, ...]
ALIKE = 0.75  # similarity of two keys from which one is taken for a misspelling of the other


def load(model: type[Config], path: Path, overrides: Sequence[Override] = ()) -> Config:
    """The config in ``path`` with ``overrides`` on top. Raises UserError with file, line, field, value and remedy."""
    tree, lines = _parse(path, _read(path))
    return check(model, tree, overrides, str(path), lines)


def check(
    model: type[Config],
    tree: dict[str, Any],
    overrides: Sequence[Override] = (),
    source: str = "command line",
    lines: Mapping[Location, int] | None = None,
) -> Config:
    """The config in ``tree`` with ``overrides`` on top; ``source`` and the ``lines`` of its keys are for the errors."""
    merged = command_line.apply(_with_defaults(model, tree, overrides), overrides)
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise UserError(_first(model, error, source, lines or {}, overrides)) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UserError(f"no config file {path}") from error
    except IsADirectoryError as error:
        raise UserError(f"{path} is a directory: a config is a YAML file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read config {path}: {error}") from error


def _parse(path: Path, text: str) -> tuple[dict[str, Any], dict[Location, int]]:
    """The tree of values, and the line (from 1) of every key in it."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        tree = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(tree, dict) or node is None:
        raise UserError(f"{path}: a config is a mapping of sections, this file holds {type(tree).__name__}")
    lines: dict[Location, int] = {}
    for location, line in _positions(node, ()):
        if location in lines:
            raise UserError(f"{path}:{line}: {'.'.join(location)} is given twice (first in line {lines[location]})")
        lines[location] = line
    return tree, lines


def _positions(node: yaml.Node, at: Location) -> Iterator[tuple[Location, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, str(key.value)), key.start_mark.line + 1
            yield from _positions(value, (*at, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, str(index)), value.start_mark.line + 1
            yield from _positions(value, (*at, str(index)))


def _first(
    model: type[BaseModel],
    error: ValidationError,
    source: str,
    lines: Mapping[Location, int],
    overrides: Sequence[Override],
) -> str:
    """The first error as one line; unknown keys go first, for they are the likeliest cause of the others."""
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first, others = errors[0], len(errors) - 1
    location = tuple(str(part) for part in first["loc"])
    more = f" (and {others} more)" if others else ""
    return f"{_origin(location, source, lines, overrides)}: {_what(model, first, location)}{more}"


def _origin(location: Location, source: str, lines: Mapping[Location, int], overrides: Sequence[Override]) -> str:
    for override in overrides:
        common = min(len(location), len(override.path))
        if common and location[:common] == override.path[:common]:
            return "command line"
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return f"{source}:{lines[location[:length]]}"
    return source


def _what(model: type[BaseModel], error: ErrorDetails, location: Location) -> str:
    name = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {name}{_nearest(model, location)}"
    if error["type"] == "missing":
        return f"{name} is missing: it has no default"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if not location:
        return message
    value = error.get("input")
    shown = "" if isinstance(value, dict | list | BaseModel) else f" = {value!r}"
    return f"{name}{shown} is not possible: {message}"


def _nearest(model: type[BaseModel], location: Location) -> str:
    """What was probably meant: a sibling spelled like it, or the same key in another section."""
    siblings = sorted({name for inside in models_at(model, location[:-1]) for name in inside.model_fields})
    elsewhere = [".".join(leaf.path) for leaf in leaves(model) if leaf.path[-1] == location[-1]]
    close = difflib.get_close_matches(location[-1], siblings, n=1, cutoff=0.5)
    alike = bool(close) and difflib.SequenceMatcher(None, location[-1], close[0]).ratio() >= ALIKE
    if close and (alike or not elsewhere):
        return f": did you mean {'.'.join((*location[:-1], close[0]))}?"
    if elsewhere:
        return f": did you mean {' or '.join(elsewhere[:2])}?"
    return f": known keys here are {', '.join(siblings)}" if siblings else ""


def _with_defaults(model: type[BaseModel], tree: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """``tree`` with the default of every list and mapping that an override reaches into and the file leaves out: to change
    one of its entries is not to drop the others."""
    filled = copy.deepcopy(tree)
    for override in overrides:
        _fill(model, filled, override.path)
    return filled


def _fill(model: type[BaseModel], here: dict[str, Any], path: Location) -> None:
    info = model.model_fields.get(path[0])
    if info is None or len(path) == 1:
        return
    default = info.get_default(call_default_factory=True)
    if path[0] not in here and isinstance(default, list | tuple | dict):
        here[path[0]] = _plain(default)
    elif isinstance(section := _optional(info.annotation), type) and issubclass(section, BaseModel):
        inside = here.setdefault(path[0], {})
        if isinstance(inside, dict):
            _fill(section, inside, path[1:])


def _plain(value: Any) -> Any:
    """Values, lists and mappings as a YAML file would hold them."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def models_at(model: type[BaseModel], location: Sequence[str]) -> list[type[BaseModel]]:
    """The models that may stand at ``location`` inside ``model`` (several where a field is a union)."""
    here = [model]
    for key in location:
        inside = [
            found
            for candidate in here
            if key in candidate.model_fields
            for found in _models(candidate.model_fields[key].annotation)
        ]
        here = inside or here  # an index in a list, a key in a mapping or a union's tag: still the same models
    return here


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field that holds a value. Items of a list stand under the path part "N", those of a mapping under "NAME"."""

    path: Location
    default: Any
    required: bool
    description: str
    owner: type[BaseModel]


def leaves(model: type[BaseModel], at: Location = (), instance: BaseModel | None = None) -> Iterator[Leaf]:
    """Every value below ``model``, in order; defaults are those of ``instance`` where it is given."""
    for name, info in model.model_fields.items():
        default = getattr(instance, name) if instance is not None else info.get_default(call_default_factory=True)
        inside = _models(info.annotation)
        if not inside:
            required = instance is None and info.is_required()
            yield Leaf((*at, name), None if required else default, required, info.description or "", model)
        parts = {list: ("N",), tuple: ("N",), dict: ("NAME",)}.get(typing.get_origin(_optional(info.annotation)), ())
        for found in inside:
            yield from leaves(found, (*at, name, *parts), default if isinstance(default, found) else None)


def _optional(annotation: Any) -> Any:
    """``X`` for ``X | None``, anything else as it is."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models that ``annotation`` mentions, through unions, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for part in typing.get_args(annotation):
        found += [inside for inside in _models(part) if inside not in found]
    return found
