"""Models by Hub name, directory or stage: resolved once to directories, checked, described."""
