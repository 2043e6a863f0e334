"""The one exception that means "the user can mend this": printed as one line, exit code 2."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input. The message says what is wrong, where, and what would be right; nothing has been written."""
