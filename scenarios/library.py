"""The scenarios that are there: those of ``scenarios/suite``, and a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from scenarios.scenario import Scenario, scenario_of
from sim.model.errors import ConfigError, similar
from sim.model.given import items, mapping

SUITE: Final = Path(__file__).parent / "suite"


def suite() -> dict[str, Scenario]:
    """All that ship, by name: the seed's seven first, then real days, then made ones. Read once a process."""
    return dict(_suite())


@cache
def _suite() -> Mapping[str, Scenario]:
    found: dict[str, Scenario] = {}
    for path in sorted(SUITE.glob("*.yaml")):
        found |= of_file(path)
    return found


def chosen(name: str) -> dict[str, Scenario]:
    """``all``, one name of the suite, or a YAML file of one's own. ConfigError for anything else."""
    if name.endswith((".yaml", ".yml")):
        return of_file(Path(name).expanduser())
    known = suite()
    if name == "all":
        return known
    found = next((each for each in known if each.lower() == name.lower()), None)
    if found is None:
        raise ConfigError(f"there is no scenario {name!r}{similar(name, known)}: `tomking scenario list` has them all")
    return {found: known[found]}


def book_of_file(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Positions to be held through the weather, as ``book`` of a scenario has them; also below ``book``."""
    node = read_yaml(path)
    rows = node.get("book") if isinstance(node, Mapping) else node
    found = items(str(path), rows, "a list of positions, like [{play: lt112, count: 2}]")
    if not found:
        raise ConfigError(f"{path} has no position: wanted a list like [{{play: lt112, count: 2}}]")
    return tuple(mapping(f"{path}[{i}]", each) for i, each in enumerate(found))


def of_file(path: Path) -> dict[str, Scenario]:
    """Scenarios by name, also below the seed's ``testScenarios``; or one, with its ``name``."""
    node = read_yaml(path)
    if not isinstance(node, Mapping) or not node:
        raise ConfigError(f"{path} has no scenario: wanted names, each with what is given and what is expected")
    named = mapping(str(path), node)
    if "testScenarios" in named:
        named = mapping("testScenarios", named["testScenarios"])
    if isinstance(named.get("name"), str) and not isinstance(named.get("given"), Mapping):
        one = {key: value for key, value in named.items() if key != "name"}
        return {named["name"]: scenario_of(named["name"], one)}
    return {str(name): scenario_of(str(name), value) for name, value in named.items()}


def read_yaml(path: Path) -> Any:
    """What a file holds. ConfigError where it cannot be read, is no YAML, or gives a key twice."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
        if (twice := _twice(yaml.compose(text, loader))) is not None:
            raise ConfigError(f"{path} line {twice.start_mark.line + 1}: {twice.value!r} is given twice: keep one")
        return yaml.load(text, loader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give the path of a YAML file, or a name") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None


def _twice(root: Any) -> Any:
    """A key below ``root`` that its mapping gives a second time; None where there is none."""
    waiting, met = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in met or isinstance(node.value, str):
            continue
        met.add(id(node))
        seen: set[str] = set()
        for each in node.value:
            key, value = each if isinstance(each, tuple) else (None, each)
            waiting.append(value)
            if key is None or not isinstance(key.value, str):
                continue
            if key.value in seen:
                return key
            seen.add(key.value)
    return None
