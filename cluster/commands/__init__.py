"""The subcommands of ``raystar``, a module each: HELP, ``add_arguments(parser)`` and ``run(args) -> exit code``."""
