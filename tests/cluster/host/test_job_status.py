"""The status message of a submitted job: written when it has changed, and never the end of a run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cluster.host import job_status, ray_session
from cluster.host.job_status import MAX_MESSAGE, shown_in_dashboard, submission_id

ROOT = Path(__file__).resolve().parents[3]


class Jobs:
    """The table of the jobs: keeps the messages, or refuses them all."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.written: list[tuple[str, str]] = []
        self.called = threading.Event()

    async def write(self, submission: str, message: str) -> None:
        self.written.append((submission, message))
        self.called.set()
        if self.refuses:
            raise ConnectionError("the head is gone")


def submit(monkeypatch: pytest.MonkeyPatch, jobs: Jobs) -> None:
    """Make this process the driver of a submitted job."""
    monkeypatch.setenv(ray_session.JOB_CONFIG, json.dumps({"metadata": {"job_submission_id": "raysubmit_7"}}))
    monkeypatch.setattr(job_status, "_write", jobs.write)


def test_only_a_submitted_job_has_a_submission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ray_session.JOB_CONFIG, raising=False)
    assert submission_id() is None
    monkeypatch.setenv(ray_session.JOB_CONFIG, json.dumps({"runtime_env": {}}))
    assert submission_id() is None
    submit(monkeypatch, Jobs())
    assert submission_id() == "raysubmit_7"


def test_driver_that_joined_writes_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ray_session.JOB_CONFIG, raising=False)
    threads = threading.active_count()
    with shown_in_dashboard(lambda: "round 1", interval_s=0.001):
        assert threading.active_count() == threads


def test_message_is_written_once_when_it_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, described = Jobs(), threading.Semaphore(0)
    submit(monkeypatch, jobs)
    lines = iter(["", "round 1: search: 3/40", "round 1: search: 3/40", "x" * 400])

    def describe() -> str:
        described.release()
        return next(lines, "x" * 400)

    with shown_in_dashboard(describe, interval_s=0.001):
        for _ in range(6):
            assert described.acquire(timeout=30)
    messages = [message for _, message in jobs.written]
    assert messages == ["round 1: search: 3/40", "x" * MAX_MESSAGE]
    assert {submission for submission, _ in jobs.written} == {"raysubmit_7"}


def test_run_goes_on_when_messages_are_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # also where another test has disabled logging
    jobs = Jobs(refuses=True)
    submit(monkeypatch, jobs)
    with shown_in_dashboard(lambda: "round 1", interval_s=0.001):
        assert jobs.called.wait(timeout=30)
    assert len(jobs.written) == 1
    assert "the status message of job raysubmit_7 is not renewed any more: the head is gone" in caplog.text


JOB = """
import time
import ray
from cluster.host.job_status import shown_in_dashboard
ray.init(log_to_driver=False)
with shown_in_dashboard(lambda: "round 1: search: 3/40", interval_s=0.5):
    time.sleep(120)
"""
DRIVER = """
import json, sys, time
import ray
from ray.job_submission import JobSubmissionClient, JobStatus
context = ray.init(address="local", num_cpus=1, include_dashboard=True, log_to_driver=False)
client = JobSubmissionClient(f"http://{context.dashboard_url}")
end = time.monotonic() + 100
job = None
while job is None:
    try:
        variables = {"env_vars": {"PYTHONPATH": sys.argv[2]}}
        job = client.submit_job(entrypoint=f"{sys.executable} {sys.argv[1]}", runtime_env=variables)
    except RuntimeError:  # no agent is ready yet
        assert time.monotonic() < end
        time.sleep(1)
while client.get_job_info(job).message != "round 1: search: 3/40" and time.monotonic() < end:
    time.sleep(0.5)
running = client.get_job_info(job)
client.stop_job(job)
while not client.get_job_status(job).is_terminal() and time.monotonic() < end:
    time.sleep(0.5)
print(json.dumps([running.status, running.message, client.get_job_status(job)]))
"""


@pytest.mark.slow
@pytest.mark.thorough
def test_submitted_job_shows_its_progress_and_can_be_stopped(tmp_path: Path) -> None:
    """Two processes: a Ray with its dashboard, and the job in it, which is stopped while it shows its progress."""
    job = tmp_path / "job.py"
    job.write_text(JOB)
    command = [sys.executable, "-c", DRIVER, str(job), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert json.loads(result.stdout.splitlines()[-1]) == ["RUNNING", "round 1: search: 3/40", "STOPPED"]
