"""Hand environment variables of the driver to the processes of a run on a cluster, without a trace of their values.

Ray shows the variables of a runtime environment in its dashboard, its job API, `ray list actors` and its logs. These go
another way: each worker process of the run calls a function when it starts, which Ray keeps in pickled form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase

from actors.forwarded import set_forwarded

DEFAULT_NAMES = (
    "HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HF_HUB_*", "NCCL_*", "GLOO_*", "UCX_*", "FI_*", "WANDB_*", "MLFLOW_*",
    "AWS_*", "GOOGLE_APPLICATION_CREDENTIALS",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
)  # fmt: skip
HOOK = "worker_process_setup_hook"  # Ray's name of the function that a worker process calls when it starts


def select_variables(patterns: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables whose name is one of ``patterns``, in which ``*`` stands for any characters."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if value and any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def forwarding_hook(variables: Mapping[str, str]) -> dict[str, Callable[[], None]]:
    """Return the part of Ray's runtime environment that sets ``variables`` in every worker; empty without variables."""
    if not variables:
        return {}
    values = dict(variables)

    def forward_environment() -> None:
        set_forwarded(values)

    return {HOOK: forward_environment}
