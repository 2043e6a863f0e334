"""Policies behind an OpenAI-compatible server: its settings, what it accepts, and the client that searches call."""
