"""``raystar label``: a person says of every step of a solution whether it is good."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from cluster.annotation.file import opened, read
from cluster.annotation.terminal import label, single_keys, summary

HELP = "label solutions step by step at the terminal; started again it goes on where it stopped"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="solutions in PRM800K's schema, from raystar select")
    parser.add_argument("--labeler", metavar="NAME", help="who labels, as the file keeps it (default: $USER)")
    parser.add_argument("--dry-run", action="store_true", help="say how far the file is and stop")


def run(args: argparse.Namespace) -> int:
    if args.dry_run:
        print(summary(read(args.file).sheets))
        return 0
    labeler = args.labeler or os.environ.get("USER", "unknown")
    with opened(args.file) as file, single_keys(sys.stdin) as keys:
        label(file, keys, Console(), labeler)
    return 0
