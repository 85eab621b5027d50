"""Whole answers of the broker in the shapes that were captured, with invented values: ``captured/*.json``.

Each file maps names to bodies. ``positions`` and ``quote token, delayed`` are names: what stands before the comma is
what was asked for. In ``errors.json`` a name has its status, and a body or the text of a page.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx

FOLDER: Final = Path(__file__).parent / "captured"


@cache
def _read(errors: bool) -> dict[str, Any]:
    files = [path for path in sorted(FOLDER.glob("*.json")) if (path.stem == "errors") is errors]
    return {name: body for path in files for name, body in json.loads(path.read_text(encoding="utf-8")).items()}


def names() -> tuple[str, ...]:
    return tuple(_read(False))


def errors() -> tuple[str, ...]:
    return tuple(_read(True))


def variants(asked: str) -> tuple[str, ...]:
    """Every capture of what was asked for."""
    return tuple(name for name in names() if name.partition(",")[0] == asked)


def body(name: str) -> Any:
    """The whole body, one's own to change."""
    return copy.deepcopy(_read(False)[name])


def items(name: str) -> list[Any]:
    found: list[Any] = body(name)["data"]["items"]
    return found


def error(name: str) -> httpx.Response:
    kept = _read(True)[name]
    if "text" in kept:
        return httpx.Response(kept["status"], text=kept["text"], headers={"content-type": "text/html"})
    return httpx.Response(kept["status"], json=kept["body"])
