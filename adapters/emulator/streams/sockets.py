"""A starlette WebSocket as ``Transport``, and a connection served over it. No protocol is known here, and no page of
another site is let in.

Serve with ``ws_per_message_deflate=False``: to compress each frame for each client costs more than all else together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from adapters.emulator.origins import foreign
from adapters.emulator.streams.stream_loop import broken
from adapters.tastytrade.transport import ABNORMAL, Closed, Transport

UNSUPPORTED: Final = 1003
POLICY: Final = 1008
UNSENDABLE: Final = frozenset({1005, 1006, 1015})
"""Codes that stand for a connection that ended without a close frame; no frame may hold them."""


class Socket:
    """The two methods over an accepted WebSocket."""

    __slots__ = ("_websocket",)

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError, OSError):
            # Starlette says RuntimeError of a send after the close.
            raise Closed(ABNORMAL) from None

    async def receive(self) -> str:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise Closed(message.get("code") or ABNORMAL, message.get("reason") or "")
        text = message.get("text")
        if not isinstance(text, str):
            raise Closed(UNSUPPORTED, "text frames only")
        return text


async def attend(websocket: WebSocket, serve: Callable[[Transport], Awaitable[Closed]]) -> None:
    """Accepts, serves to the end and closes. With a code that cannot be sent the connection is cut without a word; a
    page of another site is refused before it is one (403)."""
    if any(foreign(origin) for origin in websocket.headers.getlist("origin")):
        await websocket.close(POLICY, "The Origin is not of this machine")
        return
    await websocket.accept()
    try:
        over = await serve(Socket(websocket))
    except Exception as fault:  # noqa: BLE001 - whatever it is, the client is told that the connection is over
        over = broken(fault)
    gone = WebSocketState.DISCONNECTED
    if over.code in UNSENDABLE or gone in (websocket.client_state, websocket.application_state):
        return
    try:
        await websocket.close(over.code, over.reason)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return
