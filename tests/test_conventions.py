"""Check the conventions of CONTRIBUTING.md: names, prose, and the sizes of files, functions and folders."""

from __future__ import annotations

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("search", "train", "actors", "cluster")
MAX_FILE_LINES, MEDIAN_FILE_LINES, MAX_FUNCTION_LINES, MAX_FOLDER_ENTRIES, MAX_README_LINE = 350, 200, 70, 18, 120
MAX_TEST_NAME = 60

MODULES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
# Sentences about what a file knows or whose business something is: the import contracts say that.
METAPHOR = re.compile(r"\bKnows (no|nothing|the|what|how|which|files|trees|Ray|vLLM|neither|only)\b|\bbusiness\b")


def read(path: Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def identifiers(source: str) -> set[tuple[str, int]]:
    """Return every name in ``source`` with its line, keywords and string contents left out."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {(token.string, token.start[0]) for token in tokens if token.type == tokenize.NAME}


def parts(identifier: str) -> set[str]:
    """Split an identifier at underscores and capitals: ``SearchWorkerPool`` → search, worker, pool."""
    return {part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)}


def banned_words() -> tuple[dict[str, str], dict[str, str]]:
    """Return the banned parts and the banned whole identifiers, each with what to say instead."""
    banned: dict[str, dict[str, str]] = {"part": {}, "word": {}}
    for line in (ROOT / "tests" / "banned_words.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, word, instead = line.split(None, 2)
            banned[kind][word] = instead
    return banned["part"], banned["word"]


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks"])
def test_no_identifier_is_a_banned_word(package: str) -> None:
    banned_parts, banned_whole = banned_words()
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for identifier, line in identifiers(path.read_text(encoding="utf-8")):
            instead = banned_whole.get(identifier) or next(
                (banned_parts[part] for part in parts(identifier) if part in banned_parts), None
            )
            if instead:
                found.append(f"{path.relative_to(ROOT)}:{line}: {identifier}: say {instead}")
    assert found == []


def test_identifiers_are_split_into_their_words() -> None:
    assert parts("SearchWorkerPool") == {"search", "worker", "pool"}
    assert parts("_rpc_server") == {"rpc", "server"}
    assert parts("RPCServer") == {"rpc", "server"}


def test_docstrings_do_not_say_what_a_file_knows() -> None:
    found = []
    for path in MODULES:
        for number, line in enumerate(read(path).splitlines(), 1):
            if METAPHOR.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == []


def test_every_module_has_a_docstring_of_one_line() -> None:
    missing = []
    for path in MODULES:
        source = read(path)
        if source and not (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0].strip():
            missing.append(str(path))
    assert missing == []


def test_no_module_hides_one_of_the_standard_library() -> None:
    names = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    own = {path.stem for path in MODULES if path.name != "__init__.py"}
    assert own & sys.stdlib_module_names == set()
    assert names & {"utils", "helpers", "common", "misc"} == set()


def test_files_and_functions_are_short() -> None:
    lengths = {path: read(path).count("\n") for path in MODULES}
    assert {str(path): length for path, length in lengths.items() if length > MAX_FILE_LINES} == {}
    assert statistics.median(length for length in lengths.values() if length) <= MEDIAN_FILE_LINES
    long = []
    for path in [*MODULES, *TESTS]:
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long.append(f"{path}:{node.lineno} {node.name}: {lines} lines")
    assert long == []


def test_folders_have_room() -> None:
    folders = {path.parent for path in MODULES}
    entries = {
        str(folder): len([entry for entry in (ROOT / folder).iterdir() if entry.name != "__pycache__"])
        for folder in folders
    }
    assert {folder: count for folder, count in entries.items() if count > MAX_FOLDER_ENTRIES} == {}


def test_readme_fits_a_screen() -> None:
    lines = read(Path("README.md")).splitlines()
    assert [line for line in lines if len(line) > MAX_README_LINE] == []
    assert len(lines) <= 120


def test_test_names_are_short() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > MAX_TEST_NAME
    ]
    assert long == []


def test_tests_mirror_the_packages() -> None:
    """A test of a package lies in the folder of the same path, or in tests/integration, tests/fakes."""
    strays = []
    for path in TESTS:
        folder = path.relative_to("tests").parent
        is_test_of_package = path.name.startswith("test_") and bool(folder.parts) and folder.parts[0] in PACKAGES
        if is_test_of_package and folder.name != "escape" and not (ROOT / folder).is_dir():  # escape: the attack drill
            strays.append(str(path))
    assert strays == []


def test_documents_name_no_path_that_is_not_there() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("no git checkout")
    documents = [name for name in tracked if name.endswith(".md") and name not in ("docs/LOG.md", "CHANGELOG.md")]
    missing = [
        f"{name}: {path}"
        for name in documents
        for path in re.findall(
            r"(?<![\w./-])((?:search|train|actors|cluster|tests|benchmarks)/[\w/]+\.py)\b", read(Path(name))
        )
        if not (ROOT / path).exists()
    ]
    assert missing == []
