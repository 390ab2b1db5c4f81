"""The command: each subcommand joins what the rooms offer. Exit code 0 done, 1 the answer is no, 2 wrong input."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.errors import CreditloopError, InputError, Refusal, nearest
from configs.settings import Product, Settings, home_folder, load_product, load_settings, product_names

Arguments = argparse.Namespace


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors a person can mend are one message, never a traceback."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(arguments.run(arguments) or 0)
    except CreditloopError as error:
        print(f"creditloop: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        print(f"creditloop: {error.filename or 'input/output'}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("creditloop: stopped; what was tuned so far is kept, run again to go on", file=sys.stderr)
        return 130


class Console:
    """Says what happens on a terminal or in a log: stages as lines, trials as a progress bar."""

    _started = time.monotonic()

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._bar: Any = None

    def stage(self, told: str) -> None:
        """What happens next."""
        self._close()
        seconds = time.monotonic() - self._started
        print(f"[{seconds:5.0f} s] {self._prefix}{told} ...", file=sys.stderr, flush=True)

    def trial(self, done: int, wanted: int, best: float) -> None:
        """A trial ended."""
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=wanted,
                initial=done - 1,
                unit="trial",
                desc=f"{self._prefix}  tuning",
                leave=False,
                disable=None,  # where nobody looks, a bar is a log full of lines
            )
        self._bar.set_postfix_str(f"best log-loss {best:.5f}")
        self._bar.update(1)
        if done == wanted:
            self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _settings(arguments: Arguments) -> Settings:
    overrides: dict[str, Any] = {}
    for section in ("training", "serving"):
        given = {key: getattr(arguments, key) for key in ("trials", "seed", "port", "host") if hasattr(arguments, key)}
        known = {"training": ("trials", "seed"), "serving": ("port", "host")}[section]
        overrides[section] = {key: given[key] for key in known if given.get(key) is not None}
    home = home_folder()
    home.mkdir(parents=True, exist_ok=True)
    return load_settings(home, overrides)


def _day(text: str) -> int:
    from features.contracts import to_day

    try:
        return to_day(dt.date.fromisoformat(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date like 2026-01-31, got {text!r}") from None


def _at_least(lowest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        if not re.fullmatch(r"-?\d+", text) or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {lowest}, got {text!r}")
        return int(text)

    return whole


def _today() -> int:
    from features.contracts import to_day

    return to_day(dt.datetime.now(dt.UTC).date())


def _show(arguments: Arguments, values: Mapping[str, Any], told: str) -> None:
    if arguments.json:
        import msgspec

        # Unlike json's, an encoder without NaN and Infinity: what is not a number is null.
        told = msgspec.json.format(msgspec.json.encode(values, enc_hook=str), indent=1).decode()
    print(told)


def _demo(arguments: Arguments) -> int:
    import demo

    return demo.run(_settings(arguments), arguments.products.split(","), arguments.customers, arguments.seed)


def _train(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from training import pipeline

    settings = _settings(arguments)
    product, tables, notes = _training_data(arguments, settings)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    ledger = Ledger(settings.stores.ledger)
    current = None
    if champion.current(ledger, product.name) is not None:
        current = champion.load_champion(ledger, settings.home, product.name)
    console = Console()
    now = _today() if arguments.now is None else arguments.now
    outcome = pipeline.train(product, tables, settings, now, current, console.trial, console.stage)
    test = outcome.validation
    told = [
        f"model      {outcome.bundle.version} (challenger)",
        f"AUC        {test.auc.value:.4f} ({test.auc.low:.4f} to {test.auc.high:.4f}) on {test.rows:,} unseen rows",
        f"log-loss   {test.log_loss:.4f}, calibration slope {test.calibration_slope.value:.3f}",
        f"gate       {'passed' if outcome.verdict.passed else 'NOT passed: ' + _failed(outcome.verdict.to_json())}",
        f"report     {outcome.page}",
        f"bundle     {outcome.bundle.folder}",
        f"MLflow     {settings.stores.tracking}, run {outcome.run_id}",
        f"next       creditloop models promote --product {product.name} {outcome.bundle.version} --by YOU --reason WHY",
    ]
    values = {
        "version": outcome.bundle.version,
        "validation": test.to_json(),
        "gate": outcome.verdict.to_json(),
        "run_id": outcome.run_id,
        "report": outcome.page,
    }
    _show(arguments, values, "\n".join(told))
    return 0 if outcome.verdict.passed else 1


def _failed(gate: Mapping[str, Any]) -> str:
    return ", ".join(check["name"] for check in gate["checks"] if not check["passed"])


def _training_data(arguments: Arguments, settings: Settings) -> tuple[Product, Mapping[str, Any], Sequence[str]]:
    from features import sources

    if (arguments.csv is None) == (arguments.product is None):
        raise InputError("say either --product NAME with --data FOLDER, or --csv FILE with --label COLUMN")
    if arguments.product is not None:
        if arguments.data is None:
            raise InputError("--product needs --data FOLDER (creditloop data simulate makes one to try)")
        product = load_product(arguments.product, settings.home)
        return product, sources.load_tables(arguments.data, product), ()
    if arguments.label is None:
        raise InputError("--csv needs --label COLUMN: the column that says who went bad")
    name = arguments.name or re.sub(r"[^a-z0-9]+", "_", arguments.csv.stem.lower()).strip("_")
    name = name if name[:1].isalpha() else f"table_{name}"
    flat = sources.read_flat(arguments.csv, arguments.label, name, arguments.id, arguments.time, arguments.bad)
    path, kept = sources.keep_product(flat.product, settings.home)
    notes = [*flat.notes, f"product file {path}: edit grades, limits and deny there"]
    return kept, flat.tables, notes


def _models_promote(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from serving.live import utc_now
    from serving.score import make_scorer
    from training import bundle as bundles
    from training.registry import mirror_champion

    settings = _settings(arguments)
    product = load_product(arguments.product, settings.home)
    known = champion.versions(settings.home, product.name)
    if arguments.version not in known:
        hint = nearest(arguments.version, known) or "; creditloop models list names them"
        raise InputError(f"{product.name} has no version {arguments.version!r}{hint}")
    bundle = bundles.load(champion.bundle_folder(settings.home, product.name, arguments.version))
    make_scorer(bundle, product)
    gate = bundle.training["gate"]
    if not gate["passed"] and arguments.despite_gate is None:
        raise Refusal(
            f"{bundle.version} did not pass the gate ({_failed(gate)}); --despite-gate REASON overrides, on record"
        )
    ledger = Ledger(settings.stores.ledger)
    expected = champion.current(ledger, product.name)
    reason = arguments.reason if gate["passed"] else f"{arguments.reason}; despite the gate: {arguments.despite_gate}"
    made = champion.promote(ledger, bundle, expected, arguments.by, reason, utc_now())
    mirrored = mirror_champion(product.name, bundle.version, settings.stores.tracking)
    told = f"{made.version} is champion of {product.name}, in place of {made.previous or 'none'}"
    _show(arguments, asdict(made), told if mirrored else f"{told} (MLflow does not know this version)")
    return 0


def _models_list(arguments: Arguments) -> int:
    from serving import champion
    from serving.ledger import Ledger
    from training import bundle as bundles

    settings = _settings(arguments)
    ledger = Ledger(settings.stores.ledger)
    rows = []
    for name in [arguments.product] if arguments.product else product_names(settings.home):
        pointer = champion.current(ledger, name)
        for version in champion.versions(settings.home, name):
            bundle = bundles.load(champion.bundle_folder(settings.home, name, version))
            rows.append(
                {
                    "product": name,
                    "version": version,
                    "champion": bool(pointer and pointer.version == version),
                    "auc": round(bundle.validation["auc"]["value"], 4),
                    "gate_passed": bundle.training["gate"]["passed"],
                    "features": len(bundle.program.features),
                    "trees": bundle.booster.num_trees(),
                }
            )
    if arguments.product and not rows:
        load_product(arguments.product, settings.home)  # no such product: say so
    lines = [
        f"{'*' if row['champion'] else ' '} {row['version']:<44} AUC {row['auc']:.4f}  {row['features']:>3} features "
        f"{row['trees']:>5} trees  gate {'passed' if row['gate_passed'] else 'NOT passed'}"
        for row in rows
    ]
    _show(arguments, {"models": rows}, "\n".join(lines) or "no model yet: creditloop train")
    return 0


def _serve(arguments: Arguments) -> int:
    from serving import access, champion
    from serving.ledger import Ledger
    from serving.score import make_scorer

    settings = _settings(arguments)
    ledger = Ledger(settings.stores.ledger)
    products = tuple(arguments.product or [n for n in product_names(settings.home) if champion.current(ledger, n)])
    if not products:
        raise Refusal("no product has a champion; creditloop train, then creditloop models promote")
    for name in products:
        product = load_product(name, settings.home)
        make_scorer(champion.load_champion(ledger, settings.home, name), product)
    ledger.close()
    if not access.load_keys(settings.home):
        raise InputError("no API key exists, so nobody could be served: creditloop keys create NAME --role score")
    from serving import service

    address = f"http://{settings.serving.host}:{settings.serving.port}"
    print(f"serving {', '.join(products)} on {address} (docs at {address}/)", file=sys.stderr, flush=True)
    command = service.command(settings)
    os.execve(command[0], command, service.environment(settings, products))


def _score(arguments: Arguments) -> int:
    from features import sources
    from serving import batch, champion
    from serving.ledger import Ledger
    from serving.score import make_scorer

    settings = _settings(arguments)
    product = load_product(arguments.product, settings.home)
    scorer = make_scorer(champion.load_champion(Ledger(settings.stores.ledger), settings.home, product.name), product)
    tables = sources.load_tables(arguments.data, product)
    scores = batch.score_tables(scorer, tables, _today() if arguments.as_of is None else arguments.as_of)
    batch.write_scores(scores, arguments.out)
    by_decision = scores["decision"].value_counts().to_dict()
    told = f"{len(scores):,} customers scored by {scorer.bundle.version} into {arguments.out}: " + ", ".join(
        f"{count:,} {name}" for name, count in by_decision.items()
    )
    _show(arguments, {"rows": len(scores), "out": arguments.out, "decisions": by_decision}, told)
    return 0


def _monitor(arguments: Arguments) -> int:
    from features import outcome, sources
    from monitoring import watch, windows
    from serving import champion
    from serving.ledger import Ledger
    from serving.live import utc_now
    from serving.score import make_scorer

    settings = _settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = Ledger(settings.stores.ledger)
    bundle = champion.load_champion(ledger, settings.home, product.name)
    as_of = _today() if arguments.as_of is None else arguments.as_of
    tables = sources.load_tables(arguments.data, product) if arguments.data else {}
    labels = None
    if "outcomes" in tables:
        now = _today() if arguments.now is None else arguments.now
        labels = outcome.matured(tables["outcomes"], product.outcome.window_months, now)
    if arguments.ledger or not tables:
        since = -(2**31) if arguments.since is None else arguments.since
        window = windows.from_ledger(ledger, bundle, since, as_of)
    else:
        window = windows.from_tables(make_scorer(bundle, product), tables, as_of)
    report = watch.run(window, bundle, labels, settings, as_of, not arguments.no_evidently, Console().stage)
    watch.record(report, ledger, utc_now())
    evidence = "\n".join(f"  {line}" for line in report.verdict.evidence)
    told = (
        f"{report.verdict.told}\n{evidence}\nreport     {report.page}\nEvidently  {report.evidently_page or 'left out'}"
    )
    _show(arguments, watch.to_json(report), told)
    return 0 if report.verdict.remedy in ("nothing", "wait") else 1


def _retrain(arguments: Arguments) -> int:
    from features import sources
    from monitoring.retrain import retrain
    from serving.ledger import Ledger
    from serving.live import utc_now

    settings = _settings(arguments)
    product = load_product(arguments.product, settings.home)
    console = Console()
    outcome = retrain(
        product,
        sources.load_tables(arguments.data, product),
        settings,
        Ledger(settings.stores.ledger),
        _today() if arguments.now is None else arguments.now,
        utc_now(),
        console.trial,
        console.stage,
        arguments.anyway,
    )
    verdict = outcome.verdict.to_json()
    gate = "passed" if verdict["passed"] else f"NOT passed: {_failed(verdict)}"
    told = f"challenger {outcome.bundle.version}: gate {gate}\nreport     {outcome.page}"
    _show(arguments, {"version": outcome.bundle.version, "gate": verdict}, told)
    return 0 if verdict["passed"] else 1


def _decisions_verify(arguments: Arguments) -> int:
    from serving.ledger import Ledger, LedgerError

    ledger = Ledger(_settings(arguments).stores.ledger)
    try:
        count, head = ledger.verify()
    except LedgerError as error:
        raise Refusal(str(error)) from None
    _show(arguments, {"records": count, "head": head}, f"{count:,} records, every hash holds; head {head}")
    return 0


def _decisions_replay(arguments: Arguments) -> int:
    from serving.ledger import Ledger
    from serving.replay import replay

    settings = _settings(arguments)
    replayed = list(replay(Ledger(settings.stores.ledger), settings.home, arguments.product))
    if arguments.product and not replayed:
        load_product(arguments.product, settings.home)  # no such product: say so
    unequal = [item for item in replayed if not item.equal]
    told = f"{len(replayed):,} decisions replayed, {len(replayed) - len(unequal):,} equal bit for bit"
    told += "".join(f"\n  {item.decision_id}: {item.detail}" for item in unequal[:20])
    _show(arguments, {"replayed": len(replayed), "unequal": [asdict(item) for item in unequal]}, told)
    return 1 if unequal else 0


def _keys_create(arguments: Arguments) -> int:
    from serving import access

    key = access.create_key(_settings(arguments).home, arguments.name, arguments.role)
    print(
        f"key of {arguments.name} ({arguments.role}); it is shown this once, only its hash is kept:",
        file=sys.stderr,
    )
    _show(arguments, {"name": arguments.name, "role": arguments.role, "key": key}, key)
    return 0


def _features(arguments: Arguments) -> int:
    from features import catalogue

    settings = _settings(arguments)
    product = load_product(arguments.product, settings.home)
    features = catalogue.product_features(product, {})
    program = catalogue.compile_program(features)
    told = [f"{len(features)} features of {product.name}, program {program.digest}"]
    told += [f"  {f.name:<30} {f.group:<11} {f.unit:<18} risk {f.risk:<8} {f.meaning}" for f in features]
    _show(
        arguments,
        {"program": program.digest, "features": [catalogue.describe(f) for f in features]},
        "\n".join(told),
    )
    return 0


def _data_check(arguments: Arguments) -> int:
    from features import sources

    product = load_product(arguments.product, _settings(arguments).home)
    tables = sources.load_tables(arguments.data, product)
    rows = {name: len(table["customer_id"]) for name, table in tables.items()}
    told = "every row holds its contract: " + ", ".join(f"{name} {count:,}" for name, count in rows.items())
    _show(arguments, {"rows": rows}, told)
    return 0


def require_simulated(product: Product) -> None:
    """InputError where the simulated portfolio lacks a table of the product."""
    if "facts" in product.tables or product.reader != "tables":
        raise InputError(f"{product.name}: its tables cannot be simulated; bring a folder of your own with --data")


def _data_simulate(arguments: Arguments) -> int:
    from features.simulate import Scenario, simulate, write

    product = load_product(arguments.product, _settings(arguments).home)
    require_simulated(product)
    portfolio = simulate(Scenario(arguments.customers, arguments.seed, companies="invoices" in product.tables))
    written = write(portfolio, arguments.out)
    _show(arguments, {"files": written}, "\n".join(f"{path}  {rows:,} rows" for path, rows in written.items()))
    return 0


def _doctor(arguments: Arguments) -> int:
    from importlib.metadata import version

    settings = _settings(arguments)
    libraries = ("lightgbm", "optuna", "mlflow", "bentoml", "evidently", "pandas", "numpy", "numba")
    values = {
        "python": sys.version.split()[0],
        "home": settings.home,
        "stores": settings.stores.model_dump(),
        "products": product_names(settings.home),
        "libraries": {name: version(name) for name in libraries},
    }
    for name in product_names(settings.home):
        load_product(name, settings.home)
    _show(
        arguments,
        values,
        "\n".join(f"{key:<10} {value}" for key, value in values.items()) + "\nsettings and products are sound",
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="creditloop",
        description="Credit scoring as one closed loop: features, training, serving, monitoring, retraining.",
        epilog="All is kept in $CREDITLOOP_HOME, or ./var. Exit code 0: done, 1: the answer is no, 2: wrong input.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_training(commands)
    _add_serving(commands)
    _add_monitoring(commands)
    _add_data(commands)
    return parser


def _command(commands: Any, name: str, run: Callable[[Arguments], int], told: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=told, description=told)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    return parser


def _group(commands: Any, name: str, told: str) -> Any:
    return commands.add_parser(name, help=told, description=told).add_subparsers(required=True, metavar="COMMAND")


def _product(parser: argparse.ArgumentParser, required: bool = True) -> None:
    parser.add_argument("--product", required=required, metavar="NAME", help="a product file's name, or a path to one")


def _add_demo(commands: Any) -> None:
    demo = _command(commands, "demo", _demo, "the whole loop on simulated portfolios, in about two minutes")
    demo.add_argument("--products", default="consumer_platform,trade_credit", help="which, with commas (%(default)s)")
    demo.add_argument("--customers", type=_at_least(1), default=6000, help="of each portfolio (%(default)s)")
    demo.add_argument("--seed", type=_at_least(0), default=2026, help="of the simulation (%(default)s)")


def _add_training(commands: Any) -> None:
    train = _command(commands, "train", _train, "train a challenger: tune, fit, calibrate, validate, gate, register")
    _product(train, required=False)
    train.add_argument("--data", type=Path, metavar="FOLDER", help="raw tables as parquet or CSV, outcomes among them")
    train.add_argument("--csv", type=Path, metavar="FILE", help="one flat table instead (CSV, TSV, parquet or ARFF)")
    train.add_argument("--label", metavar="COLUMN", help="with --csv: who went bad (two values)")
    train.add_argument("--bad", metavar="VALUE", help="with --csv: the label value that means default, if not plain")
    train.add_argument("--id", metavar="COLUMN", help="with --csv: the customer")
    train.add_argument("--time", metavar="COLUMN", help="with --csv: the date asked at; then the test is out of time")
    train.add_argument("--name", help="with --csv: the product's name (default: the file's)")
    train.add_argument("--now", type=_day, metavar="DATE", help="what had matured by then trains (default: today)")
    train.add_argument("--trials", type=_at_least(1), help="of the tuner (default: settings)")
    train.add_argument("--seed", type=_at_least(0), help="of everything random (default: settings)")
    models = _group(commands, "models", "list model versions, make one the champion")
    listed = _command(models, "list", _models_list, "all versions; * marks the champion")
    _product(listed, required=False)
    promote = _command(models, "promote", _models_promote, "make a version the champion, on record")
    _product(promote)
    promote.add_argument("version", help="as `models list` names it")
    promote.add_argument("--by", required=True, metavar="NAME", help="who decides")
    promote.add_argument("--reason", required=True, help="why")
    promote.add_argument("--despite-gate", metavar="REASON", help="promote although the gate said no, on record")


def _add_serving(commands: Any) -> None:
    serve = _command(commands, "serve", _serve, "answer POST /v1/decide over HTTP")
    serve.add_argument(
        "--product", action="append", metavar="NAME", help="repeat for several (default: all with a champion)"
    )
    serve.add_argument("--host", help="to listen on (default: settings, loopback)")
    serve.add_argument("--port", type=_at_least(1), help="to listen on (default: settings)")
    score = _command(commands, "score", _score, "score every customer of a folder of tables into a file")
    _product(score)
    score.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="raw tables")
    score.add_argument("--as-of", type=_day, metavar="DATE", help="the date asked at (default: today)")
    score.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    decisions = _group(commands, "decisions", "verify the ledger, replay decisions")
    _command(decisions, "verify", _decisions_verify, "recompute every hash of the ledger")
    replayed = _command(decisions, "replay", _decisions_replay, "decide again what was decided and compare every bit")
    _product(replayed, required=False)
    keys = _group(commands, "keys", "API keys of the service")
    create = _command(keys, "create", _keys_create, "make a key, replacing the former of that name")
    create.add_argument("name", help="whose it is")
    create.add_argument("--role", required=True, help="score, read or admin")


def _add_monitoring(commands: Any) -> None:
    monitor = _command(commands, "monitor", _monitor, "check decisions against the time the model was made; a verdict")
    _product(monitor)
    monitor.add_argument("--data", type=Path, metavar="FOLDER", help="raw tables: the book to watch, and outcomes")
    monitor.add_argument(
        "--ledger", action="store_true", help="watch the ledger's decisions; --data only brings outcomes"
    )
    monitor.add_argument(
        "--since", type=_day, metavar="DATE", help="first as_of of the ledger's decisions (default: all)"
    )
    monitor.add_argument(
        "--as-of", type=_day, metavar="DATE", help="last as_of, or the date to score --data at (today)"
    )
    monitor.add_argument("--now", type=_day, metavar="DATE", help="what had matured by then is known (default: today)")
    monitor.add_argument("--no-evidently", action="store_true", help="leave Evidently's page out: faster")
    retrain = _command(commands, "retrain", _retrain, "train a challenger if the monitor's verdict calls for one")
    _product(retrain)
    retrain.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="raw tables, outcomes among them")
    retrain.add_argument("--now", type=_day, metavar="DATE", help="what had matured by then trains (default: today)")
    retrain.add_argument("--anyway", metavar="REASON", help="without a verdict that calls for it, on record")
    retrain.add_argument("--trials", type=_at_least(1), help="of the tuner (default: settings)")


def _add_data(commands: Any) -> None:
    features = _command(
        commands, "features", _features, "the features of a product: what each means and how it bears on risk"
    )
    _product(features)
    data = _group(commands, "data", "check raw tables, simulate a portfolio")
    check = _command(data, "check", _data_check, "hold every row of every table against its contract")
    _product(check)
    check.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="raw tables")
    simulate = _command(data, "simulate", _data_simulate, "write a simulated portfolio with known true PDs")
    _product(simulate)
    simulate.add_argument("--customers", type=_at_least(1), default=6000, help="how many (%(default)s)")
    simulate.add_argument("--seed", type=_at_least(0), default=2026, help="(%(default)s)")
    simulate.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where to write parquet files")
    _command(commands, "doctor", _doctor, "versions, stores, and whether settings and products are sound")


if __name__ == "__main__":
    sys.exit(main())
