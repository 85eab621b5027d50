"""``tomking data``: import vendors' files, record quotes, list the markets, check their days, make and export the
synthetic one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from conf import build, console
from conf.compose import HERE, compose, home
from conf.options import Options
from conf.words import similar
from sim.model.errors import CheckFailed, ConfigError, UsageError

VENDORS = ("lean", "table")
ACTIONS = ("import", "list", "check", "synth", "record")


def command(args: Sequence[str]) -> int:
    """Dispatches the word after ``data``."""
    if not args or args[0] not in ACTIONS:
        given = f" {args[0]!r}{similar(args[0], ACTIONS)}" if args else ""
        raise UsageError(f"tomking data{given}: say one of {', '.join(ACTIONS)}")
    action, rest = args[0], args[1:]
    match action:
        case "import":
            return _import(rest)
        case "record":
            from conf.record import command as record

            return record(rest)
        case "list":
            return _list(rest)
        case "check":
            return _check(rest)
        case _:
            return _synth(rest)


def _import(args: Sequence[str]) -> int:
    options = Options.of(args, flags=("json",), values=("to", "underlying", "mapping"))
    words = [w for w in options.overrides if "=" not in w]
    name = options.value("to")
    if len(words) != 2 or name is None or words[0] not in VENDORS:
        vendor = f"{words[0]!r} is no vendor{similar(words[0], VENDORS)}; " if words and words[0] not in VENDORS else ""
        raise UsageError(f"{vendor}write: tomking data import {'|'.join(VENDORS)} PATH --to NAME")
    from conf.record import free

    free(name)
    path = Path(words[1]).expanduser()
    progress = None if options.flag("json") else console.note
    if words[0] == "lean":
        from adapters.vendors.lean import import_lean

        manifest = import_lean(path, root=home(), to=name, progress=progress)
    else:
        from adapters.vendors.table import import_table

        under = options.value("underlying")
        manifest = import_table(
            path, bars=None if under is None else Path(under).expanduser(), mapping=_mapping(options), root=home(),
            to=name, progress=progress,
        )  # fmt: skip
    import json

    record = json.loads(manifest.text())
    if options.flag("json"):
        console.document({"market": name, "manifest": record})
        return 0
    console.out(
        f"market {name}: {manifest.rows:,} quote rows of {record['rows_in']:,} read, {len(manifest.dates())} sessions"
    )
    for reason, count in record["rows_dropped"].items():
        console.out(f"  dropped {count:,}: {reason}")
    for reason, count in record["rows_noted"].items():
        console.out(f"  kept {count:,}: {reason}")
    for underlying, parts in sorted(manifest.partitions.items()):
        console.out(f"  {underlying}: {len(parts)} sessions, {parts[0].session} to {parts[-1].session}")
    if words[0] == "table" and options.value("underlying") is None:
        console.out("  no underlying was given: rules that ask for its price will refuse (--underlying BARS adds it)")
    console.out(f"next: tomking data check {name}")
    return 0


def _mapping(options: Options) -> Any:
    """The column mapping: the default file, a file of the user's, and single keys of the command line."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    from adapters.vendors.mapping import read_mapping

    base = OmegaConf.load(HERE / "vendor" / "table.yaml")
    OmegaConf.set_struct(base, True)
    own = options.value("mapping")
    try:
        if own is not None:
            file = Path(own).expanduser()
            if not file.is_file():
                raise ConfigError(f"--mapping {own}: no such file; copy conf/vendor/table.yaml and change it")
            base = OmegaConf.merge(base, OmegaConf.load(file))
        words = [w for w in options.overrides if "=" in w]
        merged = OmegaConf.merge(base, OmegaConf.from_dotlist(words))
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(f"column mapping: {' '.join(str(error).split())}; see conf/vendor/table.yaml") from None
    plain = OmegaConf.to_container(merged, resolve=True)
    assert isinstance(plain, dict), "the mapping is a mapping"
    return read_mapping({str(k): v for k, v in plain.items()})


def _list(args: Sequence[str]) -> int:
    options = Options.of(args, flags=("json",))
    from sim.market.store import list_markets

    rows: list[dict[str, Any]] = [
        {
            "name": m.name, "kind": m.kind, "underlyings": list(m.underlyings), "first": m.first and str(m.first),
            "last": m.last and str(m.last), "sessions": m.sessions, "rows": m.rows, "notice": m.notice,
        }
        for m in list_markets(home())
    ]  # fmt: skip
    rows = [*_built_in(), *rows]
    if options.flag("json"):
        console.document({"markets": rows})
        return 0
    for r in rows:
        size = f"{r['rows']:,} rows" if r["rows"] is not None else "priced on demand"
        reach = f"{r['first']} to {r['last']}, {r['sessions']} sessions"
        notice = f", {r['notice']}" if r["notice"] else ""
        console.out(f"{r['name']:<14} {r['kind']:<10} {', '.join(r['underlyings']):<18} {reach}, {size}{notice}")
    return 0


def _built_in() -> list[dict[str, Any]]:
    """The embedded markets; their quotes are made when asked for, so that there is no number of rows."""
    from omegaconf import DictConfig, OmegaConf

    from sim.calendar import Venue, load_calendar
    from sim.market.synthetic.market import UNDERLYINGS

    out = []
    for file in sorted((HERE / "market").glob("*.yaml")):
        node = cast(DictConfig, OmegaConf.load(file))
        first, last = (build.day(f"market.{k}", node[k]) for k in ("start", "end"))
        days = load_calendar().sessions(Venue.GLOBEX_EQUITY, first, last)
        out.append(
            {
                "name": file.stem, "kind": "synthetic", "underlyings": list(UNDERLYINGS), "first": str(days[0]),
                "last": str(days[-1]), "sessions": len(days), "rows": None, "notice": "",
            }
        )  # fmt: skip
    return out


def _check(args: Sequence[str]) -> int:
    options = Options.of(args, flags=("json",), values=("underlying",))
    if len(options.overrides) != 1:
        raise UsageError("write: tomking data check NAME [--underlying ES]; `tomking data list` has the names")
    name = options.overrides[0]
    from sim.market.quality import check_import, check_market
    from sim.market.store import StoreMarket

    config = compose([f"market={name}", "strategy=fixed_legs"])
    market = build.market(config, home())
    # A market that is made here makes its other underlyings only when somebody asks for them.
    only = options.value("underlying") or (None if isinstance(market, StoreMarket) else "ES")
    days = check_market(market, only=only)
    doubt = check_import(market.manifest.sources) if isinstance(market, StoreMarket) else None
    unfit = sum(not d.fit for d in days)
    fit = bool(days) and not unfit and doubt is None
    notice = build.notice(market)
    if options.flag("json"):
        found = {"market": name, "fit": fit, "synthetic": market.synthetic, "notice": notice, "import": doubt}
        console.document({**found, "days": [d.record() for d in days]})
    elif not days:
        raise CheckFailed(f"market {name} has no days to check: it holds no option quotes; record or import some")
    else:
        for d in days:
            console.out(d.line())
        of = "" if only is None else f" of {only}"
        console.out(
            f"{name}: {len(days)} days{of}, " + (f"{unfit} NOT fit to trade on" if unfit else "all fit to trade on")
        )
        if market.synthetic and isinstance(market, StoreMarket):
            console.out(f"{name}: SYNTHETIC, not real quotes: {market.source}")
        if notice:
            console.out(f"{name}: {notice}, recorded from a feed that ran behind the market")
    if doubt is not None and not options.flag("json"):
        raise CheckFailed(f"market {name} is NOT fit to trade on: {doubt}; see its mapping and its source")
    if not fit and not options.flag("json"):
        raise CheckFailed(f"market {name} has days that are not fit to trade on: leave them out with start and end")
    return 0 if fit else 1


def _synth(args: Sequence[str]) -> int:
    options = Options.of(args, flags=("json",), values=("export", "underlying", "start", "end"))
    config = compose([*options.overrides, "strategy=fixed_legs"])
    if config["market"]["kind"] != "synthetic":
        built_in = ", ".join(sorted(p.stem for p in (HERE / "market").glob("*.yaml")))
        raise UsageError(f"market {config['market']['name']} is not made here: choose one of {built_in}")
    from sim.market.synthetic import SyntheticMarket

    market = build.market(config, home())
    assert isinstance(market, SyntheticMarket), "its kind was checked"
    underlying = options.value("underlying") or "ES"
    start, end = (None if (v := options.value(k) or config[k]) is None else build.day(k, v) for k in ("start", "end"))
    days = market.sessions(underlying, start, end)
    if not days:
        raise UsageError(f"market {market.name} has no {underlying} session there: `tomking data list` shows its reach")
    target = options.value("export")
    written: dict[str, Any] = {
        "market": market.name,
        "seed": config["seed"],
        "sessions": len(days),
        "fingerprint": market.fingerprint,
    }
    if target is not None:
        from sim.market.synthetic.export import export

        done = export(market, Path(target).expanduser(), underlying, days)
        written |= {"folder": target, "rows": done}
    if options.flag("json"):
        console.document(written)
    else:
        console.out(", ".join(f"{k} {v}" for k, v in written.items()))
    return 0
