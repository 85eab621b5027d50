"""``tomking``: one word, then overrides.

This module dispatches and maps errors to exit codes. It imports nothing heavy.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from conf import console
from conf.words import HELP, LATER, WORDS, similar


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. ``console_scripts`` calls it without arguments."""
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args
    args = [a for a in args if a != "--debug"]
    if not args or args[0] in ("-h", "--help", "help"):
        console.out(HELP)
        return 0
    word, rest = args[0], args[1:]
    if word in ("--version", "version"):
        from importlib.metadata import version

        console.out(f"tomking {version('tomking')}")
        return 0
    if word in LATER:
        console.fail(f"tomking {word} is not there yet: {LATER[word]}")
        return 2
    if word not in WORDS:
        console.fail(f"tomking has no command {word!r}{similar(word, WORDS)}; `tomking --help` lists them")
        return 2
    if "--help" in rest or "-h" in rest:
        from conf.helps import help_of

        console.out(help_of(word, rest))
        return 0
    if debug:
        return _run(word, rest)
    from sim.model.errors import TomkingError

    try:
        return _run(word, rest)
    except TomkingError as error:
        if _came_of_ctrl_c(error):
            return _stopped()
        console.fail(" ".join(str(error).split()))
        return error.exit_code
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        console.fail(
            f"the system refused{where}: {error.strerror or error}; free the space or fix the rights and run again"
        )
        return 2
    except Exception as error:  # noqa: BLE001 - the last resort: a fault of ours is one line too
        import traceback
        from pathlib import Path

        if _came_of_ctrl_c(error):
            return _stopped()
        last = traceback.extract_tb(error.__traceback__)[-1]
        at = Path(last.filename)
        # Neither this program's, nor a library's: the user's own strategy.
        if not at.is_relative_to(Path(__file__).parents[1]) and f"python{sys.version_info.major}" not in str(at):
            console.fail(f"{at}:{last.lineno} in {last.name}: {type(error).__name__}: {error}; mend it there")
            return 2
        console.fail(
            f"a fault of this program ({type(error).__name__}: {error}); run it again with --debug and report it"
        )
        return 2


def _stopped() -> int:
    console.fail("stopped by Ctrl-C; nothing half-written was kept")
    return 130


def _came_of_ctrl_c(error: BaseException) -> bool:
    """Whether a library was interrupted, and what it tidied up then failed on the way: the error hides the key."""
    rest: list[BaseException | None] = [error]
    seen: set[int] = set()
    while rest:
        one = rest.pop()
        if isinstance(one, KeyboardInterrupt):
            return True
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            rest += [one.__cause__, one.__context__]
    return False


def _run(word: str, rest: list[str]) -> int:
    code: int = import_module(f"conf.{WORDS[word]}").command(rest)
    return code


def collect_rarely() -> None:
    """For a short process that allocates much and keeps most of it: the collector of cycles would look at all of it
    again and again."""
    gc.set_threshold(200_000, 50, 50)


def entry() -> None:
    """The installed script. Once everything is written there is nothing to take down piece by piece."""
    collect_rarely()
    code = main()
    console.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
