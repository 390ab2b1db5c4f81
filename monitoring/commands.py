"""The subcommands of this room: monitor, retrain."""

from __future__ import annotations

from typing import Any

from configs.console import Arguments, Console, add_command, add_product, at_least, day, read_settings, show, today
from configs.settings import load_product
from features.commands import add_places, read_tables
from serving.model_commands import failed


def add_monitoring(commands: Any) -> None:
    """Add this room's subcommands."""
    monitor = add_command(
        commands, "monitor", _monitor, "check decisions against the time the model was made; a verdict"
    )
    add_product(monitor)
    add_places(monitor, required=False, told="the book to watch, and outcomes")
    monitor.add_argument(
        "--ledger", action="store_true", help="watch the ledger's decisions; --data only brings outcomes"
    )
    monitor.add_argument(
        "--since", type=day, metavar="DATE", help="first as_of of the ledger's decisions (default: all)"
    )
    monitor.add_argument("--as-of", type=day, metavar="DATE", help="last as_of, or the date to score --data at (today)")
    monitor.add_argument("--now", type=day, metavar="DATE", help="what had matured by then is known (default: today)")
    monitor.add_argument("--no-evidently", action="store_true", help="leave Evidently's page out: faster")
    retrain = add_command(commands, "retrain", _retrain, "train a challenger if the monitor's verdict calls for one")
    add_product(retrain)
    add_places(retrain, told="raw tables, outcomes among them")
    retrain.add_argument("--now", type=day, metavar="DATE", help="what had matured by then trains (default: today)")
    retrain.add_argument("--anyway", metavar="REASON", help="without a verdict that calls for it, on record")
    retrain.add_argument("--trials", type=at_least(1), help="of the tuner (default: settings)")


def _monitor(arguments: Arguments) -> int:
    from features import outcome
    from monitoring import watch, windows
    from serving import champion
    from serving.ledger import open_ledger
    from serving.live import utc_now
    from serving.score import make_scorer

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = open_ledger(settings)
    bundle = champion.load_champion(ledger, settings.home, product.name)
    as_of = today() if arguments.as_of is None else arguments.as_of
    tables = read_tables(arguments.data, product, settings) if arguments.data else {}
    labels = None
    if "outcomes" in tables:
        now = today() if arguments.now is None else arguments.now
        labels = outcome.matured(tables["outcomes"], product.outcome, now)
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
    show(arguments, watch.to_json(report), told)
    return 0 if report.verdict.remedy in ("nothing", "wait") else 1


def _retrain(arguments: Arguments) -> int:
    from monitoring.retrain import retrain
    from serving.ledger import open_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    console = Console()
    outcome = retrain(
        product,
        read_tables(arguments.data, product, settings),
        settings,
        open_ledger(settings),
        today() if arguments.now is None else arguments.now,
        utc_now(),
        console.trial,
        console.stage,
        arguments.anyway,
    )
    verdict = outcome.verdict.to_json()
    gate = "passed" if verdict["passed"] else f"NOT passed: {failed(verdict)}"
    told = f"challenger {outcome.bundle.version}: gate {gate}\nreport     {outcome.page}"
    show(arguments, {"version": outcome.bundle.version, "gate": verdict}, told)
    return 0 if verdict["passed"] else 1
