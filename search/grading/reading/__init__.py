"""Read text into a kind of answer."""
