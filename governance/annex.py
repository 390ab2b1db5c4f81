"""The technical documentation of the EU AI Act, Annex IV: nine parts, each told by papers that are written anyway."""

from __future__ import annotations

from collections.abc import Sequence

from governance.artefact import Artefact, recorded, stated, table
from governance.facts import Facts

PARTS = (
    ("1", "General description of the system", (1, 8)),
    ("2", "Elements of the system and how it was developed", (2, 3, 6)),
    ("3", "Monitoring, functioning and control", (8, 10, 11)),
    ("4", "Whether the performance metrics are appropriate", (4, 5)),
    ("5", "Risk management system", (4, 9)),
    ("6", "Changes over its life", (9, 12)),
    ("7", "Standards applied", ()),
    ("8", "EU declaration of conformity", ()),
    ("9", "Post-market monitoring plan", (10,)),
)
_OF_PERSONS = {"5": "risk_management", "7": "standards", "8": "declaration", "9": "post_market"}


def annex_iv(facts: Facts, others: Sequence[Artefact]) -> Artefact:
    """7: the index, which paper tells each part, and how much of it a person has still to supply."""
    by_number = {one.number: one for one in others}
    said = facts.product.governance
    rows = []
    for number, title, papers in PARTS:
        own = _OF_PERSONS.get(number)
        missing = sum(len(by_number[paper].missing) for paper in papers) + bool(own and not getattr(said, own).strip())
        told = ", ".join(f"{paper} {by_number[paper].title}" for paper in papers)
        rows.append((number, title, told or "a person's statement alone", missing))
    return Artefact(
        7,
        "annex_iv",
        "Technical documentation (EU AI Act, Annex IV)",
        "An index over the other papers. The titles of its parts are ours: compliance compares them with the Act.",
        (
            *recorded("bundle", version=facts.bundle.version, digest=facts.bundle.digest),
            *stated(said, "purpose", "owner", "risk_management", "standards", "declaration", "post_market"),
        ),
        (table("Parts", "governance/annex.py", ("part", "title", "told in", "fields to be supplied"), rows),),
    )
