"""Sources: the same tables from files, SQLite and a real PostgreSQL, whole or by customer, and what cannot be read."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from configs.settings import Product
from features import matrix
from features.catalogue import DECLARED, compile_program
from features.contracts import to_day
from features.load import load
from features.parquet import read_parquet
from features.ranges import ALL, Range
from features.sources import Database, Folder, Frames, Joined, Source, open_source

Tables = dict[str, pd.DataFrame]
CUSTOMERS = "abcdef"
KINDS = ("parquet", "parts", "csv", "sqlite", "postgres")


def in_parquet(tables: Tables, folder: Path) -> str:
    for name, frame in tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    return str(folder)


def in_parts(tables: Tables, folder: Path) -> str:
    for name, frame in tables.items():
        (folder / name).mkdir()
        whole = pa.Table.from_pandas(frame, preserve_index=False)
        for part in range(3):
            rows = np.arange(part, len(frame), 3)
            pq.write_table(whole.take(rows), folder / name / f"part-{part}.parquet")
    return str(folder)


def in_csv(tables: Tables, folder: Path) -> str:
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return str(folder)


def in_database(tables: Tables, url: str) -> str:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    for name, frame in tables.items():
        dates = {column: sa.Date for column in frame if isinstance(frame[column].dropna().iloc[:1].max(), dt.date)}
        frame.to_sql(name, engine, index=False, if_exists="replace", dtype=dates | {"known_time": sa.Date})
    return url


def in_sqlite(tables: Tables, folder: Path) -> str:
    return in_database(tables, f"sqlite:///{folder}/tables.db")


@pytest.fixture(scope="session")
def book(histories_of) -> Tables:
    """Random tables of six customers whose ids are numbers, with a zero in front and without."""
    ids = dict(zip(CUSTOMERS, ("007", "7", "10", "9", "Ülm", "a b"), strict=True))
    return {name: frame.replace({"customer_id": ids}) for name, frame in histories_of(3, CUSTOMERS).items()}


@pytest.fixture(scope="session")
def place_of(
    book: Tables, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Callable[[str], str]:
    """Where the book lies, by kind of source."""
    made: dict[str, str] = {}
    writers = {"parquet": in_parquet, "parts": in_parts, "csv": in_csv, "sqlite": in_sqlite}

    def place(kind: str) -> str:
        if kind not in made:
            if kind == "postgres":
                made[kind] = in_database(book, request.getfixturevalue("postgres"))
            else:
                made[kind] = writers[kind](book, tmp_path_factory.mktemp(kind))
        return made[kind]

    return place


over_kinds = pytest.mark.parametrize("kind", KINDS)


def questions(book: Tables) -> tuple[np.ndarray, np.ndarray]:
    asked = list(itertools.product(book["customers"]["customer_id"], (dt.date(2022, 12, 31), dt.date(2024, 2, 15))))
    return np.array([c for c, _ in asked], object), np.array([to_day(day) for _, day in asked], np.int32)


def rows(source: Source, product: Product, book: Tables) -> np.ndarray:
    return matrix.build(compile_program(DECLARED), load(source, product).tables, *questions(book))


@over_kinds
def test_the_same_tables_give_the_same_bytes_from_everywhere(kind: str, book: Tables, place_of, shipped) -> None:
    product = shipped("trade_credit")
    expected = rows(Frames(book, "frames"), product, book)
    assert not np.isnan(expected).all(1).any()
    assert rows(open_source([place_of(kind)]), product, book).tobytes() == expected.tobytes()


@over_kinds
def test_a_source_names_its_tables(kind: str, book: Tables, place_of) -> None:
    assert sorted(open_source([place_of(kind)]).names()) == sorted(book)


@over_kinds
def test_a_source_knows_its_customers(kind: str, book: Tables, place_of) -> None:
    found = open_source([place_of(kind)]).customers("statements")
    assert sorted(found) == sorted(book["statements"]["customer_id"].unique())


@over_kinds
@pytest.mark.parametrize("table", ["statements", "investigations"])
def test_ranges_hold_every_row_once(kind: str, table: str, book: Tables, place_of) -> None:
    source = open_source([place_of(kind)])
    bounds = [None, "10", "7", "9", "a", "Ü", None]
    parts = [source.read(table, Range(low, high)) for low, high in itertools.pairwise(bounds)]
    assert sum(map(len, parts)) == len(book[table])
    for part, (low, high) in zip(parts, itertools.pairwise(bounds), strict=True):
        ids = part["customer_id"].astype(str)
        assert all((low is None or low <= id_) and (high is None or id_ < high) for id_ in ids)


def test_a_folder_of_one_file_says_where_it_is(tmp_path: Path) -> None:
    assert Folder(tmp_path).told() == str(tmp_path)


# Any text a file can hold, with what sorts oddly in databases and looks like numbers in files.
ids_of_any_kind = st.one_of(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4),
            st.sampled_from(
                ["1", "10", "2", "007", "A", "a", "B", "b", "Z", "é", "e", "日本", "\U0001f600", "-", "_", " "]
            ),
        ),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=12),
)
for_any_ids = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def frames_source(frame: pd.DataFrame, folder: Path) -> Source:
    return Frames({"t": frame}, "here")


def parquet_source(frame: pd.DataFrame, folder: Path) -> Source:
    frame.to_parquet(folder / "t.parquet", index=False)
    return Folder(folder)


def sqlite_source(frame: pd.DataFrame, folder: Path) -> Source:
    return Database(in_database({"t": frame}, f"sqlite:///{folder}/t.db"))


@pytest.mark.parametrize("make", [frames_source, parquet_source, sqlite_source])
@given(ids=ids_of_any_kind, bounds=st.lists(st.text(max_size=3), max_size=4))
@for_any_ids
def test_any_ids_are_parted_without_loss_or_overlap(
    make: Callable[[pd.DataFrame, Path], Source], ids: list[str] | list[int], bounds: list[str], tmp_path: Path
) -> None:
    part_them(make(pd.DataFrame({"customer_id": ids, "row": range(len(ids))}), tmp_path), list(map(str, ids)), bounds)


@given(ids=ids_of_any_kind, bounds=st.lists(st.text(st.characters(exclude_characters="\0"), max_size=3), max_size=4))
@settings(for_any_ids, max_examples=8)
def test_any_ids_are_parted_by_postgres_too(ids: list[str] | list[int], bounds: list[str], postgres: str) -> None:
    frame = pd.DataFrame({"customer_id": ids, "row": range(len(ids))})
    part_them(Database(in_database({"parted": frame}, postgres)), list(map(str, ids)), bounds, "parted")


def part_them(source: Source, ids: list[str], bounds: list[str], table: str = "t") -> None:
    """Between any bounds, and between the ids themselves, every row comes once, and where Python puts it."""
    plain = [bound for bound in bounds if not any("\ud800" <= letter <= "\udfff" for letter in bound)]
    ends = [None, *sorted({*plain, ids[0], ids[-1]}), None]
    seen = []
    for low, high in itertools.pairwise(ends):
        part = source.read(table, Range(low, high))["row"].tolist()
        assert part == [r for r, i in enumerate(ids) if (low is None or low <= i) and (high is None or i < high)]
        seen += part
    assert sorted(seen) == list(range(len(ids)))
    assert sorted(source.customers(table)) == sorted(set(ids))


GAP = pd.DataFrame({"customer_id": ["b", None, "a"], "row": [0, 1, 2]})


@pytest.mark.parametrize("make", [frames_source, parquet_source, sqlite_source])
def test_a_row_without_an_id_goes_with_the_lowest_so_that_it_is_told(make, tmp_path: Path) -> None:
    source = make(GAP, tmp_path)
    assert source.read("t", Range(None, "b"))["row"].tolist() == [1, 2]
    assert source.read("t", Range("b", None))["row"].tolist() == [0]
    assert sorted(source.customers("t")) == ["a", "b"]


@pytest.mark.parametrize("make", [frames_source, parquet_source, sqlite_source])
def test_large_whole_ids_beside_a_missing_one_stay_exact(make, tmp_path: Path) -> None:
    # As floats, 2 ** 53 and 2 ** 53 + 1 would be one customer.
    ids = pd.array([2**53, 2**53 + 1, None], "Int64")
    frame = make(pd.DataFrame({"customer_id": ids, "row": [0, 1, 2]}), tmp_path).read("t")
    assert frame["customer_id"].astype(str).tolist()[:2] == [str(2**53), str(2**53 + 1)]


def test_categories_in_parquet_are_ids_like_others(tmp_path: Path) -> None:
    frame = pd.DataFrame({"customer_id": pd.Categorical(["b", "a", None]), "row": [0, 1, 2]})
    source = parquet_source(frame, tmp_path)
    assert source.read("t", Range("b", None))["row"].tolist() == [0]
    assert sorted(source.customers("t")) == ["a", "b"]


@pytest.mark.parametrize("make", [frames_source, parquet_source, sqlite_source])
def test_a_table_without_ids_is_read_whole_so_that_it_is_told(make, tmp_path: Path) -> None:
    source = make(pd.DataFrame({"row": [0, 1]}), tmp_path)
    assert len(source.read("t", Range("a", "b"))) == 2
    assert len(source.customers("t")) == 0


def test_decimals_of_a_database_are_the_numbers_they_say(postgres: str) -> None:
    engine = sa.create_engine(postgres, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS money"))
        connection.execute(
            sa.text("CREATE TABLE money (customer_id bigint, amount numeric(12, 2), on_day timestamptz)")
        )
        connection.execute(sa.text("INSERT INTO money VALUES (7, 0.10, '2023-01-31 12:00+00'), (8, NULL, NULL)"))
    frame = Database(postgres).read("money")
    assert pd.to_numeric(frame["amount"]).fillna(-1).tolist() == [0.1, -1]
    assert frame["customer_id"].tolist() == [7, 8]


def test_views_are_tables_too(postgres: str, tmp_path: Path) -> None:
    for url in (postgres, f"sqlite:///{tmp_path}/v.db"):
        in_database({"plain": pd.DataFrame({"customer_id": ["a"], "known_time": [None]})}, url)
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text("DROP VIEW IF EXISTS seen"))
            connection.execute(sa.text("CREATE VIEW seen AS SELECT * FROM plain"))
        assert "seen" in Database(url).names()
        assert Database(url).read("seen", Range("a", "b"))["customer_id"].tolist() == ["a"]
        with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
            connection.execute(sa.text("DROP VIEW seen"))


def test_values_a_database_types_otherwise_reach_the_contract_as_they_are(tmp_path: Path) -> None:
    # SQLite keeps text in a column declared as a date; the contract names the row, where a driver would only fail.
    url = f"sqlite:///{tmp_path}/t.db"
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE t (customer_id TEXT, month DATE, balance NUMERIC(10, 2))"))
        connection.execute(sa.text("INSERT INTO t VALUES ('a', '31.01.2023', 'much'), ('b', '2023-01-31', 1.5)"))
    frame = Database(url).read("t")
    assert frame["month"].tolist() == ["31.01.2023", "2023-01-31"]
    assert pd.to_numeric(frame["balance"], errors="coerce").fillna(-1).tolist() == [-1, 1.5]
    assert frame["balance"].tolist()[0] == "much"


def test_joined_sources_hold_all_tables_and_the_rows_of_both(tmp_path: Path) -> None:
    first = Frames(
        {"t": pd.DataFrame({"customer_id": ["a"], "x": [1.0]}), "only_first": pd.DataFrame({"y": [1]})}, "one"
    )
    second = Frames(
        {"t": pd.DataFrame({"customer_id": ["b"], "x": [2.0]}), "only_second": pd.DataFrame({"y": [2]})}, "two"
    )
    joined = Joined((first, second))
    assert joined.names() == ["only_first", "only_second", "t"]
    assert joined.read("t")["x"].tolist() == [1.0, 2.0]
    assert joined.read("t", Range("b", None))["x"].tolist() == [2.0]
    assert joined.read("only_second")["y"].tolist() == [2]
    assert sorted(joined.customers("t")) == ["a", "b"]
    assert joined.told() == "one + two"


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(["parquet", "csv", "sqlite"], 2)))
def test_a_book_split_over_two_places_is_the_book(
    first: str, second: str, book: Tables, shipped, tmp_path_factory: pytest.TempPathFactory
) -> None:
    writers = {"parquet": in_parquet, "csv": in_csv, "sqlite": in_sqlite}
    upper = {name: frame[frame["customer_id"] < "8"] for name, frame in book.items()}
    lower = {name: frame[frame["customer_id"] >= "8"] for name, frame in book.items()}
    places = [writers[kind](half, tmp_path_factory.mktemp("half")) for kind, half in ((first, upper), (second, lower))]
    product = shipped("trade_credit")
    assert rows(open_source(places), product, book).tobytes() == rows(Frames(book, "here"), product, book).tobytes()


def refused(place: str) -> str:
    with pytest.raises(DataError) as caught:
        open_source([place])
    return str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refused(str(tmp_path / "gone")) == f"{tmp_path / 'gone'}: no such file or folder"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x\n1\n", encoding="utf-8")
    assert "is a file; expected a folder of tables (one flat table: --csv)" in refused(str(tmp_path / "t.csv"))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql+pg8000://me:hunter2@127.0.0.1:1/book", "cannot connect: "),
        ("postgresql+pg8000://me:hunter2@no-such-host.invalid/book", "cannot connect: "),
        ("nosuch://me:hunter2@127.0.0.1/book", "cannot connect: "),
        ("oracle+nosuch://me:hunter2@127.0.0.1/book", "cannot connect: "),
        ("postgresql+pg8000://me:hunter2@127.0.0.1:port/book", "not a database URL: expected dialect+driver://"),
        ("postgresql+pg8000://me:hunter2/5@127.0.0.1:1/book", "cannot connect: "),
        ("postgresql+pg8000://127.0.0.1:1/book", "cannot connect: "),
        ("no url://me:hunter2@x", "not a database URL: expected dialect+driver://"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_without_the_password(url: str, told: str) -> None:
    message = refused(url)
    assert told in message
    assert "hunter2" not in message


def test_a_wrong_password_is_told_without_it(postgres: str) -> None:
    message = refused(str(sa.engine.make_url(postgres).set(password="hunter2").render_as_string(hide_password=False)))
    assert "cannot connect: " in message
    assert "hunter2" not in message


def test_no_message_of_a_database_holds_its_password(postgres: str) -> None:
    source = Database(postgres)
    with pytest.raises(DataError) as caught:
        source.read("gone")
    with pytest.raises(DataError) as asked:
        source.customers("gone")
    for told in (source.told(), str(caught.value), str(asked.value)):
        assert "tester:***@127.0.0.1" in told
        assert not any(part in told for part in ("s3cret", "%2F", "the@test"))


def test_a_missing_sqlite_file_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "no such file" in refused(f"sqlite:///{tmp_path}/typo.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_bytes(b"no database at all, and more than one page of it" * 100)
    assert "file is not a database" in refused(f"sqlite:///{tmp_path}/t.db")


@over_kinds
def test_a_table_that_is_not_there_is_refused(kind: str, place_of) -> None:
    source = open_source([place_of(kind)])
    for ask in (source.read, source.customers):
        with pytest.raises(DataError, match="gone"):
            ask("gone")


@pytest.mark.parametrize("cut", [8, 100, 2000])
@pytest.mark.parametrize("customers", [ALL, Range("a", "b")])
def test_a_truncated_parquet_file_is_refused(cut: int, customers: Range, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"customer_id": [f"c{i}" for i in range(1000)], "x": np.arange(1000.0)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(DataError, match=r"t\.parquet: not readable as parquet"):
        read_parquet(path, customers)


def test_a_damaged_page_of_a_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"customer_id": [f"c{i}" for i in range(1000)], "x": np.arange(1000.0)}).to_parquet(path)
    damaged = bytearray(path.read_bytes())
    damaged[4:400] = bytes(396)
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="not readable as parquet"):
        read_parquet(path)


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    pd.DataFrame({"customer_id": ["a"], "x": [1.0]}).to_parquet(tmp_path / "t" / "0.parquet")
    pd.DataFrame({"customer_id": ["b"], "x": ["much"]}).to_parquet(tmp_path / "t" / "1.parquet")
    with pytest.raises(DataError, match="not readable as parquet"):
        Folder(tmp_path).read("t")


def test_frames_without_the_table_are_refused() -> None:
    with pytest.raises(DataError, match="here: no table 'gone'; it holds t"):
        Frames({"t": pd.DataFrame()}, "here").read("gone")


@given(
    ids=st.lists(st.one_of(st.none(), st.sampled_from("abcdefg")), max_size=40),
    ordered=st.booleans(),
    group=st.integers(1, 7),
    low=st.sampled_from([None, "", "b", "d", "ee"]),
    high=st.sampled_from([None, "b", "e", "z"]),
)
def test_row_groups_of_any_size_and_order_give_the_rows_of_a_range(
    ids: list[str | None], ordered: bool, group: int, low: str | None, high: str | None
) -> None:
    ids = sorted(ids, key=lambda name: name or "") if ordered else ids
    numbers = np.arange(float(len(ids)))
    table = pa.table({"nested": [{"a": 1, "b": 2}] * len(ids), "customer_id": pa.array(ids, pa.string()), "x": numbers})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        pq.write_table(table, path, row_group_size=group)
        found = read_parquet(path, Range(low, high))
    wanted = [
        (name, number)
        for name, number in zip(ids, numbers, strict=True)
        if (low is None if name is None else (low or "") <= name and (high is None or name < high))
    ]
    if (low, high) == (None, None):
        wanted = list(zip(ids, numbers, strict=True))
    names = found["customer_id"].astype(object).where(found["customer_id"].notna(), None)
    assert list(zip(names, found["x"], strict=True)) == wanted


def test_a_range_decodes_no_row_group_that_cannot_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"customer_id": [f"c{i:03d}" for i in range(100)], "x": np.arange(100.0)})
    pq.write_table(table, path, row_group_size=10)
    whole = path.read_bytes()
    start = pq.ParquetFile(path).metadata.row_group(2).column(0).dictionary_page_offset
    path.write_bytes(whole[:4] + bytes(start - 4) + whole[start:])  # the first two row groups are ruined
    assert len(read_parquet(path, Range("c020", "c040"))) == 20
    with pytest.raises(DataError, match="not readable as parquet"):
        read_parquet(path, Range("c019", "c040"))


def test_a_walk_through_a_book_decodes_each_row_group_once_and_sees_a_file_replaced(tmp_path: Path) -> None:
    def written(offset: float) -> None:
        table = pa.table({"customer_id": [f"c{i:03d}" for i in range(100)], "x": offset + np.arange(100.0)})
        pq.write_table(table, tmp_path / "t.parquet", row_group_size=40)

    written(0.0)
    book = Folder(tmp_path)
    assert book.read("t", Range(None, "c030"))["x"].tolist() == list(range(30))
    ruined = (tmp_path / "t.parquet").read_bytes()
    times = (tmp_path / "t.parquet").stat()
    start = pq.ParquetFile(tmp_path / "t.parquet").metadata.row_group(1).column(0).dictionary_page_offset
    (tmp_path / "t.parquet").write_bytes(ruined[:4] + bytes(start - 4) + ruined[start:])
    os.utime(tmp_path / "t.parquet", ns=(times.st_atime_ns, times.st_mtime_ns))  # as if nothing had changed
    assert book.read("t", Range("c030", "c050"))["x"].tolist() == list(range(30, 50))
    written(1000.0)
    assert book.read("t", Range("c050", "c060"))["x"].tolist() == list(range(1050, 1060))
