"""Names of the record files that a harvest writes and a training run reads. Each holds JSON lines of one class."""

from search.data import PreferencePair, StepLabels, Trajectory

TRAJECTORIES = "trajectories.jsonl"  # Trajectory: solutions to imitate
PAIRS = "pairs.jsonl"  # PreferencePair
STEP_LABELS = "step_labels.jsonl"  # StepLabels
OUTCOMES = "outcomes.jsonl"  # Trajectory: correct and incorrect solutions

RECORD_TYPES: dict[str, type[Trajectory] | type[PreferencePair] | type[StepLabels]] = {
    TRAJECTORIES: Trajectory,
    PAIRS: PreferencePair,
    STEP_LABELS: StepLabels,
    OUTCOMES: Trajectory,
}
