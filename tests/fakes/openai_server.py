"""A server with OpenAI's completions and chat APIs on this machine, scripted: what it writes, refuses and how it fails."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
Write = Callable[[Body], list[str]]  # a request's body to texts, one for each of its n choices, not cut yet
TOKENS_PER_MESSAGE = 4  # its begin and its end; the begin of a new turn takes as many


@dataclass(frozen=True, slots=True)
class Failure:
    """A response that is no answer."""

    status: int
    message: str = "scripted failure"
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None


def echo_nothing(body: Body) -> list[str]:
    """Write "ok" as every choice."""
    return ["ok"] * body.get("n", 1)


@dataclass
class ScriptedServer:
    """What the server does.

    ``apis``: "completions", "chat", and "continue" for a chat that heeds continue_final_message. ``refuses_unknown``: the
    fields that only vLLM has are refused, as OpenAI's own server does. ``names_stop``: responses have vLLM's field for the
    string that ended them. ``keeps_space``: the template keeps white space at the end of a message. ``key``: the only
    valid one. ``failures`` are the next responses. ``delay_s``: before every response. ``requests``: path and body of each.
    """

    write: Write = echo_nothing
    apis: frozenset[str] = frozenset({"completions", "chat", "continue"})
    names_stop: bool = True
    keeps_space: bool = True
    refuses_unknown: bool = False
    refuses_max_tokens: bool = False
    key: str | None = None
    delay_s: float = 0.0
    failures: deque[Failure] = field(default_factory=deque)
    requests: list[tuple[str, Body]] = field(default_factory=list)
    url: str = ""

    def respond(self, path: str, body: Body, key: str | None) -> tuple[int, Body, dict[str, str]]:
        """Return status, body and headers of the response to a request."""
        self.requests.append((path, body))
        time.sleep(self.delay_s)
        if self.key is not None and key != f"Bearer {self.key}":
            return refusal(Failure(401, f"Incorrect API key provided: {key}"))
        if self.failures:
            return refusal(self.failures.popleft())
        is_chat = path.endswith("/chat/completions")
        if ("chat" if is_chat else "completions") not in self.apis:
            return refusal(Failure(404, "Not Found"))
        if self.refuses_unknown and {"continue_final_message", "top_k"} & body.keys():
            return refusal(Failure(400, "Unrecognized request argument supplied: continue_final_message"))
        if self.refuses_max_tokens and "max_tokens" in body:
            return refusal(Failure(400, "Unsupported parameter: use 'max_completion_tokens' instead"))
        prompt = self.chat_tokens(body) if is_chat else len(prompt_words(body["prompt"]))
        choices = [self.choice(index, text, body, is_chat) for index, text in enumerate(self.write(body))]
        generated = sum(choice.pop("tokens") for choice in choices)
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": generated,
            "total_tokens": prompt + generated,
            "prompt_tokens_details": {"cached_tokens": prompt // 2},
        }
        kind = "chat.completion" if is_chat else "text_completion"
        return 200, {"id": "1", "object": kind, "created": 0, "model": "m", "choices": choices, "usage": usage}, {}

    def chat_tokens(self, body: Body) -> int:
        """Return the tokens of a chat's prompt: words, message ends, and blank lines where they are kept."""
        total = sum(len(message["content"].split()) + TOKENS_PER_MESSAGE for message in body["messages"])
        if self.keeps_space:
            total += sum(message["content"].endswith("\n\n") for message in body["messages"])
        is_continued = "continue" in self.apis and body.get("continue_final_message")
        return total - 2 if is_continued else total + TOKENS_PER_MESSAGE

    def choice(self, index: int, text: str, body: Body, is_chat: bool) -> Body:
        """Return a choice, its text cut before the first stop string and at the token limit."""
        stops = [stop for stop in body.get("stop", ()) if stop in text]
        stop = min(stops, key=text.index) if stops else None
        kept = text[: text.index(stop)] if stop is not None else text
        limit = body.get("max_tokens", body.get("max_completion_tokens", 16))
        words = kept.split(" ")
        reason = "length" if len(words) > limit else "stop"
        kept = " ".join(words[:limit])
        choice: Body = {"index": index, "finish_reason": reason, "logprobs": None, "tokens": min(len(words), limit)}
        if self.names_stop:
            choice["stop_reason"] = stop if reason == "stop" else None
        content: Body = {"message": {"role": "assistant", "content": kept}} if is_chat else {"text": kept}
        return choice | content


def prompt_words(prompt: str | list[int]) -> list[Any]:
    """Return the tokens of a prompt: ids as they are, a text's words."""
    return prompt if isinstance(prompt, list) else prompt.split()


def refusal(failure: Failure) -> tuple[int, Body, dict[str, str]]:
    """Return the response that a failure is."""
    error = {"message": failure.message, "type": "scripted", "code": failure.code}
    return failure.status, {"error": error}, failure.headers


@contextmanager
def serving(script: ScriptedServer) -> Iterator[ScriptedServer]:
    """Run the server on a free port of this machine; its address is ``script.url``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content, headers = script.respond(self.path, body, self.headers.get("Authorization"))
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json",
                "Content-Length": str(len(data)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
