"""The stand-in itself: each request to its door, faults in between, and the process around it.

Sends are taken down in the log here and nowhere else, after they were judged and before a byte of the answer leaves.
"""

import asyncio
import random
import signal
import sys
from collections.abc import Callable

import orjson
import uvloop

from pushjobs.sandbox import doors, paths
from pushjobs.sandbox.answers import Refusal, refusal, refusal_content
from pushjobs.sandbox.callbacks import sent
from pushjobs.sandbox.connection import Connection, Reply, whole_answer
from pushjobs.sandbox.control import PREFIX, control
from pushjobs.sandbox.faults import FaultKind, Rule
from pushjobs.sandbox.options import SandboxOptions
from pushjobs.sandbox.received import Verdict
from pushjobs.sandbox.request import Request
from pushjobs.sandbox.send import judge_legacy_send, judge_subscribe_send, set_aside
from pushjobs.sandbox.world import World

__all__ = ["Sandbox", "serve"]

_HTML = b"text/html; charset=utf-8"
_PAGE = "<html><body>系统繁忙，请稍后再试</body></html>".encode()
_JUDGES = {paths.SUBSCRIBE_SEND: judge_subscribe_send, paths.LEGACY_SEND: judge_legacy_send}
_HARMLESS = frozenset({FaultKind.SLOW, FaultKind.EXPIRE_TOKENS})
_BACKLOG = 1024


class Sandbox:
    """Answers every request of one world."""

    def __init__(self, options: SandboxOptions) -> None:
        self.world = World(options)
        # Latency need not be unpredictable; seeded, a run repeats.
        self._chance = random.Random(0)  # noqa: S311 - jitter, no secret

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path.startswith(PREFIX):
            status, told = control(self.world, request)
            return Reply(data=whole_answer(orjson.dumps(told), status=status))
        rule = self._fault(request) if self.world.faults.rules else None
        if rule is not None and rule.kind is FaultKind.DROP_BEFORE_READ:
            self.world.received.dropped += 1
            return Reply(data=b"", closes=True)
        judge = _JUDGES.get(request.path)
        if judge is None:
            content = self._other(request, rule)
            reply = Reply(data=whole_answer(content))
        else:
            verdict = judge(self.world, request) if _is_carried_out(rule) else self._set_aside(request, rule)
            self.world.received.add(
                request, verdict, fault=rule.kind if rule else None, keep_body=self.world.settings.keep_bodies
            )
            content = verdict.content
            self._push_receipt(verdict)
            reply = Reply(data=whole_answer(content), holds=verdict.holds, touser=verdict.touser)
        if b"rid: " in content:
            self.world.past_requests.note(request, content, self._appid(request))
        self._delay(reply)
        if rule is not None:
            _spoil(reply, rule)
        return reply

    def _push_receipt(self, verdict: Verdict) -> None:
        settings = self.world.settings
        if settings.callback_url is not None and verdict.msgid:
            event = sent(verdict.appid, verdict.touser, verdict.template_id, verdict.msgid, settings.callback_errcode)
            self.world.callbacks.push(event, settings)

    def _fault(self, request: Request) -> Rule | None:
        appid = self._appid(request)
        rule = self.world.faults.pick(request, appid)
        if rule is not None and rule.kind is FaultKind.EXPIRE_TOKENS:
            self.world.tokens.expire(appid, request.arrived_at)
        return rule

    def _appid(self, request: Request) -> str:
        app = self.world.app_of(request.query.get("access_token"), request.arrived_at)
        if not isinstance(app, Refusal):
            return app.appid
        return str(request.query.get("appid") or request.message.get("appid", ""))

    def _set_aside(self, request: Request, rule: Rule | None) -> Verdict:
        return set_aside(request, self._appid(request), _ordered_refusal(rule))

    def _other(self, request: Request, rule: Rule | None) -> bytes:
        if _is_carried_out(rule):
            return doors.answer(self.world, request)
        refused = _ordered_refusal(rule)
        return refusal_content(refused, request.arrived_at) if refused else b""

    def _delay(self, reply: Reply) -> None:
        settings = self.world.settings
        if settings.latency_ms or settings.jitter_ms:
            reply.delay = (settings.latency_ms + settings.jitter_ms * self._chance.random()) / 1000


def _is_carried_out(rule: Rule | None) -> bool:
    if rule is None or rule.kind in _HARMLESS:
        return True
    return rule.accepted and rule.kind is not FaultKind.ERRCODE


def _ordered_refusal(rule: Rule | None) -> Refusal | None:
    return refusal(rule.errcode) if rule is not None and rule.kind is FaultKind.ERRCODE else None


def _spoil(reply: Reply, rule: Rule) -> None:
    match rule.kind:
        case FaultKind.SLOW:
            reply.delay += rule.seconds
        case FaultKind.HTTP:
            reply.data = whole_answer(_PAGE, status=rule.status, content_type=_HTML)
        case FaultKind.NOT_JSON:
            reply.data = whole_answer(_PAGE, content_type=_HTML)
        case FaultKind.DROP_AFTER_READ:
            reply.data, reply.closes = b"", True
        case FaultKind.HALF_ANSWER:
            head, blank, content = reply.data.partition(b"\r\n\r\n")
            reply.data, reply.closes = head + blank + content[: len(content) // 2], True
        case _:
            pass


def serve(options: SandboxOptions, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Once listening it calls `ready` with its base URL, or prints it as a JSON line."""
    uvloop.run(_serve(options, ready or _announce))


async def _serve(options: SandboxOptions, ready: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    sandbox = Sandbox(options)
    pushing = asyncio.create_task(sandbox.world.callbacks.run())
    server = await loop.create_server(
        lambda: Connection(sandbox.answer, loop), options.host, options.port, backlog=_BACKLOG
    )
    port = server.sockets[0].getsockname()[1]
    ready(f"http://{options.host}:{port}")
    await stop.wait()
    server.close()
    pushing.cancel()


def _announce(base_url: str) -> None:
    sys.stdout.write(orjson.dumps({"base_url": base_url, "port": int(base_url.rpartition(":")[2])}).decode() + "\n")
    sys.stdout.flush()
