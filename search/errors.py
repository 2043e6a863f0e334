"""The exception for errors that the user can mend: the command line prints it as one line and exits with code 2."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input. The message names what is wrong, where, and what is expected; nothing has been written yet."""
