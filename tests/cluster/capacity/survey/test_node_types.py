"""What an autoscaler may add is read from the file that its monitor was started with."""

from __future__ import annotations

from pathlib import Path

from cluster.capacity.survey.node_types import AutoscalerLimits, config_files, read_limits

CONFIG = {
    "max_workers": 6,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 8}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 64, "GPU": 8, "memory": 256 * 2**30}, "max_workers": 4},
        "cpu": {"resources": {"CPU": 16}},
        "unknown": {"node_config": {}, "max_workers": 1},
    },
}


def test_worker_types_are_read_with_their_limits() -> None:
    limits = read_limits(CONFIG)
    assert limits is not None and limits.max_workers == 6
    described = [(kind.name, kind.cpus, kind.gpus, kind.memory_gib, kind.max_count) for kind in limits.types]
    assert described == [("gpu", 64, 8, 256, 4), ("cpu", 16, 0, None, 6), ("unknown", 0, 0, None, 1)]


def test_config_of_something_else_declares_nothing() -> None:
    assert read_limits({"provider": {"type": "local"}}) is None
    assert read_limits({"available_node_types": {}}) == AutoscalerLimits(())


def test_monitor_of_the_same_head_names_the_file(tmp_path: Path) -> None:
    def process(number: int, *arguments: str) -> None:
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "cmdline").write_bytes("\0".join(arguments).encode())

    monitor = "/venv/ray/autoscaler/v2/monitor.py"
    process(1, "python", monitor, "--gcs-address=10.0.0.1:6379", "--autoscaling-config=/home/me/bootstrap.yaml")
    process(2, "python", monitor, "--gcs-address=10.0.0.1:7000", "--autoscaling-config=/other.yaml")
    process(3, "python", "train.py", "--gcs-address=10.0.0.1:6379", "--autoscaling-config=/third.yaml")
    process(4, "python", monitor, "--gcs-address=10.0.0.1:6379")
    (tmp_path / "5").mkdir()
    assert list(config_files("6379", tmp_path)) == [Path("/home/me/bootstrap.yaml")]
