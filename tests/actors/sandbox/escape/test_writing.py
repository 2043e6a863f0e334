"""Writing anywhere but scratch, and more of it than there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actors.sandbox.client.executor import LocalExecutor
from search.data import Outcome
from tests.actors.sandbox.escape.attempts import attempt, strict_only, unharmed, without_line

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_writing_outside_scratch_is_refused(executor: LocalExecutor, tmp_path: Path) -> None:
    targets = [tmp_path / "x", Path("/tmp/raystar-escape"), Path("/dev/shm/raystar-escape"), Path(os.__file__)]
    for target in targets:
        before = target.stat().st_mtime_ns if target.exists() else None
        code = f"open({str(target)!r}, 'a').write('x'); print('ESCAPED')"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
        assert (target.stat().st_mtime_ns if target.exists() else None) == before
    assert (await attempt(executor, "open('../x', 'w'); print('ESCAPED')")).outcome is Outcome.FORBIDDEN


async def test_metadata_changes_and_special_files_are_refused(executor: LocalExecutor, secret_file: Path) -> None:
    path = str(secret_file)
    calls = [
        "chmod(p, 0)",
        "unlink(p)",
        "rename(p, 'x')",
        "truncate(p, 0)",
        "utime(p)",
        "link(p, 'x')",
        "chown(p, 1, 1)",
    ]
    calls += [
        "mkdir('d')",
        "mkfifo('f')",
        "mknod('n')",
        "open(p, os.O_RDONLY | os.O_TRUNC)",
        "setxattr(p, 'user.a', b'')",
    ]
    for call in calls:
        assert (
            await attempt(executor, f"import os; p = {path!r}; os.{call}; print('ESCAPED')")
        ).outcome is not Outcome.OK
    assert unharmed(secret_file)


async def test_scratch_is_empty_writable_and_vanishes(executor: LocalExecutor) -> None:
    strict_only(executor)
    code = (
        "import os; print(os.listdir('.')); open('note', 'w').write('x'); print(os.listdir('.'), open('note').read())"
    )
    first = await attempt(executor, code)
    assert (first.outcome, first.output) == (Outcome.OK, "[]\n['note'] x\n")
    assert (await attempt(executor, code + " # again")).output == first.output


async def test_files_of_a_step_are_visible_to_its_later_steps(executor: LocalExecutor) -> None:
    strict_only(executor)
    result = await attempt(
        executor, "print(open('note').read())", prefix=("f = open('note', 'w'); _ = f.write('mine'); f.close()",)
    )
    assert (result.outcome, result.output) == (Outcome.OK, "mine\n")


async def test_filling_scratch_is_refused(executor: LocalExecutor) -> None:
    strict_only(executor)
    many = "for i in range(10 ** 6): open(str(i), 'w').close()"
    assert without_line(await attempt(executor, many)) == "OSError: [Errno 28] No space left on device: '16'"
    large = "f = open('a', 'wb')\nwhile True: f.write(b'a' * 65536)"
    assert without_line(await attempt(executor, large)) == "OSError: [Errno 27] File too large"
    sparse = "f = open('a', 'wb'); f.seek(10 ** 12); f.write(b'a'); f.flush(); print('ESCAPED')"
    assert without_line(await attempt(executor, sparse)) == "OSError: [Errno 27] File too large"
    cut = "f = open('a', 'wb'); f.truncate(10 ** 12); print('ESCAPED')"
    assert without_line(await attempt(executor, cut)) == "OSError: [Errno 27] File too large"


async def test_links_out_of_scratch_are_refused(executor: LocalExecutor, secret_file: Path) -> None:
    for name in ("symlink", "link"):
        code = f"import os; os.{name}({str(secret_file)!r}, 'l'); print('ESCAPED', open('l').read())"
        assert (await attempt(executor, code)).outcome is Outcome.FORBIDDEN
