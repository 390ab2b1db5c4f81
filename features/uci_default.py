"""UCI "Default of Credit Card Clients" (Yeh, 2009): six months a card holder, read as the tables of the house."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from configs.errors import DataError, nearest

MONTHS = ("2005-09-30", "2005-08-31", "2005-07-31", "2005-06-30", "2005-05-31", "2005-04-30")
_STATUS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
_LABEL = "default payment next month"
AS_OF = MONTHS[0]
_SEX = {1: "male", 2: "female"}
_MARRIAGE = {1: "married", 2: "single", 3: "other"}
_AGES = (0, 25, 40, 62, 200)
_AGE_NAMES = ("under 25", "25 to 39", "40 to 61", "62 and over")


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """The file in `folder` as `statements` (180,000 rows), `facts`, `outcomes` (30,000 each) and `protected` (90,000).

    Days past due are 30 x the months of delay (PAY 1..8); PAY 0, -1, -2 are not late. What was due in a month is
    the bill of the month before, unknown for April. Raises DataError where file or columns are not as published.
    """
    raw = read_published(folder)
    customer = raw["ID"].astype(str)
    statements = []
    for place, month in enumerate(MONTHS):
        bill, paid = raw[f"BILL_AMT{place + 1}"], raw[f"PAY_AMT{place + 1}"]
        due = raw[f"BILL_AMT{place + 2}"] if place < 5 else pd.Series(float("nan"), raw.index)
        statements.append(
            pd.DataFrame(
                {
                    "customer_id": customer,
                    "account_id": "card",
                    "month": month,
                    "balance": bill,
                    "credit_limit": raw["LIMIT_BAL"],
                    "amount_due": due,
                    "amount_paid": paid,
                    "days_past_due": raw[_STATUS[place]].clip(lower=0) * 30,
                }
            )
        )
    status = {f"repayment_status_{m[:4]}_{m[5:7]}": raw[c] for m, c in zip(MONTHS, _STATUS, strict=True)}
    plain = {"education": "EDUCATION", "sex": "SEX", "marriage": "MARRIAGE", "age": "AGE"}
    facts = pd.DataFrame({"customer_id": customer, "date": AS_OF, **{k: raw[c] for k, c in plain.items()}, **status})
    outcomes = pd.DataFrame({"customer_id": customer, "as_of": AS_OF, "defaulted": raw[_LABEL]})
    return {
        "statements": pd.concat(statements, ignore_index=True),
        "facts": facts,
        "outcomes": outcomes,
        "protected": protected(raw, customer),
    }


def protected(raw: pd.DataFrame, customer: pd.Series) -> pd.DataFrame:
    """Sex, marriage and age as groups: codes as published, ages in bands, from 62 "elderly" (12 CFR 1002.2(o))."""
    groups = {
        "sex": raw["SEX"].map(_SEX).fillna("not stated"),
        "marriage": raw["MARRIAGE"].map(_MARRIAGE).fillna("not stated"),
        "age": pd.cut(raw["AGE"], _AGES, right=False, labels=_AGE_NAMES).astype(object).fillna("not stated"),
    }
    parts = [
        pd.DataFrame({"customer_id": customer, "recorded": AS_OF, "attribute": name, "group": group})
        for name, group in groups.items()
    ]
    return pd.concat(parts, ignore_index=True)


def read_published(folder: Path) -> pd.DataFrame:
    """The columns as published, one row a card holder. Raises DataError where file or columns are not."""
    files = [folder] if folder.is_file() else sorted(folder.glob("*.csv"))
    if len(files) != 1:
        raise DataError(f"{folder}: expected one CSV file of the UCI data set, found {len(files)}")
    try:
        raw = pd.read_csv(files[0], header=1)
    except (ValueError, OSError) as error:
        raise DataError(f"{files[0]}: not readable as the CSV file of the UCI data set: {error}") from None
    amounts = [f"{kind}{month}" for kind in ("BILL_AMT", "PAY_AMT") for month in range(1, 7)]
    needed = ["ID", "LIMIT_BAL", "EDUCATION", "SEX", "MARRIAGE", "AGE", *_STATUS, *amounts, _LABEL]
    missing = [name for name in needed if name not in raw.columns]
    if missing:
        hint = nearest(missing[0], map(str, raw.columns))
        raise DataError(
            f"{files[0]}: column {missing[0]!r} missing{hint or '; names stand in the second line as published'}"
        )
    return raw
