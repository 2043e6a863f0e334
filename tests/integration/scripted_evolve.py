"""``raystar evolve`` with a scripted policy in place of vLLM: everything else is the program's own, Ray included.

Run as a script it takes the arguments of ``raystar``. Ray's workers import the engine from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from actors.config import EngineConfig
from actors.rpc.server import RpcServer
from search.data import Candidate, Finish, ModelRef, Proposal, Sampling
from search.formats.base import Piece
from search.formats.code_format import ANSWER, END_OF_ANSWER, END_OF_CODE, END_OF_OUTPUT, OUTPUT

DELAY_S = 0.05  # before each response, so that a search lasts long enough to be killed in the middle


class ScriptedPolicyEngine(RpcServer):
    """An engine whose programs print a number that the seed decides, and whose answer is what the program printed."""

    def __init__(self, model: ModelRef, config: EngineConfig, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    async def health(self) -> str:
        return self.name

    async def load(self, model: ModelRef) -> str:
        self.model = model
        return self.name

    async def stop(self) -> None:
        pass

    async def propose(
        self,
        pieces: Sequence[Piece],
        stops: tuple[str, ...],
        n: int,
        sampling: Sampling,
        seed: int,
        key: str,
        model: ModelRef | None = None,
    ) -> Proposal:
        await asyncio.sleep(DELAY_S)
        last = pieces[-1] if isinstance(pieces[-1], str) else pieces[-1][0]
        printed = last.strip().removeprefix(OUTPUT).removesuffix(END_OF_OUTPUT)
        candidates = []
        for number in range(1 if sampling.temperature == 0 else n):
            program = f"print({(seed + number) % 9}){END_OF_CODE}"
            answer = f"{ANSWER}\\boxed{{{printed}}}{END_OF_ANSWER}"
            candidates.append(Candidate(answer if stops == (END_OF_ANSWER,) else program, (1, 2, 3), Finish.STOP))
        return Proposal(tuple(candidates), 10, 0, self.model.version)


if __name__ == "__main__":
    from actors.engines import manager
    from cluster.cli import main
    from tests.integration import scripted_evolve

    manager.ENGINE_CLASSES["policy"] = scripted_evolve.ScriptedPolicyEngine  # type: ignore[index, assignment]
    raise SystemExit(main())
