"""Hydra, and nothing but: words of the command line in, one plain resolved configuration out.

A typo in a group, a key or a value becomes one ``ConfigError`` line. A strategy may be a file of the user's, and an
imported market is a choice of the group ``market`` without a file of its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from conf.words import similar
from sim.model.errors import ConfigError, UsageError

HERE = Path(__file__).parent


def home() -> Path:
    """Where data and caches live: ``TOMKING_HOME``, else ``~/.tomking``."""
    return Path(os.environ.get("TOMKING_HOME") or Path.home() / ".tomking").expanduser()


def compose(overrides: Sequence[str], config_dir: str | None = None) -> dict[str, Any]:
    """The composed configuration as plain dicts, lists and values, interpolations resolved.

    ConfigError (one line) for everything that Hydra would answer with many.
    """
    words = [_local_file(w) for w in overrides]
    for w in words:
        if w.startswith(("-", "=")) or "=" not in w:
            raise UsageError(f"{w!r} is neither an option nor an override: write group=choice or group.key=value")
        if re.match(r"[+~]*hydra(?=[./=@]|$)", w):
            raise UsageError(f"{w}: Hydra's own settings are not taken here; a run leaves its folder under runs/")
    _register_market(words)
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if config_dir is not None:
        path = Path(config_dir).expanduser().resolve()
        if not path.is_dir():
            raise UsageError(f"--config-dir {config_dir}: no such folder")
        words = [*words, f"hydra.searchpath=[file://{path}]"]
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(HERE), version_base="1.3"):
            composed = hydra_compose("config", words)
            plain = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_one_line(error, words, overrides)) from None
    assert isinstance(plain, dict), "the root of a configuration is a mapping"
    return {str(k): v for k, v in plain.items()}


def composed(words: Sequence[str]) -> dict[str, Any]:
    """What ``compose`` gives, for who composes many configurations that differ in plain values alone: groups are
    composed once for each choice of them, and the values put in their places. Anything else goes the long way."""
    if any("${" in w for w in words):
        return compose(words)
    plain = [w for w in words if _sets(w)]
    found = deepcopy(_chosen(tuple(w for w in words if w not in plain)))
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        parsed = OverridesParser.create().parse_overrides(plain)
    except HydraException:
        return compose(words)
    for each in parsed:
        *path, key = each.key_or_group.split(".")
        node: Any = found
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        if not isinstance(node, dict) or key not in node or isinstance(node[key], dict) or each.is_sweep_override():
            return compose(words)
        value = each.value()
        if isinstance(value, dict):
            return compose(words)
        node[key] = value
    return found


def _sets(word: str) -> bool:
    """Whether a word sets a value and nothing else: it chooses no group, adds no key and deletes none."""
    key = word.partition("=")[0]
    return word[:1].isalpha() and ("." in key or key in ("start", "end", "seed"))


@lru_cache(maxsize=32)
def _chosen(choices: tuple[str, ...]) -> dict[str, Any]:
    return compose(choices)


def _local_file(word: str) -> str:
    """``strategy=./my.yaml`` becomes a choice of its group, whatever folder one stands in."""
    group, _, value = word.partition("=")
    if not (HERE / group).is_dir() or not group:
        return word
    known = sorted(p.stem for p in (HERE / group).glob("*.yaml"))
    if value in ("", "null") and group != "market":
        wanted = "leave it out, or" if group == "experiment" else "a run needs one;"
        raise ConfigError(f"{word}: {wanted} choose one of {', '.join(known)}")
    if not value.endswith((".yaml", ".yml")):
        if "/" in value:
            raise ConfigError(f"{word}: a file of your own ends in .yaml; or choose one of {', '.join(known)}")
        return word
    path = Path(value).expanduser()
    if not path.is_file():
        raise ConfigError(f"{word}: no such file; give the path of a YAML file, or a name of the group {group}")
    from hydra.core.config_store import ConfigStore
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        node = OmegaConf.load(path)
        head = path.read_text(encoding="utf-8").splitlines()[:3]
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(node, DictConfig) or not node:
        raise ConfigError(f"{path} has no keys and values: begin with a copy of a file in conf/{group}")
    package = next((m.group(1) for line in head if (m := re.match(r"#\s*@package\s+(\S+)", line))), None)
    name = f"file_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}"
    ConfigStore.instance().store(name=name, node=node, group=group, package=package)
    return f"{group}={name}"


def _register_market(words: Sequence[str]) -> None:
    """Makes an imported market a choice of the group; ConfigError where there is no such market."""
    chosen = [w.partition("=")[2] for w in words if w.startswith("market=")]
    if not chosen or (HERE / "market" / f"{chosen[-1]}.yaml").is_file():
        return
    name = chosen[-1]
    folder = home() / "store" / name
    if not (folder / "manifest.json").is_file():
        built_in = sorted(p.stem for p in (HERE / "market").glob("*.yaml"))
        imported = sorted(p.parent.name for p in (home() / "store").glob("[!.]*/manifest.json"))
        known = [*built_in, *imported]
        raise ConfigError(
            f"there is no market {name!r}{similar(name, known)}: choose one of {', '.join(known)}, or import it"
        )
    from sim.market.manifest import read_manifest

    days = read_manifest(folder).dates()
    from hydra.core.config_store import ConfigStore

    node: dict[str, Any] = {
        "kind": "imported",
        "name": name,
        "start": None,
        "end": None,
        "vix": "market",
        "multiplier": None,
    }
    if days:
        node |= {"start": str(days[0]), "end": str(days[-1])}
    ConfigStore.instance().store(name=name, node=node, group="market")


def as_yaml(config: Mapping[str, Any]) -> str:
    """The configuration as YAML, in the order it was composed."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(dict(config), Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False))


def _one_line(error: Exception, words: Sequence[str], given: Sequence[str]) -> str:
    """What Hydra or OmegaConf meant, in one line of ours. ``given``: the words as they were typed."""
    text = f"{error} {error.__cause__ or ''}"
    if m := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{m.group(1)} has a comma: write a list in brackets, like [30, 40], and a text in quotes"
    if (m := re.search(r"Interpolation key '([^']+)' not found", text)) and (at := re.search(r"full_key: (\S+)", text)):
        return f"{at.group(1)} refers to {m.group(1)!r}, which is not there"
    if m := re.search(r"Error merging override (\S+).*Cannot merge DictConfig with ListConfig", text, re.S):
        return f"{m.group(1)} is a list: wanted keys and values"
    if m := re.search(r"Could not find '([^/']+)/([^']+)'", text):
        group, name = m.groups()
        known = sorted(p.stem for p in (HERE / group).glob("*.yaml")) if (HERE / group).is_dir() else []
        return f"{group}={name}: there is no such choice{similar(name, known)}; choose one of {', '.join(known)}"
    if m := re.search(r"Could not override '([^']+)'", text):
        full = re.search(r"full_key: (\S+)", text)
        key = full.group(1) if full else m.group(1)
        parent, _, name = key.rpartition(".")
        hint = similar(name, _keys_of(parent, m.group(1), words))
        return f"there is no key {key!r}{hint}: `{_shows(key, given)}` prints them all"
    if m := re.search(
        r"(?:Error parsing override|mismatched input|no viable alternative|token recognition).*", text, re.S
    ):
        first = text.splitlines()[0]
        return f"{first}: write group=choice or group.key=value, and quote values with spaces or brackets"
    return " ".join(text.split())


def _shows(key: str, given: Sequence[str]) -> str:
    """The command that prints the group of a key as it was chosen."""
    chosen = [w for w in given if w.startswith(f"{key.partition('.')[0]}=")][-1:]
    if chosen == ["adapter=emulator"]:
        return "tomking emulator --cfg"
    return " ".join(["tomking backtest", *chosen, "--cfg"])


def _keys_of(parent: str, wrong: str, words: Sequence[str]) -> list[str]:
    """The keys beside a wrong one, from the configuration without the word that has it."""
    others = [w for w in words if w.partition("=")[0].lstrip("+~") != wrong]
    if len(others) == len(words):
        return []
    node: Any = compose([w for w in others if not w.startswith("hydra.")])
    for part in filter(None, parent.split(".")):
        node = node.get(part) if isinstance(node, dict) else None
    return [str(k) for k in node] if isinstance(node, dict) else []
