"""``raystar export``: write a model as a directory that others can use, and push it to the Hub on request."""

from __future__ import annotations

import argparse
from pathlib import Path

from cluster.models.resolve import resolve
from search.errors import UserError

HELP = "write a model with its prompt, stops and card as a directory that others can use; push it to the Hub on request"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="model: directory, stage of a run (runs/NAME/rounds/rN/train_policy) or Hub name"
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="directory to write; new, or empty")
    parser.add_argument("--push-to-hub", metavar="OWNER/NAME", help="create this repository, or add a commit to it")
    parser.add_argument("--private", action="store_true", help="create the repository as a private one")
    parser.add_argument(
        "--license", metavar="ID", help="licence of the model on its card, such as apache-2.0 (default: not stated)"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the model card and stop")


def run(args: argparse.Namespace) -> int:
    if args.private and args.push_to_hub is None:
        raise UserError("--private: nothing is pushed: give --push-to-hub, or leave it out")
    target = args.directory.expanduser().absolute()
    # Heavy: the tokenizer's library.
    from cluster.export import hub
    from cluster.export.write import check_target, plan_export, write_export

    check_target(target)
    model = resolve("MODEL", args.model)
    account = hub.check_access(args.push_to_hub) if args.push_to_hub else None
    name = args.push_to_hub or target.name
    export = plan_export(model.directory, name, args.license, hub_name=model.name, commit=model.commit)
    if args.dry_run:
        print(export.card)
        return 0
    write_export(export, target)
    print(f"{model.describe()} is in {target}: README.md says how to prompt it")
    if account is not None:
        url, is_new = hub.push(target, args.push_to_hub, private=args.private, message="Export by RayStar")
        print(f"pushed as {account} to {'the new' if is_new else 'the existing'} repository {args.push_to_hub}: {url}")
    return 0
