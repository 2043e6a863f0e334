"""Push a model directory to the Hugging Face Hub. The Hub is HF_ENDPOINT, the token HF_TOKEN or that of ``hf auth login``."""

from __future__ import annotations

from pathlib import Path

import httpx2  # the Hub library's client, whose errors pass through it
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

from cluster.models.resolve import HUB_NAME
from search.errors import UserError
from search.problems.hub import absence_of_hub

WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "*.bin", "*.bin.index.json")
OPTION = "--push-to-hub"
UNAUTHORIZED = (401, 403)


def check_access(name: str) -> str:
    """Return the account that the token belongs to. Raises UserError if ``name`` or the token will not do. Writes nothing."""
    match = HUB_NAME.fullmatch(name)
    if match is None or match["revision"]:
        raise UserError(f"{OPTION} {name}: a name on the Hub is needed, as OWNER/NAME")
    absence = absence_of_hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE)
    if absence is not None:
        raise UserError(f"{OPTION}: {absence}: leave it out, and push the directory later (hf upload {name} DIR)")
    try:
        return str(HfApi().whoami()["name"])
    except LocalTokenNotFoundError as error:
        raise UserError(f"{OPTION}: no token: set HF_TOKEN, or log in by hf auth login") from error
    except (httpx2.HTTPError, OSError) as error:
        raise UserError(f"{OPTION}: {constants.ENDPOINT} refuses the token ({_reason(error)}): set HF_TOKEN") from error


def push(directory: Path, name: str, *, private: bool, message: str) -> tuple[str, bool]:
    """Upload a directory as one commit of the repository ``name``. Return the commit's address, and whether it is new.

    A repository that exists gets a further commit: its old weights go, other files of the same name are replaced, and
    its history keeps them all. Raises UserError if the Hub refuses it; ``directory`` stays.
    """
    api = HfApi()
    try:
        is_new = not api.repo_exists(name)
        api.create_repo(name, private=private, exist_ok=True)
        commit = api.upload_folder(
            folder_path=directory,
            repo_id=name,
            commit_message=message,
            delete_patterns=None if is_new else list(WEIGHTS),
        )
    except (httpx2.HTTPError, OSError, ValueError, RuntimeError) as error:
        code = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        remedy = f"give a token that may write to {name}" if code in UNAUTHORIZED else "try again"
        raise UserError(
            f"{OPTION}: {constants.ENDPOINT} does not take {name} ({_reason(error)}): {remedy}; the model is complete in "
            f"{directory}: hf upload {name} {directory}"
        ) from error
    return str(commit.commit_url), is_new


def _reason(error: Exception) -> str:
    """Return an error as one short line."""
    return " ".join(str(error).split())[:160] or type(error).__name__
