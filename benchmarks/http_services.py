"""The services that benchmarks/http.py puts beside ours, each run as a process of its own.

`frugal`: FastAPI with orjson, our features and policy, LightGBM's pred_contrib, one SQLite commit a decision.
`usual`: FastAPI as it is usually written: pydantic, pandas features, the scikit-learn wrapper, shap.TreeExplainer.
`Empty`: BentoML with a route that does nothing, answered where ours answers.
Run: python -m benchmarks.http_services frugal|usual HOME PRODUCT PORT
"""

# Annotations are read while the program runs: FastAPI looks for their names at the top of the module otherwise.
import datetime as dt
import sqlite3
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

WINDOWS = (3, 6, 12, 24)
SERIES = ("balance", "amount_paid", "days_past_due", "inflow", "utilisation")
STATISTICS = ("mean", "max", "min", "std")
NAMES = [f"{series}_{window}_{kind}" for window in WINDOWS for series in SERIES for kind in STATISTICS]


def champion_of(home: Path, product: str) -> Any:
    """The scorer that our service would answer with."""
    from configs.settings import load_product, load_settings
    from serving import champion
    from serving.ledger import Ledger

    ledger = Ledger(load_settings(home).stores.ledger)
    return champion.champion_scorer(ledger, home, load_product(product, home))


def database(path: Path) -> sqlite3.Connection:
    """A table of decisions in SQLite, as durable as our ledger."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "CREATE TABLE decisions (id TEXT PRIMARY KEY, customer TEXT, at TEXT, body BLOB)",
    ):
        connection.execute(statement)
    return connection


def frugal(home: Path, product: str) -> Any:
    """The same work done with care, but with LightGBM's own contributions and a commit for each decision."""
    import orjson
    from fastapi import FastAPI, Request, Response

    from serving.decide import Question, decide, ledger_body

    scorer = replace(champion_of(home, product), explainer=None)
    kept = database(home / "frugal.db")
    app = FastAPI()

    @app.post("/v1/decide")
    async def decided(request: Request) -> Response:
        body = orjson.loads(await request.body())
        question = Question(
            customer_id=body["customer_id"],
            as_of=dt.date.fromisoformat(body["as_of"]),
            requested_amount=body.get("requested_amount"),
            language="en",
            reasons=4,
            records=body["records"],
        )
        answer, evidence = decide(scorer, question, f"d-{uuid.uuid4().hex}")
        record = ledger_body(question, answer, evidence)
        at = dt.datetime.now(dt.UTC).isoformat()
        kept.execute("INSERT INTO decisions VALUES (?, ?, ?, ?)", (answer.decision_id, answer.customer_id, at, record))
        return Response(orjson.dumps(orjson.loads(record)["answer"]), media_type="application/json")

    return app


def usual(home: Path, product: str) -> Any:
    """A tutorial's service: a model of the same number of trees and leaves on 80 features made by pandas."""
    import lightgbm as lgb
    import pandas as pd
    import shap
    from fastapi import FastAPI
    from pydantic import BaseModel

    booster = champion_of(home, product).bundle.booster
    leaves = int(booster.trees_to_dataframe().groupby("tree_index")["left_child"].count().max())  # splits
    rng = np.random.default_rng(0)
    known = pd.DataFrame(rng.normal(size=(5000, len(NAMES))), columns=NAMES)
    bad = known.iloc[:, :10].sum(axis=1) + rng.normal(0, 3, 5000) > 3
    model = lgb.LGBMClassifier(
        n_estimators=booster.num_trees(), num_leaves=max(leaves + 1, 2), min_child_samples=5, verbosity=-1
    ).fit(known, bad)
    explainer = shap.TreeExplainer(model)
    database(home / "usual.db").close()
    app = FastAPI()

    class Asked(BaseModel):
        customer_id: str
        as_of: dt.date
        records: dict[str, list[dict[str, Any]]]

    @app.post("/v1/decide")
    def decided(asked: Asked) -> dict[str, Any]:
        row = pandas_features(pd.DataFrame(asked.records["statements"]), pd.Timestamp(asked.as_of))
        default_probability = float(np.asarray(model.predict_proba(row))[0, 1])
        values = np.asarray(explainer.shap_values(row)).reshape(-1)[: len(NAMES)]
        reasons = [NAMES[place] for place in np.argsort(-values)[:4]]
        answer: dict[str, Any] = {
            "decision_id": str(uuid.uuid4()),
            "default_probability": default_probability,
            "decision": "approve" if default_probability < 0.05 else "decline",
            "reasons": reasons,
        }
        with sqlite3.connect(home / "usual.db") as connection:
            connection.execute("PRAGMA synchronous=FULL")
            stored = (answer["decision_id"], asked.customer_id, dt.datetime.now(dt.UTC).isoformat(), str(answer))
            connection.execute("INSERT INTO decisions VALUES (?, ?, ?, ?)", stored)
        return answer

    return app


def pandas_features(statements: Any, as_of: Any) -> Any:
    """The 80 features of benchmarks/features.py for one customer: 5 series, 4 windows, 4 statistics."""
    import pandas as pd

    statements["month"] = pd.to_datetime(statements["month"])
    statements["utilisation"] = statements["balance"] / statements["credit_limit"]
    row = {}
    for window in WINDOWS:
        recent = statements[
            (statements["month"] > as_of - pd.DateOffset(months=window)) & (statements["month"] <= as_of)
        ]
        table = recent[list(SERIES)].agg(list(STATISTICS))
        for series in SERIES:
            for kind in STATISTICS:
                row[f"{series}_{window}_{kind}"] = table.loc[kind, series]
    return pd.DataFrame([row])[NAMES]


def empty_service() -> Any:
    """BentoML with our settings of it, and a middleware that answers at once."""
    from serving.service import bentoml  # type: ignore[attr-defined]  # its one door

    @bentoml.service(
        name="empty", traffic={"timeout": 30}, logging={"access": {"enabled": False}}, metrics={"enabled": False}
    )
    class Empty:
        """Nothing but the route below."""

    class Behind(type(Empty)):  # type: ignore[misc]
        """As serving/service.py stands before BentoML."""

        __slots__ = ()

        def to_asgi(self, is_main: bool = True) -> Any:
            return Answering(super().to_asgi(is_main))

    Empty.__class__ = Behind  # type: ignore[method-assign]
    return Empty


class Answering:
    """Reads the body and answers {}."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/decide":
            await self.app(scope, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


if __name__ == "__main__":
    import uvicorn

    made = {"frugal": frugal, "usual": usual}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    uvicorn.run(made, host="127.0.0.1", port=int(sys.argv[4]), log_level="warning", access_log=False)
