"""``raystar export``: write a model as a directory that others can use, and push it to the Hub on request."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from cluster.models.directory import CONFIG
from cluster.models.resolve import resolve
from search.errors import UserError
from search.reward_models import read_kind, recognise
from search.serialization import read_json_object

LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")  # as the Hub writes them
HELP = "write a model with its prompt, stops and card as a directory that others can use; push it to the Hub on request"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="model: directory, stage of a run (runs/NAME/rounds/rN/train_policy) or Hub name"
    )
    parser.add_argument("directory", metavar="DIR", help="directory to write; new, or empty")
    parser.add_argument("--push-to-hub", metavar="OWNER/NAME", help="create this repository, or add a commit to it")
    parser.add_argument("--private", action="store_true", help="create the repository as a private one")
    parser.add_argument(
        "--license", metavar="ID", help="licence of the model on its card, such as apache-2.0 (default: not stated)"
    )
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the model card and stop")


def run(args: argparse.Namespace) -> int:
    if args.private and args.push_to_hub is None:
        raise UserError("--private: nothing is pushed: give --push-to-hub, or leave it out")
    if not args.directory.strip():
        raise UserError("DIR: the name is empty: a new directory is needed")
    if args.license is not None and not LICENCE.fullmatch(args.license):
        raise UserError(
            f"--license: {args.license!r} is no identifier of a licence on the Hub, such as apache-2.0, mit or other"
        )
    target = Path(args.directory).expanduser().absolute()
    # Heavy: the tokenizer's library.
    from cluster.export import hub
    from cluster.export.write import check_target, plan_export, write_export

    check_target(target)
    model = resolve("MODEL", args.model)
    kind = recognise(read_json_object(model.directory / CONFIG), model.name, model.directory)
    if kind is not None and read_kind(model.directory) is None:
        raise UserError(
            f"MODEL: {model.describe()} is a reward model of the kind {kind} that RayStar did not train: publish it as its "
            "authors do"
        )
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
