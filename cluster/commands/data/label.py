"""``raystar label``: let a person label the steps of solutions in the terminal."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from cluster.annotation.file import open_exclusive, read_label_file
from cluster.annotation.terminal import key_reader, label, summary

HELP = "label solutions step by step in the terminal; the same command resumes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="solutions in PRM800K's schema, from raystar select")
    parser.add_argument("--labeler", metavar="NAME", help="who labels, as a field of the file (default: $USER)")
    parser.add_argument("--dry-run", action="store_true", help="print how much of the file is labelled and stop")


def run(args: argparse.Namespace) -> int:
    if args.dry_run:
        print(summary(read_label_file(args.file).solutions))
        return 0
    labeler = args.labeler or os.environ.get("USER", "unknown")
    with open_exclusive(args.file) as file, key_reader(sys.stdin) as keys:
        label(file, keys, Console(), labeler)
    return 0
