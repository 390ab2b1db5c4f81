"""The subcommands of this room: monitor run, watch and challenger; retrain."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from typing import Any

from configs.console import (
    Arguments,
    Console,
    add_command,
    add_group,
    add_product,
    at_least,
    day,
    read_settings,
    show,
    today,
)
from configs.errors import CreditloopError
from configs.settings import load_product
from features.commands import add_places, read_tables
from serving.identity import add_by, author
from serving.model_commands import failed


def add_monitoring(commands: Any) -> None:
    """Add this room's subcommands."""
    monitor = add_group(commands, "monitor", "is the champion still right: one round, or a watch that goes on")
    run = add_command(monitor, "run", _run, "check decisions against the time the model was made; a verdict")
    _add_watched(run)
    since = "first as_of of the ledger's decisions (default: those since the last run, and all whose outcome is known)"
    run.add_argument("--since", type=day, metavar="DATE", help=since)
    run.add_argument("--as-of", type=day, metavar="DATE", help="last as_of, or the date to score --data at (today)")
    run.add_argument("--now", type=day, metavar="DATE", help="what had matured by then is known (default: today)")
    watch = add_command(monitor, "watch", _watch, "run whenever [schedule] says so, until it is stopped")
    _add_watched(watch)
    challenger = add_command(monitor, "challenger", _challenger, "how the challenger does in the shadow; what it lacks")
    add_product(challenger)
    retrain = add_command(commands, "retrain", _retrain, "train a challenger if the monitor's verdict calls for one")
    add_product(retrain)
    add_places(retrain, told="raw tables, outcomes among them")
    retrain.add_argument("--now", type=day, metavar="DATE", help="what had matured by then trains (default: today)")
    retrain.add_argument("--anyway", metavar="REASON", help="without a verdict that calls for it, on record")
    add_by(retrain)
    retrain.add_argument("--trials", type=at_least(1), help="of the tuner (default: settings)")


def _add_watched(parser: Any) -> None:
    add_product(parser)
    add_places(parser, required=False, told="the book to watch, outcomes, and statements for early outcomes")
    parser.add_argument(
        "--ledger", action="store_true", help="watch the ledger's decisions; --data only tells what became of them"
    )
    parser.add_argument("--no-evidently", action="store_true", help="leave Evidently's page out: faster")


def _run(arguments: Arguments) -> int:
    made = _round(arguments, dt.datetime.now(dt.UTC))
    from monitoring import watch
    from monitoring.telling import told

    report = made.report
    evidence = [f"  {line}" for line in report.verdict.evidence]
    pages = [f"report     {report.page}", f"Evidently  {report.evidently_page or 'left out'}"]
    text = "\n".join([report.verdict.told, *evidence, *told.lines(made), *pages])
    show(arguments, {**watch.to_json(report), "round": told.to_json(made)}, text)
    return 0 if report.verdict.remedy in ("nothing", "wait") else 1


def _round(arguments: Arguments, moment: dt.datetime) -> Any:
    """One round at a time for each product, and its gauges."""
    from configs.lock import only_one
    from monitoring import rounds
    from monitoring.telling import gauges, told
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    since, as_of, now = (getattr(arguments, name, None) for name in ("since", "as_of", "now"))
    asked = rounds.Asked(
        from_ledger=arguments.ledger,
        since=since,
        as_of=today() if as_of is None else as_of,
        now=today() if now is None else now,
        read_on=today(),
        evidently=not arguments.no_evidently,
    )
    at = moment.isoformat(timespec="microseconds")
    with only_one(settings.home / f"monitor-{product.name}.lock", f"{product.name}: a monitor is running already"):
        tables = read_tables(arguments.data, product, settings) if arguments.data else {}
        made = rounds.go(product, tables, settings, command_ledger(arguments, settings), asked, at, Console().stage)
        gauges.write(told.measured(made, at), settings.home / "metrics" / f"{product.name}.prom")
    return made


def _watch(arguments: Arguments) -> int:
    from monitoring.schedule import keep_watch
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    ledger = command_ledger(arguments, settings)
    last = ledger.latest("verdict", product.name)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    runs = keep_watch(
        lambda moment: _round_and_retrain(arguments, moment),
        lambda error, moment: _tell_failure(arguments, error, moment),
        None if last is None else dt.datetime.fromisoformat(last.entry.at),
        settings.schedule,
        lambda: dt.datetime.now(dt.UTC),
        ended.wait,
    )
    show(arguments, {"runs": runs}, f"stopped after {runs} runs")
    return 0


def _round_and_retrain(arguments: Arguments, moment: dt.datetime) -> None:
    from monitoring.retraining.grounds import CALLS_FOR_RETRAINING

    made = _round(arguments, moment)
    print(f"{moment.isoformat(timespec='seconds')}  {made.report.verdict.told}", flush=True)
    wanted = read_settings(arguments).schedule.retrain and arguments.data
    if wanted and made.report.verdict.remedy in CALLS_FOR_RETRAINING:
        arguments.anyway, arguments.now = None, None
        _retrain(arguments, "the schedule")


def _tell_failure(arguments: Arguments, error: CreditloopError, moment: dt.datetime) -> None:
    """A round that could not be gone is a notice too: silence would read as all being well."""
    import time

    from monitoring.telling.notify import Notice, tell
    from serving.command_ledger import command_ledger

    settings = read_settings(arguments)
    name = load_product(arguments.product, settings.home).name
    at = moment.isoformat(timespec="microseconds")
    notice = Notice(f"failed-{name}-{at}", name, "failed", f"The monitor could not run: {error}", (), at)
    tell(command_ledger(arguments, settings), notice, settings.notices, at, time.sleep)


def _challenger(arguments: Arguments) -> int:
    from dataclasses import asdict

    from monitoring.retraining.aftercare import follow_challenger
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    product = load_product(arguments.product, settings.home)
    standing = follow_challenger(command_ledger(arguments, settings), product, settings, utc_now())
    if standing is None:
        show(arguments, {"challenger": None}, f"{product.name}: no challenger waits; creditloop retrain makes one")
        return 1
    lines = [f"{standing.version} in the shadow of the champion"]
    if (compared := standing.compared) is not None:
        lines.append(
            f"  {compared.decisions:,} decisions in {compared.days} days: {compared.swapped_in} only it approves, "
            f"{compared.swapped_out} only the champion; limits {compared.limit_change:+.1%}"
        )
    marks = {True: "yes", False: "NO "}
    lines += [f"  {marks[one.passed]} {one.name}: {one.measured:g} ({one.wanted})" for one in standing.checks]
    show(arguments, {"challenger": {**asdict(standing), "ready": standing.ready}}, "\n".join(lines))
    return 0 if standing.ready else 1


def _retrain(arguments: Arguments, by: str | None = None) -> int:
    from monitoring.retraining.retrain import retrain
    from serving import authorship
    from serving.command_ledger import command_ledger
    from serving.live import utc_now

    settings = read_settings(arguments)
    by = by or author(arguments, settings)
    product = load_product(arguments.product, settings.home)
    console = Console()
    ledger = command_ledger(arguments, settings)
    outcome = retrain(
        product,
        read_tables(arguments.data, product, settings),
        settings,
        ledger,
        today() if arguments.now is None else arguments.now,
        utc_now(),
        console.trial,
        console.stage,
        arguments.anyway,
    )
    authorship.record(ledger, outcome.bundle, by, utc_now())
    verdict = outcome.verdict.to_json()
    record = ledger.latest("retraining", product.name)
    worth = None if record is None else record.body()["worth"]
    gate = "passed" if verdict["passed"] else f"NOT passed: {failed(verdict)}"
    told = f"challenger {outcome.bundle.version}: gate {gate}\n{_worth_told(worth)}\nreport     {outcome.page}"
    show(arguments, {"version": outcome.bundle.version, "gate": verdict, "worth": worth}, told)
    return 0 if verdict["passed"] else 1


def _worth_told(worth: dict[str, Any] | None) -> str:
    if worth is None:
        return "worth      too few defaults are known to value it"
    pays = "it pays" if worth["pays"] else "not beyond doubt"
    return (
        f"worth      {worth['value']:,.0f} ({worth['low']:,.0f} at least) in {worth['horizon_months']} months at equal "
        f"exposure; a change costs {worth['cost']:,.0f}: {pays}"
    )
