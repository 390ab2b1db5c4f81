"""What the tests of serving share: a model version trained on simulated customers, their requests, a real service."""

from __future__ import annotations

import datetime as dt
import math
import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from configs.settings import Product, Settings, load_product, load_settings
from features import load
from features.contracts import TABLES, Columns, to_day
from features.simulate import Portfolio, Scenario, simulate
from serving import access, champion
from serving.ledger import Ledger, open_ledger
from serving.score import Scorer, make_scorer
from training import bundle as bundles
from training import dataset, examine, explain, pipeline
from training.bundle import Bundle
from training.scaling import make_scale
from training.scorecard import compare, make_scorecard
from training.signature import public_key, signing_key
from training.validate import validate

NAME = "consumer_platform"
NOW = "2026-01-31T00:00:00+00:00"
ASKED_MONTH = 20
ROLES = ("score", "read", "outcome", "override", "admin")


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty ledger may be, in each of the databases."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ledger.db"
    else:
        with request.getfixturevalue("postgres_database")() as made:
            yield made


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The product that is served."""
    return load_product(NAME, tmp_path_factory.mktemp("nothing"))


@pytest.fixture(scope="session")
def portfolio() -> Portfolio:
    """2,500 simulated persons over two years."""
    return simulate(Scenario(2500, 7, months=24, companies=False))


@pytest.fixture(scope="session")
def tables(portfolio: Portfolio, product: Product) -> dict[str, Columns]:
    """The portfolio on the bulk path, with matured outcomes."""
    outcomes = portfolio.outcomes(range(0, 11, 2)).drop(columns="true_pd")
    return load.check_tables({**portfolio.tables, "outcomes": outcomes}, product, "simulation")


@pytest.fixture(scope="session")
def as_of(portfolio: Portfolio) -> dt.date:
    """The day every request asks at."""
    return portfolio.month_ends[ASKED_MONTH].date()


@pytest.fixture(scope="session")
def bundle(
    tmp_path_factory: pytest.TempPathFactory, product: Product, portfolio: Portfolio, tables: dict[str, Columns]
) -> Bundle:
    """A model version, tuned by two trials: all of the pipeline but MLflow."""
    home = tmp_path_factory.mktemp("trained")
    settings = load_settings(
        home, {"training": {"trials": 2, "threads": 1, "folds": 2, "max_rounds": 150, "early_stopping_rounds": 20}}
    )
    split = dataset.split(dataset.assemble(product, tables, to_day(portfolio.month_ends[-1].date())), settings.training)
    model = pipeline.make(split, settings.training, settings.stores.studies, "test", lambda *_: None)
    scale = make_scale(product.scaling, product.grades)
    default_probability = model.default_probability(split.test.matrix)
    reference = pd.DataFrame(split.test.matrix, columns=list(split.test.program.names)).assign(
        _default_probability=default_probability, _defaulted=split.test.defaulted, _as_of=split.test.as_of
    )
    parts = bundles.Parts(
        product=product.name,
        program=split.train.program,
        booster=model.booster,
        calibration=model.calibration,
        scale=scale,
        reference=reference,
        predictions=examine.predictions(split.test, default_probability, None, ()),
        golden=split.test.matrix[:64],
        validation=validate(default_probability, split.test.defaulted, scale).to_json(),
        training={
            "gate": {"passed": True, "checks": []},
            "scorecard": compare(make_scorecard(split.train, 1), split.test, default_probability, scale).to_json(scale),
            **explain.certainty(split, model, scale, settings),
        },
    )
    key = signing_key(settings.signing)
    return bundles.load(bundles.write(parts, home / "bundles" / NAME, "2026-01-01", key), (public_key(key),))


def home_of(bundle: Bundle) -> Path:
    """The home a version was made in."""
    return bundle.folder.parents[2]


def trust(home: Path, bundle: Bundle) -> None:
    """Let a home load what the key of another signed."""
    (home / "signing").mkdir()
    shutil.copy(home_of(bundle) / "signing" / "key.pub", home / "signing")


@pytest.fixture(scope="session", name="trust")
def give_trust() -> Callable[[Path, Bundle], None]:
    """`trust`, for tests that furnish a home of their own."""
    return trust


@pytest.fixture(scope="session")
def successor(bundle: Bundle) -> Bundle:
    """Another version: the same trees, every PD a little higher."""
    parts = bundles.Parts(
        product=bundle.product,
        program=bundle.program,
        booster=bundle.booster,
        calibration=replace(bundle.calibration, intercept=bundle.calibration.intercept + math.log(1.5)),
        scale=bundle.scale,
        reference=bundle.reference(),
        predictions=bundle.predictions(),
        golden=bundle.reference()[list(bundle.program.names)].to_numpy()[:64],
        validation=bundle.validation,
        training=bundle.training,
    )
    key = signing_key(load_settings(home_of(bundle)).signing)
    return bundles.load(bundles.write(parts, bundle.folder.parent, "2026-02-01", key), (public_key(key),))


@pytest.fixture(scope="session")
def scorer(bundle: Bundle, product: Product) -> Scorer:
    """The first version under the shipped policy."""
    return make_scorer(bundle, product)


@pytest.fixture(scope="session")
def bodies(portfolio: Portfolio, product: Product, as_of: dt.date) -> list[dict[str, Any]]:
    """Requests about 60 customers in good standing, each with what was known of them on the day."""
    rng = np.random.default_rng(3)
    chosen = portfolio.customer_id[rng.choice(portfolio.standing(ASKED_MONTH), 60, replace=False)]
    records: dict[str, dict[str, list[dict[str, Any]]]] = {customer: {} for customer in chosen}
    for name in product.tables:
        frame = portfolio.tables[name]
        event = TABLES[name].event
        frame = frame[frame["customer_id"].isin(chosen) & (frame[event] <= pd.Timestamp(as_of))]
        for row in frame.assign(**{event: frame[event].dt.strftime("%Y-%m-%d")}).to_dict("records"):
            records[row.pop("customer_id")].setdefault(name, []).append(row)
    return [
        {"product": NAME, "customer_id": customer, "as_of": as_of.isoformat(), "records": records[customer]}
        for customer in chosen
    ]


@pytest.fixture
def body(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """One request; a test may change its own copy."""
    return {**bodies[0], "records": {name: [dict(row) for row in rows] for name, rows in bodies[0]["records"].items()}}


class Passed:
    """A trial that is over at once."""

    def passed(self, wait: bool = False) -> bool:
        return True

    def end(self) -> None:
        pass


@pytest.fixture
def passed() -> type[Passed]:
    """In the place of a trial, for tests of what follows one."""
    return Passed


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], bool]:
    """Waits for a fact, and gives up only after what a very busy machine needs for it."""

    def waited(fact: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + 180
        while not fact() and time.monotonic() < deadline:
            time.sleep(0.02)
        return fact()

    return waited


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield ledger
    ledger.close()


@pytest.fixture(scope="session")
def furnish(bundle: Bundle, successor: Bundle) -> Callable[[Path], Settings]:
    """Makes a home with both versions in it, the first of them champion."""

    def furnished(home: Path) -> Settings:
        for made in (bundle, successor):
            shutil.copytree(made.folder, champion.bundle_folder(home, NAME, made.version))
        trust(home, bundle)
        settings = load_settings(home, {"serving": {"port": _free_port()}})
        ledger = open_ledger(settings)
        champion.promote(ledger, bundle, None, "tests", "the first", NOW)
        ledger.close()
        return settings

    return furnished


@dataclass
class Service:
    """A running service: its settings, its process, a client for each role."""

    settings: Settings
    process: subprocess.Popen[bytes]
    clients: dict[str, httpx.Client]

    @property
    def score(self) -> httpx.Client:
        """The client that may ask for decisions."""
        return self.clients["score"]

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{self.settings.serving.host}:{self.settings.serving.port}"

    def log(self) -> str:
        """What it wrote."""
        return (self.settings.home / "service.log").read_text()

    def kill(self) -> None:
        """As a power cut would: neither supervisor nor worker (which has a session of its own) gets a word in."""
        supervisor = self.process.pid
        workers = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        for process in (supervisor, *map(int, workers)):
            os.kill(process, signal.SIGKILL)
        self.process.wait(timeout=30)


@pytest.fixture(scope="session")
def door() -> ModuleType:
    """serving.service. Importing BentoML 1.4 warns of pathspec's and pydantic's deprecations, which are its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from serving import service
    return service


@pytest.fixture(scope="session")
def start(door: ModuleType) -> Callable[..., AbstractContextManager[Service]]:
    """Starts a service in processes of its own; ended when the block ends."""

    @contextmanager
    def started(settings: Settings, *application: str) -> Iterator[Service]:
        keys = {role: access.create_key(settings.home, role, role) for role in ROLES}
        address = f"http://{settings.serving.host}:{settings.serving.port}"
        with (settings.home / "service.log").open("ab") as log:
            process = subprocess.Popen(
                door.command(settings, *application),
                env=door.environment(settings, (NAME,)),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        clients = {
            role: httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=30)
            for role, key in keys.items()
        }
        running = Service(settings, process, clients)
        try:
            _wait_until_ready(running)
            yield running
        finally:
            for client in clients.values():
                client.close()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    running.kill()

    return started


@pytest.fixture(scope="session")
def running(
    tmp_path_factory: pytest.TempPathFactory,
    furnish: Callable[[Path], Settings],
    start: Callable[[Settings], AbstractContextManager[Service]],
) -> Iterator[Service]:
    """The one service that most tests ask."""
    with start(furnish(tmp_path_factory.mktemp("served"))) as service:
        yield service


def _wait_until_ready(running: Service) -> None:
    deadline = time.monotonic() + 240  # of a very busy machine
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if running.score.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the service did not become ready: {running.log()[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
