"""Resolve what a user writes for a model, a Hub name, a directory or a stage of a run, to one absolute directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.models.directory import CONFIG, check_model, header_digest, weight_files
from cluster.models.snapshot import Snapshot
from search.errors import UserError

HUB_NAME = re.compile(r"(?P<name>[\w-][\w.-]*/[\w-][\w.-]*)(?:@(?P<revision>[\w./+-]+))?")
STAGE_MODEL = "model"  # directory of the model in a finished stage
STAGES = "rounds"  # directory of the stages in a run
WANTED = "a directory, a stage of a run, or a Hugging Face name (OWNER/NAME or OWNER/NAME@REVISION)"
COMMIT_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A model that a field or an option names, found once, before anything starts.

    Attributes:
        reference: what the user wrote.
        directory: absolute.
        commit: of a Hub name; None for a directory.
        header_digest: of config, tokenizer and the weight files' headers and sizes (``cluster.models.directory``).
        elements: numbers of parameters by type, as the Hub says, where the weights were not fetched.
    """

    reference: str
    directory: Path
    commit: str | None = None
    header_digest: str = ""
    elements: Mapping[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the Hub name without its revision, or the directory's name."""
        return self.directory.name if self.commit is None else self.reference.partition("@")[0]

    @property
    def pinned(self) -> str:
        """Return a reference that will name the same model later: NAME@COMMIT, or the directory."""
        return str(self.directory) if self.commit is None else f"{self.name}@{self.commit}"

    def describe(self) -> str:
        """Return the name with its commit, or the directory."""
        return str(self.directory) if self.commit is None else f"{self.name} at {self.commit[:COMMIT_SHOWN]}"

    def facts(self) -> dict[str, str | None]:
        """Return what the manifest keeps."""
        return {
            "reference": self.reference,
            "directory": str(self.directory),
            "commit": self.commit,
            "header_digest": self.header_digest,
        }


def resolve(option: str, reference: str, *, commit: str | None = None, weights: bool = True) -> ResolvedModel:
    """Return the model that ``reference`` names, fetched if need be and checked. Raises UserError, ModelUnavailable.

    ``option``: field or option that names it, for messages. ``commit``: of a run that is resumed, in place of what the
    name's branch is now. Without ``weights`` only a Hub model's small files are fetched, and a directory may lack them.
    """
    if not reference.strip():
        raise UserError(f"{option}: the name is empty: {WANTED} is needed")
    path = _expanded(Path(reference))
    hub_name = HUB_NAME.fullmatch(reference)
    if path.exists() or hub_name is None:
        directory = _model_directory(option, path.absolute(), reference)
        # Weights that lie here cost nothing to check.
        check_model(option, directory, weights=weights or bool(weight_files(directory)))
        return ResolvedModel(reference=reference, directory=directory, header_digest=header_digest(directory))
    snapshot = _fetch(option, hub_name["name"], commit or hub_name["revision"], weights)
    check_model(option, snapshot.directory, weights=weights)
    return ResolvedModel(
        reference=reference,
        directory=snapshot.directory.absolute(),
        commit=snapshot.commit,
        header_digest=header_digest(snapshot.directory),
        elements=snapshot.elements,
    )


def _expanded(path: Path) -> Path:
    """Return the path with ~ or ~USER replaced; as it is where there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _fetch(option: str, name: str, revision: str | None, weights: bool) -> Snapshot:
    # Imported here: the Hub's library takes half a second, and most runs name directories.
    from cluster.models import hub

    return hub.fetch(option, name, revision, weights=weights)


def _model_directory(option: str, path: Path, reference: str) -> Path:
    """Return the model directory that ``path`` is, or that the stage at ``path`` holds. Raises UserError."""
    if not path.exists():
        raise UserError(f"{option}: no model directory {' '.join(reference.split())}: {WANTED} is needed")
    if (path / CONFIG).is_file():
        return path
    if (path / STAGE_MODEL / CONFIG).is_file():
        return path / STAGE_MODEL
    if stages := sorted(file.parent.parent for file in (path / STAGES).glob(f"*/*/{STAGE_MODEL}/{CONFIG}")):
        raise UserError(
            f"{option}: {reference} is a run with {len(stages)} models: name the stage of one, such as {stages[-1]}"
        )
    return path
