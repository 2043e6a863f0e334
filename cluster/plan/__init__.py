"""What a command would do and cost, said before anything starts (``--dry-run``)."""
