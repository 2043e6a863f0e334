"""Show a run's progress as the status message of its job, in Ray's dashboard and in ``ray job list``.

Ray has no public call by which a job may say how far it is, so its own client of the jobs' table is used. Only a job that was
submitted has a message; a driver that joined the cluster by an address has none.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from cluster.host.ray_session import job_config
from search.concurrency import run_in_background

INTERVAL_S = 10.0
SUBMISSION_ID = "job_submission_id"  # in the metadata there
MAX_MESSAGE = 300  # characters
logger = logging.getLogger(__name__)


def submission_id() -> str | None:
    """Return the id of the submitted job that this process is the driver of; None if it is none."""
    submission = (job_config(os.environ).get("metadata") or {}).get(SUBMISSION_ID)
    return str(submission) if submission else None


@contextmanager
def shown_in_dashboard(describe: Callable[[], str], interval_s: float = INTERVAL_S) -> Iterator[None]:
    """Write what ``describe`` returns into the job's status message while the block runs, whenever it has changed."""
    submission = submission_id()
    if submission is None:
        yield
        return
    with run_in_background("job status", partial(_report, submission, describe, interval_s), join_s=interval_s):
        yield


def _report(submission: str, describe: Callable[[], str], interval_s: float, stop: threading.Event) -> None:
    written = ""
    while not stop.wait(interval_s):
        message = describe()[:MAX_MESSAGE]
        if message and message != written:
            try:
                asyncio.run(_write(submission, message))
            except Exception as error:  # noqa: BLE001 a boundary: no run ends because its job's message is not renewed
                logger.warning("the status message of job %s is not renewed any more: %s", submission, error)
                return
            written = message


async def _write(submission: str, message: str) -> None:
    """Write the message of a job that is running."""
    import ray  # these take a second to import, and only submitted jobs need them
    from ray.dashboard.modules.job.common import JobInfoStorageClient
    from ray.job_submission import JobStatus

    client = JobInfoStorageClient(ray._private.worker.global_worker.gcs_client)
    if await client.get_status(submission) == JobStatus.RUNNING:
        await client.put_status(submission, JobStatus.RUNNING, message=message)
