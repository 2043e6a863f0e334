"""Load a config from a YAML file and command-line overrides. Errors are one line with file, line, field and remedy."""

from __future__ import annotations

import copy
import difflib
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cluster.config import overrides as command_line
from cluster.config.overrides import Override
from search.config import HIDDEN_VALUE
from search.errors import UserError

Config = TypeVar("Config", bound=BaseModel)
Location = tuple[str, ...]  # keys from the root of the config to a value, such as ("search", "rollouts")
# What pydantic puts behind the name of a field that takes values of several types.
VALUE_VARIANT = re.compile(r"(literal|str-enum)\[.*\]|(constrained-)?(int|float|str)|bool")
MISSPELLING_SIMILARITY = 0.75  # from this ratio on, one key counts as a misspelling of the other

Adjust = Callable[[dict[str, Any], Sequence[Override]], None]


def load_config(
    model: type[Config], path: Path, overrides: Sequence[Override] = (), adjust: Adjust | None = None
) -> Config:
    """Return the config in ``path`` with ``overrides`` on top. Raise UserError with file, line, field and remedy.

    ``adjust`` may change the file's tree of values before the overrides are applied.
    """
    tree, lines = _parse(path, _read(path))
    if adjust is not None:
        adjust(tree, overrides)
    return validate_config(model, tree, overrides, str(path), lines)


def validate_config(
    model: type[Config],
    tree: dict[str, Any],
    overrides: Sequence[Override] = (),
    source: str = "command line",
    lines: Mapping[Location, int] | None = None,
) -> Config:
    """Return the config in ``tree`` with ``overrides`` on top. Raise UserError with position, field and remedy.

    ``source`` and ``lines`` (of the keys in ``tree``, from 1) are for the error's position.
    """
    filled = _with_defaults(model, tree, overrides)
    _drop_options_of_other_variants(model, filled, overrides)
    merged = command_line.apply(filled, overrides)
    try:
        return model.model_validate(merged)
    except ValidationError as error:
        raise UserError(_describe_errors(model, error, source, lines or {}, overrides)) from error


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
    """Return the tree of values, and the line (from 1) of every key in it."""
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
    for location, line in _key_lines(node, ()):
        if location in lines:
            raise UserError(f"{path}:{line}: {'.'.join(location)} is given twice (first in line {lines[location]})")
        lines[location] = line
    return tree, lines


def _key_lines(node: yaml.Node, at: Location) -> Iterator[tuple[Location, int]]:
    """Yield every key and list index below ``node`` with its line (from 1)."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, str(key.value)), key.start_mark.line + 1
            yield from _key_lines(value, (*at, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, str(index)), value.start_mark.line + 1
            yield from _key_lines(value, (*at, str(index)))


def _describe_errors(
    model: type[BaseModel],
    error: ValidationError,
    source: str,
    lines: Mapping[Location, int],
    overrides: Sequence[Override],
) -> str:
    """Return the first error as one line. Unknown keys come first: they are the likeliest cause of the others."""
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = _joined_variants(errors)
    others = sum(error["loc"][: len(first["loc"])] != first["loc"] for error in errors)
    location = _without_tags(model, tuple(str(part) for part in first["loc"]))
    message = _describe_error(model, first, location) + (f" (and {others} more)" if others else "")
    place = location or tuple(re.split("[: ]", message)[0].split("."))  # such checks name it first
    return f"{_origin(place, source, lines, overrides)}: {message}"


def _joined_variants(errors: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the first error; of a value that is a number, say, or "auto", one error with the remedies of all variants."""
    first = errors[0]
    if not first["loc"] or not VALUE_VARIANT.fullmatch(str(first["loc"][-1])):
        return first
    place = first["loc"][:-1]
    messages = dict.fromkeys(error["msg"] for error in errors if error["loc"][:-1] == place)
    ask, *others = messages
    joined = " or ".join([ask, *(message.removeprefix("Input should be ") for message in others)])
    return ErrorDetails(type=first["type"], loc=place, input=first["input"], msg=joined)


def _origin(location: Location, source: str, lines: Mapping[Location, int], overrides: Sequence[Override]) -> str:
    """Return "command line" if an override set ``location``, else "FILE:LINE" of its nearest key."""
    for override in overrides:
        common = min(len(location), len(override.path))
        if common and location[:common] == override.path[:common]:
            return "command line"
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return f"{source}:{lines[location[:length]]}"
    return source


def _describe_error(model: type[BaseModel], error: ErrorDetails, location: Location) -> str:
    name = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"unknown key {name}{_suggest_key(model, location)}"
    if error["type"] == "missing":
        return f"{name} is missing: it has no default"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if not location:
        return message
    value = error.get("input")
    is_hidden = error["type"] == HIDDEN_VALUE or isinstance(value, dict | list | BaseModel)
    value_text = "" if is_hidden else f" = {value!r}"
    return f"{name}{value_text} is not possible: {message}"


def _suggest_key(model: type[BaseModel], location: Location) -> str:
    """Suggest a sibling spelled like the unknown key, the same key in another section, or list the siblings."""
    siblings = sorted({name for section in _models_at(model, location[:-1]) for name in section.model_fields})
    paths = dict.fromkeys(field.path for field in config_fields(model))  # variants of a union share paths
    elsewhere = [".".join(path) for path in paths if path[-1] == location[-1]]
    close = difflib.get_close_matches(location[-1], siblings, n=1, cutoff=0.5)
    is_misspelling = (
        bool(close) and difflib.SequenceMatcher(None, location[-1], close[0]).ratio() >= MISSPELLING_SIMILARITY
    )
    if close and (is_misspelling or not elsewhere):
        return f": did you mean {'.'.join((*location[:-1], close[0]))}?"
    if elsewhere:
        return f": did you mean {' or '.join(elsewhere[:2])}?"
    return f": known keys here are {', '.join(siblings)}" if siblings else ""


def _with_defaults(model: type[BaseModel], tree: dict[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Return ``tree`` with the default of every list and mapping that an override changes inside and the file omits.

    Without it, changing one entry would drop the other default entries.
    """
    filled = copy.deepcopy(tree)
    for override in overrides:
        _fill(model, filled, override.path)
    return filled


def _fill(model: type[BaseModel], tree: dict[str, Any], path: Location) -> None:
    info = model.model_fields.get(path[0])
    if info is None or len(path) == 1:
        return
    default = info.get_default(call_default_factory=True)
    if path[0] not in tree and isinstance(default, list | tuple | dict):
        tree[path[0]] = _plain(default)
    elif isinstance(section := _unwrap_optional(info.annotation), type) and issubclass(section, BaseModel):
        subtree = tree.setdefault(path[0], {})
        if isinstance(subtree, dict):
            _fill(section, subtree, path[1:])


def _plain(value: Any) -> Any:
    """Return values, lists and mappings as a YAML file would hold them."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _without_tags(model: type[BaseModel], location: Location) -> Location:
    """Return an error's location without the tags that pydantic puts behind the name of a union."""
    models, plain = [model], []
    for key in location:
        if len(models) > 1 and key in _tags(models):
            continue
        plain.append(key)
        nested = [section for parent in models if key in parent.model_fields for section in _field_models(parent, key)]
        models = nested or models
    return tuple(plain)


def _field_models(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    return _models_in(model.model_fields[name].annotation)


def _tag_field(models: Sequence[type[BaseModel]]) -> str | None:
    """Return the field that distinguishes the models of a union: a literal of its own in each."""
    if len(models) < 2:
        return None
    for name, info in models[0].model_fields.items():
        if typing.get_origin(info.annotation) is typing.Literal:
            values = [
                typing.get_args(model.model_fields[name].annotation) for model in models if name in model.model_fields
            ]
            if len(values) == len(models) == len(set(values)):
                return name
    return None


def _tags(models: Sequence[type[BaseModel]]) -> list[str]:
    """Return the tags of a union's models, empty if it has none."""
    field = _tag_field(models)
    return [typing.get_args(model.model_fields[field].annotation)[0] for model in models] if field else []


def _drop_options_of_other_variants(
    model: type[BaseModel], tree: dict[str, Any], overrides: Sequence[Override]
) -> None:
    """Where an override chooses another variant of a union, keep only the options that all variants share."""
    for override in overrides:
        *at, key = override.path
        variants = _models_at(model, at)
        section: Any = tree
        for part in at:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or len(variants) < 2 or key != _tag_field(variants):
            continue
        default = variants[0].model_fields[key].default
        if section.get(key, default) != override.value:
            shared = set.intersection(*(set(variant.model_fields) for variant in variants))
            for name in section.keys() - shared:
                del section[name]


def _models_at(model: type[BaseModel], location: Sequence[str]) -> list[type[BaseModel]]:
    """Return the models that ``location`` inside ``model`` may hold (several for a union)."""
    models = [model]
    for key in location:
        nested = [section for parent in models if key in parent.model_fields for section in _field_models(parent, key)]
        models = nested or models  # an index in a list, a key in a mapping or a union's tag: still the same models
    return models


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """A field that holds a value, not a section. ``owner`` is the model that declares it.

    ``path`` has "N" for the index of a list item and "NAME" for the key of a mapping's entry. ``variants`` are the tags of
    the variants of a union that have the field; empty if all have it.
    """

    path: Location
    default: Any
    required: bool
    description: str
    owner: type[BaseModel]
    variants: tuple[str, ...] = ()


def config_fields(
    model: type[BaseModel], at: Location = (), instance: BaseModel | None = None
) -> Iterator[ConfigField]:
    """Yield every field below ``model`` in order. Defaults come from ``instance`` if it is given."""
    for name, info in model.model_fields.items():
        default = getattr(instance, name) if instance is not None else info.get_default(call_default_factory=True)
        sections = _models_in(info.annotation)
        if not sections:
            required = instance is None and info.is_required()
            yield ConfigField(
                path=(*at, name),
                default=None if required else default,
                required=required,
                description=info.description or "",
                owner=model,
            )
        container = typing.get_origin(_unwrap_optional(info.annotation))
        item = {list: ("N",), tuple: ("N",), dict: ("NAME",)}.get(container, ())
        if _tag_field(sections):
            yield from _union_fields(sections, (*at, name, *item), default)
            continue
        for section in sections:
            yield from config_fields(section, (*at, name, *item), default if isinstance(default, section) else None)


def _union_fields(models: Sequence[type[BaseModel]], at: Location, instance: BaseModel | None) -> Iterator[ConfigField]:
    """Yield each field of a union's variants once, with the tags of those that have it under that description."""
    merged: dict[tuple[Location, str], ConfigField] = {}
    tag_field = (*at, str(_tag_field(models)))
    for tag, model in zip(_tags(models), models, strict=True):
        for field in config_fields(model, at, instance if isinstance(instance, model) else None):
            key = (field.path, "" if field.path == tag_field else field.description)
            if key in merged:
                merged[key] = replace(merged[key], variants=(*merged[key].variants, tag))
            else:
                merged[key] = replace(field, variants=(tag,))
    for field in merged.values():
        yield replace(field, variants=()) if len(field.variants) == len(models) else field


def _unwrap_optional(annotation: Any) -> Any:
    """Return ``X`` for ``X | None``, any other annotation unchanged."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [part for part in typing.get_args(annotation) if part is not type(None)]
        return inner[0] if len(inner) == 1 else annotation
    return annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the pydantic models in ``annotation``, through unions, lists and mappings."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    models: list[type[BaseModel]] = []
    for part in typing.get_args(annotation):
        models += [model for model in _models_in(part) if model not in models]
    return models
