"""The example that walks the whole way runs, in its order: in this process, and once as a program."""

from __future__ import annotations

import asyncio
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.stream_rig import Time
from tests.wire.emulated import sample
from tests.wire.link import linked, made

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "seed_flow.py"
STEPS = (
    "authenticated", "account", "balance", "positions", "trading status", "nested chain", "option", "future option",
    "quote by type", "quote by type", "DXLink", "DXLink", "DXLink", "Greeks", "Greeks", "dry run", "credit spread",
    "naked put", "live orders", "replaced", "cancelled", "order updates",
)  # fmt: skip


def told() -> list[str]:
    lines: list[str] = []

    async def main() -> None:
        time = Time()
        async with linked(made(time_of=time), time) as link:
            program: dict[str, Any] = runpy.run_path(str(EXAMPLE))
            more = {"now": time.now, "wall": link.wall, "sleep": time.sleep}
            wire = program["Wire"](link.rest, link.auth, link.emulator.dial, link.pass_, more)
            await program["flow"](wire, lines.append)

    asyncio.run(main())
    return lines


def steps_of(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line[:18].strip() for line in lines if line[:18].strip())


def test_as_a_program_it_starts_an_emulator_for_itself_and_walks_the_whole_way() -> None:
    """Some seven seconds, most of which it waits for the broker's published limits."""
    sample()  # the market is built once a home, not twice
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    # Its emulator has two accounts, as the command's.
    assert steps_of(lines) == (STEPS[0], "account", *STEPS[1:])
    assert lines[-1].endswith(" Cancelled")


def test_every_step_in_its_order() -> None:
    lines = told()
    steps = steps_of(lines)
    assert steps == STEPS
    by_step = {line[:18].strip(): line[18:] for line in lines}
    assert by_step["dry run"].endswith(": ok")
    assert "VIX (Index): bid None, ask None" in " ".join(lines)
    assert all("delta nan" not in line for line in lines)
    updates = lines[steps.index("order updates") + 1 :]
    order = by_step["cancelled"].partition(":")[0]
    assert updates[-1].strip() == f"order {order} Cancelled"
    assert sum("Filled" in line for line in updates) >= 3
