"""Runs an element-wise kernel over broadcast arrays in pieces that stay in the processor's cache.

A pricing formula takes some eighty passes over its arrays. Over a million options each pass would wait for memory;
over a few thousand it does not. The pieces are consecutive, so results do not depend on how the input was split.

It refuses to guess: an operand that cannot be read as float64 (or as bool, for the call flag) raises TypeError, and
shapes that do not broadcast raise ValueError, both from numpy.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

BLOCK = 10240
"""Elements in one piece, as 256 minutes of 40 strikes: at 80 KiB an array the work fits a second-level cache."""


def blockwise(
    kernel: Callable[..., None],
    inputs: Sequence[npt.ArrayLike],
    *,
    outputs: int = 1,
    flags: Sequence[int] = (),
    work: int = 0,
) -> tuple[FloatArray, ...]:
    """Call `kernel(*pieces_in, *pieces_out)` piece by piece; return `outputs` float64 arrays of the broadcast shape.

    `flags` are the positions in `inputs` that are booleans; every other input is read as float64. The kernel gets
    one-dimensional arrays of equal length, must not write to its inputs and must fill its outputs. With `work` it gets
    one more argument, [work, length], to scribble on: fresh arrays cost more than the sums in them. Floating-point
    warnings are off inside: the kernels here meet infinities on purpose, and answer NaN where there is no price.
    """
    arrays: list[npt.NDArray[np.generic] | None] = [np.asarray(x) for x in inputs]
    dtypes: list[type[np.generic]] = [np.bool_ if i in flags else np.float64 for i in range(len(arrays))]
    roles: list[list[Literal["readonly", "writeonly", "allocate"]]] = [["readonly"] for _ in arrays]
    roles += [["writeonly", "allocate"] for _ in range(outputs)]
    iterator = np.nditer(
        arrays + [None] * outputs,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=roles,
        op_dtypes=dtypes + [np.float64] * outputs,
        casting="safe",
        buffersize=BLOCK,
    )
    scratch = np.empty((work, min(BLOCK, iterator.itersize)))
    with iterator, np.errstate(all="ignore"):
        for pieces in iterator:
            if work:
                kernel(*pieces, scratch[:, : pieces[0].size])
            else:
                kernel(*pieces)
        return tuple(iterator.operands[len(arrays) :])
