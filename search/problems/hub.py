"""Rows of data sets of the Hugging Face Hub. A Hub that cannot be reached is noticed within PROBE_S seconds."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from search.errors import UserError
from search.problems.rows import SourceRow

PROBE_S = 8.0  # a name server that does not answer takes longer than that to be given up by the system
REMEDY = "; name a file"  # at the end of what Unreachable says
BATCH = 1000  # rows that are turned into Python objects at once


class Unreachable(UserError):
    """A data set that is neither on a Hub that answers nor in the local cache."""


def hub_rows(name: str, subset: str | None, split: str) -> Iterator[SourceRow]:
    """Yield the rows of ``split``. UserError if there is no such set, subset or split; Unreachable if no Hub answers."""
    place = f"{name}[{split}]" if subset is None else f"{name}/{subset}[{split}]"
    try:
        # Imported here: it takes two seconds and half of all runs never touch such a set.
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
        from huggingface_hub import constants
    except ImportError as error:
        raise UserError(f"{place}: the package 'datasets' is not installed; install it or name a file") from error
    absence = None if Path(name).exists() else absence_of_hub(constants.ENDPOINT, constants.HF_HUB_OFFLINE)
    try:
        with _offline(absence is not None):
            rows = load_dataset(name, subset, split=split)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        reason = " ".join(str(error).split())[:200]
        if absence is not None or isinstance(error, ConnectionError | TimeoutError):
            raise Unreachable(f"{place}: {absence or reason}, and no copy is in the local cache{REMEDY}") from error
        raise UserError(
            f"{place}: cannot load this Hugging Face data set: {reason}; check name, subset and split, or name a file"
        ) from error
    number = 0
    for batch in rows.with_format("arrow").iter(batch_size=BATCH):  # as it is stored: images are not decoded
        for row in batch.to_pylist():
            yield SourceRow(f"{place} row {number}", row)
            number += 1


@cache
def absence_of_hub(endpoint: str, offline: bool) -> str | None:
    """Return why the Hub at ``endpoint`` cannot be used; None if it answers. ``offline``: the user has said so."""
    if offline:
        return "HF_HUB_OFFLINE is set"
    reasons: list[str | None] = []
    probe = threading.Thread(target=lambda: reasons.append(_probe(endpoint)), daemon=True)
    probe.start()
    probe.join(PROBE_S)
    reason = reasons[0] if reasons else f"no answer within {PROBE_S:g} s"
    return None if reason is None else f"{endpoint} cannot be reached ({reason})"


def _probe(endpoint: str) -> str | None:
    """Return what keeps a request from the Hub; None if it answers with anything, or if only its certificate is at fault."""
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PROBE_S):
            return None
    except urllib.error.HTTPError:
        return None
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, ssl.SSLError) else str(error.reason)
    except (OSError, ValueError, http.client.HTTPException) as error:  # the latter two: HF_ENDPOINT is no address
        return str(error)


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """Let the libraries read only their caches in the block, instead of trying for half a minute to reach the Hub."""
    import datasets
    from huggingface_hub import constants

    old = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    if offline:
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = old
