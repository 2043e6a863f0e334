"""Fetch models of the Hugging Face Hub into its local cache.

A Hub that cannot be reached, or has no such model, is noticed within 20 s: PROBE_S for the first answer of all
(``search.problems.hub``), METADATA_S for the model's files. The download itself takes as long as it takes and shows its
progress. The cache (HF_HOME), the Hub (HF_ENDPOINT), HF_HUB_OFFLINE and HF_TOKEN are the Hub library's own.
"""

from __future__ import annotations

import glob
import sys
import threading
from pathlib import Path

import httpx2  # the Hub library's client, whose errors pass through it
from huggingface_hub import HfApi, constants, get_cached_repo_tree, snapshot_download
from huggingface_hub.errors import (
    CachedRepoTreeNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import REGEX_COMMIT_HASH
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import validate_repo_id

from cluster.models.snapshot import ModelUnavailable, Snapshot, needed_files
from search.errors import UserError
from search.problems.hub import absence_of_hub

METADATA_S = 7.0
HUB_ERRORS = (httpx2.HTTPError, OSError, ValueError)
UNAUTHORIZED = (401, 403)
COMMIT_SHOWN = 8  # characters of a commit in messages


def fetch(field: str, name: str, revision: str | None, *, weights: bool = True) -> Snapshot:
    """Return a model's snapshot, downloaded if it is not in the local cache. ``field`` names it in messages.

    ``revision``: branch, tag or commit; None is the Hub's main. A commit that is in the cache is not asked for again.
    Without ``weights`` only the small files are fetched. Raises UserError; ModelUnavailable where no Hub answers.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(f"{field}: {name} is no Hugging Face name: {_reason(error)}") from error
    if revision and REGEX_COMMIT_HASH.fullmatch(revision) and (cached := find_cached(name, revision, weights=weights)):
        return cached
    absence = absence_of_hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE)
    if absence is not None:
        return _from_cache(field, name, revision, absence, weights)
    _say(f"{field}: looking {name} up on {constants.ENDPOINT}")
    try:
        info = _model_info(name, revision)
    except RevisionNotFoundError as error:
        raise UserError(
            f"{field}: {name} has no revision {revision!r} on {constants.ENDPOINT}: give a branch, a tag or a commit"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"{field}: {constants.ENDPOINT} has no model {name}, or it is private or gated: check the name, or set "
            "HF_TOKEN to a token with access to it"
        ) from error
    except HUB_ERRORS as error:
        if isinstance(error, HfHubHTTPError) and error.response.status_code in UNAUTHORIZED:
            raise UserError(
                f"{field}: {constants.ENDPOINT} refuses access to {name}: set HF_TOKEN to a token that it accepts"
            ) from error
        return _from_cache(
            field, name, revision, f"{constants.ENDPOINT} gives no usable answer ({_reason(error)})", weights
        )
    return _download(field, name, revision, info, weights)


def find_cached(name: str, revision: str | None, *, weights: bool = True) -> Snapshot | None:
    """Return a model's snapshot in the local cache, None if it is not there or not complete. Asks no Hub."""
    try:
        listing = [file.path for file in get_cached_repo_tree(name, revision=revision)]
    except CachedRepoTreeNotFoundError:
        listing = []  # laid out by hand or by an older version of the library: taken as it is
    try:
        directory = snapshot_download(
            name, revision=revision, local_files_only=True, allow_patterns=_patterns(listing, weights)
        )
    except HUB_ERRORS:
        return None
    return Snapshot(directory=Path(directory), commit=Path(directory).name)


def _from_cache(field: str, name: str, revision: str | None, absence: str, weights: bool) -> Snapshot:
    """Return the cached snapshot, and say so; raise ModelUnavailable with the reason why the Hub is absent if none is."""
    cached = find_cached(name, revision, weights=weights)
    if cached is None:
        named = name if revision is None else f"{name}@{revision}"
        raise ModelUnavailable(
            f"{field}: {absence}, and {named} is not in the local cache ({constants.HF_HUB_CACHE}): "
            "give a model directory, or fetch it once where the Hub can be reached"
        )
    if not constants.HF_HUB_OFFLINE:
        _say(f"{field}: {absence}; {name} at {cached.commit[:COMMIT_SHOWN]} comes from the local cache")
    return cached


def _model_info(name: str, revision: str | None) -> ModelInfo:
    """Return what the Hub says about a model. Raises one of HUB_ERRORS, TimeoutError after METADATA_S.

    The client's own limit is one of each read; the thread bounds the whole.
    """
    outcomes: list[ModelInfo | Exception] = []

    def request() -> None:
        try:
            outcomes.append(HfApi().model_info(name, revision=revision, files_metadata=True, timeout=METADATA_S))
        except HUB_ERRORS as error:
            outcomes.append(error)

    thread = threading.Thread(target=request, name="model_info", daemon=True)
    thread.start()
    thread.join(METADATA_S)
    outcome = outcomes[0] if outcomes else TimeoutError(f"nothing within {METADATA_S:g} s")
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _download(field: str, name: str, revision: str | None, info: ModelInfo, weights: bool) -> Snapshot:
    """Download what the cache lacks of a model's needed files and return the snapshot. Raises UserError."""
    sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
    files = needed_files(sizes, weights=weights)
    elements = {
        str(key): int(value) for key, value in (info.safetensors.parameters if info.safetensors else {}).items()
    }
    if info.sha and (cached := find_cached(name, info.sha, weights=weights)) and _holds(cached.directory, files):
        return Snapshot(directory=cached.directory, commit=cached.commit, elements=elements)
    size = sum(sizes[file] for file in files)
    _say(f"{field}: downloading {name} at {str(info.sha)[:COMMIT_SHOWN]}: {len(files)} files, {size / 1e9:.2f} GB")
    try:
        directory = snapshot_download(name, revision=revision, allow_patterns=[glob.escape(file) for file in files])
    except HfHubHTTPError as error:
        if error.response.status_code in UNAUTHORIZED:
            raise UserError(
                f"{field}: {name} is gated: accept its terms on {constants.ENDPOINT}/{name}, and set HF_TOKEN"
            ) from error
        raise UserError(
            f"{field}: the download of {name} broke off ({_reason(error)}): the same command resumes"
        ) from error
    except HUB_ERRORS as error:
        raise UserError(
            f"{field}: the download of {name} broke off ({_reason(error)}): the same command resumes"
        ) from error
    return Snapshot(directory=Path(directory), commit=Path(directory).name, elements=elements)


def _patterns(listing: list[str], weights: bool) -> list[str] | None:
    """Return patterns that match the needed files of a listing; None, which matches all, without a listing."""
    return [glob.escape(file) for file in needed_files(listing, weights=weights)] if listing else None


def _holds(directory: Path, files: list[str]) -> bool:
    return all((directory / file).is_file() for file in files)


def _reason(error: Exception) -> str:
    """Return the first line of an error, shortened."""
    return str(error).strip().partition("\n")[0][:160] or type(error).__name__


def _say(text: str) -> None:
    print(f"raystar: {text}", file=sys.stderr, flush=True)
