"""RpcClient and RpcServer: responses, errors, cancellation, lost connections and the load of other callers."""

from __future__ import annotations

import asyncio
import pickle
import socket
from collections.abc import Callable
from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from actors.errors import ActorLost, PromptTooLong, RequestFailed, Unreachable
from actors.rpc import transport
from actors.rpc.client import RpcClient
from actors.rpc.messages import Load
from actors.rpc.server import CallerState, RpcServer
from actors.rpc.transport import CALLER, Address, Connection, connect, listen
from tests.fakes.ray_handle import ActorHandle, RemoteMethod


class Doubler(RpcServer):
    """Doubles numbers after as many hundredths of a second; records flush sizes and cancelled numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.flush_sizes: list[int] = []
        self.cancelled: list[int] = []

    async def double(self, number: int) -> int:
        try:
            await asyncio.sleep(number / 100)
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return 2 * number

    async def fail(self, error: Exception) -> None:
        raise error

    async def echo(self, value: object) -> object:
        return value

    def _flush(self, connection: Connection, caller: CallerState) -> None:
        self.flush_sizes.append(len(caller.responses))
        super()._flush(connection, caller)


class Unreadable:
    """Can be pickled, but not unpickled."""

    def __reduce__(self) -> Any:
        return (int, ("no number",))


async def test_calls_return_in_the_order_of_their_completion() -> None:
    client = RpcClient(ActorHandle(Doubler()))
    order: list[int] = []

    async def call(number: int) -> None:
        assert await client.call("double", number) == 2 * number
        order.append(number)

    await asyncio.gather(*(call(number) for number in (30, 0, 10, 20, 0)))
    assert order == [0, 0, 10, 20, 30]
    assert not any(caller.tasks for caller in client.actor.actor._callers.values())


async def test_call_returns_while_a_slower_one_is_pending() -> None:
    client = RpcClient(ActorHandle(Doubler()))
    slow = asyncio.ensure_future(client.call("double", 100))
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(client.call("double", 1), 0.5) == 2
    assert not slow.done()
    assert await slow == 200


async def test_error_is_raised_by_its_own_call_only() -> None:
    client = RpcClient(ActorHandle(Doubler()))
    fine = asyncio.ensure_future(client.call("double", 1))
    with pytest.raises(PromptTooLong, match="3000 tokens"):
        await client.call("fail", PromptTooLong("3000 tokens"))
    with pytest.raises(RequestFailed, match="KeyError: 'x'"):
        await client.call("fail", KeyError("x"))
    assert await fine == 2


async def test_unpicklable_request_fails_alone() -> None:
    client = RpcClient(ActorHandle(Doubler()))
    slow = asyncio.ensure_future(client.call("double", 10))
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        await client.call("echo", lambda: None)
    with pytest.raises(RequestFailed, match="ValueError: invalid literal"):
        await client.call("echo", Unreadable())
    with pytest.raises(RequestFailed, match="has no attribute 'sing'"):
        await client.call("sing")
    assert await slow == 20


async def test_unreadable_response_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Doubler()
    client = RpcClient(ActorHandle(server))
    monkeypatch.setattr(server, "fail", method_returning(Unreadable()))
    with pytest.raises(RequestFailed, match="the response cannot be read: ValueError"):
        await client.call("fail", 1)
    assert await client.call("echo", 4) == 4


def method_returning(value: object) -> Callable[..., Any]:
    async def method(*_: object) -> object:
        return value

    return method


async def test_cancelled_call_is_cancelled_in_the_actor() -> None:
    server = Doubler()
    client = RpcClient(ActorHandle(server))
    assert await client.call("double", 0) == 0
    sent, unsent = asyncio.ensure_future(client.call("double", 500)), asyncio.ensure_future(client.call("double", 600))
    unsent.cancel()
    await asyncio.sleep(0.05)
    sent.cancel()
    await asyncio.gather(sent, unsent, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert server.cancelled == [500]
    assert not any(caller.tasks for caller in server._callers.values())


async def test_late_call_times_out_and_is_cancelled_in_the_actor() -> None:
    server = Doubler()
    client = RpcClient(ActorHandle(server))
    assert await client.call("double", 1, timeout_s=5) == 2
    with pytest.raises(TimeoutError):
        await client.call("double", 500, timeout_s=0.1)
    await asyncio.sleep(0.05)
    assert server.cancelled == [500]


async def test_calls_fail_and_the_next_reconnects_when_the_actor_dies() -> None:
    remote = ActorHandle(Doubler())
    client = RpcClient(remote)
    waiting = [asyncio.ensure_future(client.call("double", 600 + number)) for number in range(3)]
    await asyncio.sleep(0.1)
    remote.die()
    errors = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in errors] == [ActorLost] * 3
    with pytest.raises(ActorDiedError):
        await client.call("double", 4)
    remote.is_dead = False
    assert await client.call("double", 4) == 8


async def test_restarted_actor_is_called_at_its_new_address() -> None:
    remote = ActorHandle(Doubler())
    client = RpcClient(remote)
    assert await client.call("double", 1) == 2
    first = await remote.actor.listen_address()
    remote.die()
    await asyncio.sleep(0.05)
    remote.actor, remote.is_dead = Doubler(), False
    assert await client.call("double", 2) == 4
    assert await remote.actor.listen_address() != first


async def test_requests_of_a_closed_client_are_cancelled() -> None:
    server = Doubler()
    client, other = RpcClient(ActorHandle(server)), RpcClient(ActorHandle(server))
    waiting = asyncio.ensure_future(client.call("double", 500))
    unaffected = asyncio.ensure_future(other.call("double", 30))
    await asyncio.sleep(0.1)
    client.close()
    with pytest.raises(ActorLost):
        await waiting
    await asyncio.sleep(0.05)
    assert server.cancelled == [500]
    assert len(server._callers) == 1
    assert await unaffected == 60


async def test_unreachable_actor_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = RpcClient(ActorHandle(Doubler()))
    client.actor.listen_address = RemoteMethod(
        client.actor, lambda: coroutine_of(Address("127.0.0.1", port, b"k" * 32))
    )
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{port} cannot be reached .*nodes must reach each other's ports"):
        await client.call("double", 1)


async def coroutine_of(address: Address) -> Address:
    return address


async def test_peer_without_the_key_is_refused() -> None:
    frames: list[bytes] = []
    server, address = await listen(lambda _, frame: frames.append(frame), lambda _: None)
    with pytest.raises(Unreachable, match="it does not know the actor's key"):
        await connect(Address(address.host, address.port, b"k" * 32), lambda *_: None, lambda _: None)
    connection = await connect(address, lambda *_: None, lambda _: None)
    connection.write([b"let me in"])
    await asyncio.sleep(0.05)
    assert frames == [b"let me in"]
    assert repr(address.key)[2:-1] not in repr(address)
    connection.close()
    server.close()


async def test_peer_that_echoes_the_handshake_is_refused() -> None:
    async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(mirror, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unreachable, match="closed the connection"):
        await connect(Address("127.0.0.1", port, b"k" * 32), lambda *_: None, lambda _: None)
    server.close()


async def test_silent_peer_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HANDSHAKE_S", 0.2)
    server, address = await listen(lambda *_: None, lambda _: None)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    assert len(await asyncio.wait_for(reader.read(), 5)) == transport.SECRET  # its nonce, and the end
    writer.close()
    server.close()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
async def test_frames_are_reassembled_from_pieces(piece: int) -> None:
    frames: list[bytes] = []
    connection = Connection(b"k" * 32, CALLER, lambda _, frame: frames.append(frame), lambda _: None)
    connection._is_authenticated = True
    sent = [b"", b"a", b"b" * 70_000, b"", b"c" * 3]
    stream = b"".join(transport.LENGTH.pack(len(frame)) + frame for frame in sent)
    for start in range(0, len(stream), piece):
        connection.data_received(stream[start : start + piece])
    assert frames == sent


async def test_two_clients_get_their_own_responses() -> None:
    server = Doubler()
    first, second = RpcClient(ActorHandle(server)), RpcClient(ActorHandle(server))
    answers = await asyncio.gather(
        *(client.call("double", number) for number in range(8) for client in (first, second)),
    )
    assert answers == [2 * number for number in range(8) for _ in range(2)]


async def test_simultaneous_responses_are_flushed_together() -> None:
    server = Doubler()
    client = RpcClient(ActorHandle(server))
    await asyncio.gather(*(client.call("echo", number) for number in range(200)))
    assert sum(server.flush_sizes) == 200
    assert len(server.flush_sizes) <= 2


async def test_load_of_other_callers_is_reported_when_it_changes() -> None:
    server, loads = Doubler(), []
    client, other = RpcClient(ActorHandle(server), loads.append), RpcClient(ActorHandle(server))
    assert await client.call("double", 1, size=2) == 2
    others = [asyncio.ensure_future(other.call("double", 300, size=size)) for size in (3, 4)]
    await asyncio.sleep(0.1)
    assert await client.call("double", 1) == 2
    await asyncio.gather(*others)
    for _ in range(2):  # the load is unchanged the second time
        assert await client.call("double", 1) == 2
    assert loads == [Load(), Load(7, 1), Load()]
