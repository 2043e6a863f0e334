"""Names of the record files that a harvest writes and a training run reads. Each holds JSON lines of one class."""

TRAJECTORIES = "trajectories.jsonl"  # Trajectory: solutions to imitate
PAIRS = "pairs.jsonl"  # PreferencePair
STEP_LABELS = "step_labels.jsonl"  # StepLabels
OUTCOMES = "outcomes.jsonl"  # Trajectory: correct and incorrect solutions
