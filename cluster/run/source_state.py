"""Find out which commit of this project runs, and whether files differ from it.

A submitted job runs a copy without git's files. Its submitter names the commit in the job's metadata (``raystar commit``).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster.host.ray_session import job_config

COMMIT, DIRTY = "raystar_commit", "raystar_dirty"  # keys of the metadata of a job, whose values are text
IMAGE_COMMIT, DIRTY_SUFFIX = "RAYSTAR_COMMIT", "-dirty"  # variable of an image, and what follows the commit in it

SourceState = tuple[str | None, bool | None]


def source_state(directory: Path) -> SourceState:
    """Return the commit of the checkout at ``directory`` and whether files differ from it.

    Outside a checkout: as the metadata of the submitted job says that this process runs in, else as the image says that it
    was built from (deploy/docker); (None, None) without any.
    """
    for state in (git_state(directory), read_job_metadata(os.environ), read_image_commit(os.environ)):
        if state[0] is not None:
            return state
    return None, None


def git_state(directory: Path) -> SourceState:
    """Return the commit of the checkout at ``directory`` and whether files differ from it; (None, None) outside one."""
    commit = _git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    status = _git(directory, "status", "--porcelain")
    return commit.strip(), bool(status and status.strip())


def job_metadata(commit: str, dirty: bool) -> dict[str, str]:
    """Return what ``ray job submit --metadata-json`` takes with a job."""
    return {COMMIT: commit, DIRTY: str(dirty).lower()}


def read_job_metadata(environment: Mapping[str, str]) -> SourceState:
    """Return what ``job_metadata`` was given, by the environment of the job's driver; (None, None) if nothing was."""
    metadata = job_config(environment).get("metadata") or {}
    if COMMIT not in metadata:
        return None, None
    return str(metadata[COMMIT]), metadata.get(DIRTY) == "true"


def read_image_commit(environment: Mapping[str, str]) -> SourceState:
    """Return what the image of this process was built from, by the variable that deploy/docker sets; (None, None) outside."""
    commit = environment.get(IMAGE_COMMIT, "")
    return (commit.removesuffix(DIRTY_SUFFIX), commit.endswith(DIRTY_SUFFIX)) if commit else (None, None)


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", "-C", str(directory), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout
