"""Settings: what is refused, with which words, and what is laid over what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from configs import settings
from configs.errors import ConfigError, DataError, InputError, Refusal, listed, nearest
from configs.product import Jurisdiction
from configs.settings import Band, ColumnSpec, Product, load_product, load_settings, parse, read_toml

SHIPPED = ("bank_lending", "consumer_platform", "trade_credit", "uci_default")


def shipped_values(name: str = "trade_credit") -> dict[str, Any]:
    return read_toml(settings.HERE / "products" / f"{name}.toml")


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(Product, values, "p.toml")
    return str(caught.value)


def home_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "creditloop.toml").write_text(text, encoding="utf-8")
    return tmp_path


def refused_home(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(home_with(tmp_path, text))
    return str(caught.value)


def test_the_shipped_settings_load(tmp_path: Path) -> None:
    assert load_settings(tmp_path).training.seed == 20260101


def test_store_urls_are_resolved_against_the_home(tmp_path: Path) -> None:
    assert load_settings(tmp_path).stores.ledger == f"sqlite:///{tmp_path}/ledger.db"


def test_the_homes_own_file_is_laid_over_the_shipped_one_key_by_key(tmp_path: Path) -> None:
    found = load_settings(home_with(tmp_path, "[training]\ntrials = 7\n")).training
    assert (found.trials, found.folds) == (7, 5)


def test_overrides_are_laid_over_the_homes_own_file(tmp_path: Path) -> None:
    home = home_with(tmp_path, "[training]\ntrials = 7\n")
    assert load_settings(home, {"training": {"trials": 3}}).training.trials == 3


def test_laying_over_leaves_the_shipped_settings_as_they_were(tmp_path: Path) -> None:
    load_settings(tmp_path, {"training": {"trials": 3}})
    assert load_settings(tmp_path).training.trials == 30


def test_an_unknown_key_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    message = refused_home(tmp_path, "[training]\ntrails = 7\n")
    assert "training.trails: unknown key; did you mean 'trials'?" in message


def test_an_unknown_section_is_refused_with_the_nearest_known_one(tmp_path: Path) -> None:
    assert "trainig: unknown key; did you mean 'training'?" in refused_home(tmp_path, "[trainig]\ntrials = 7\n")


def test_a_refusal_names_the_file_that_is_wrong(tmp_path: Path) -> None:
    assert refused_home(tmp_path, "[training]\ntrails = 7\n").startswith(str(tmp_path / "creditloop.toml"))


def test_a_wrong_type_is_refused_with_what_came(tmp_path: Path) -> None:
    message = refused_home(tmp_path, '[training]\ntrials = "many"\n')
    assert "training.trials: Input should be a valid integer, got 'many'" in message


def test_a_whole_number_in_quotes_is_no_number(tmp_path: Path) -> None:
    assert "training.trials" in refused_home(tmp_path, '[training]\ntrials = "7"\n')


def test_a_value_out_of_range_is_refused(tmp_path: Path) -> None:
    message = refused_home(tmp_path, "[training]\ntimeout_seconds = 0\n")
    assert "training.timeout_seconds: Input should be greater than 0, got 0" in message


def test_all_nested_problems_are_told_at_once(tmp_path: Path) -> None:
    message = refused_home(tmp_path, "[training]\ntrails = 7\nfolds = 1\n[serving]\nport = 0\n")
    assert "3 problems" in message
    assert all(key in message for key in ("training.trails", "training.folds", "serving.port"))


def test_a_section_that_is_no_section_is_refused(tmp_path: Path) -> None:
    assert "stores: Input should be a valid dictionary" in refused_home(tmp_path, 'stores = "here"\n')


def test_a_band_that_falls_is_refused(tmp_path: Path) -> None:
    message = refused_home(tmp_path, "[gate]\ncalibration_ratio = [1.3, 0.7]\n")
    assert "gate.calibration_ratio: low 1.3 must lie below high 0.7" in message


def test_a_band_of_one_point_is_refused(tmp_path: Path) -> None:
    assert "must lie below" in refused_home(tmp_path, "[gate]\ncalibration_ratio = [1.0, 1.0]\n")


@pytest.mark.parametrize("text", ["[nan, 1.0]", "[0.5, inf]", "[1.0]", "[0.5, 1.0, 2.0]", '"0.5-1"'])
def test_a_band_that_is_no_pair_of_numbers_is_refused(tmp_path: Path, text: str) -> None:
    assert "gate.calibration_ratio" in refused_home(tmp_path, f"[gate]\ncalibration_ratio = {text}\n")


def test_a_band_holds_its_bounds_and_never_a_missing_value() -> None:
    band = Band(low=0.5, high=1.5)
    assert [band.holds(value) for value in (0.5, 1.5, 1.6, float("nan"))] == [True, True, False, False]


def test_a_file_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    assert "line 1" in refused_home(tmp_path, "[training\n")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "creditloop.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not readable as TOML"):
        load_settings(tmp_path)


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path)
    with pytest.raises(ValidationError):
        loaded.training.trials = 1


def test_the_home_is_taken_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_HOME", str(tmp_path))
    assert settings.home_folder() == tmp_path.resolve()


def test_without_a_home_it_is_var(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDITLOOP_HOME", "")
    assert settings.home_folder() == Path("var").resolve()


@pytest.mark.parametrize("name", [*SHIPPED, "flat"])
def test_every_shipped_product_loads_under_its_own_name(name: str, shipped: Callable[[str], Product]) -> None:
    assert shipped(name).name == name


def test_the_shipped_products_are_those_listed(tmp_path: Path) -> None:
    assert tuple(settings.product_names(tmp_path)) == SHIPPED


def test_a_product_of_the_home_is_found_before_the_shipped_one(tmp_path: Path) -> None:
    folder = tmp_path / "products"
    folder.mkdir()
    text = (settings.HERE / "products" / "trade_credit.toml").read_text(encoding="utf-8")
    (folder / "trade_credit.toml").write_text(text.replace('"EUR"', '"CHF"'), encoding="utf-8")
    assert load_product("trade_credit", tmp_path).currency == "CHF"


def test_a_product_is_read_from_a_path(tmp_path: Path) -> None:
    assert load_product(str(settings.HERE / "products" / "flat.toml"), tmp_path).name == "flat"


def test_an_unknown_product_is_refused_with_the_nearest_and_all_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_product("trade_credt", tmp_path)
    assert "did you mean 'trade_credit'?" in str(caught.value)
    assert "consumer_platform" in str(caught.value)


def test_a_product_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_product(str(tmp_path / "mine.toml"), tmp_path)


def test_an_unknown_key_inside_a_grade_is_refused_with_the_nearest() -> None:
    values = shipped_values()
    values["grades"][1]["limit_cup"] = 1.0
    assert "grades.1.limit_cup: unknown key; did you mean 'limit_cap'?" in refusal(values)


def test_an_unknown_table_is_refused() -> None:
    assert "tables.0" in refusal({**shipped_values(), "tables": ["statments"]})


def test_a_missing_section_is_refused() -> None:
    values = shipped_values()
    del values["policy"]
    assert "policy: missing" in refusal(values)


def test_a_masterscale_whose_bounds_do_not_rise_is_refused() -> None:
    values = shipped_values()
    values["grades"][1]["pd_below"] = 0.01
    assert "grades.B.pd_below: 0.01 must rise above 0.01" in refusal(values)


def test_a_masterscale_that_ends_before_one_is_refused() -> None:
    values = shipped_values()
    values["grades"][-1]["pd_below"] = 0.5
    assert "grades.F: the last grade takes every PD left" in refusal(values)


def test_a_grade_in_the_middle_needs_a_bound() -> None:
    values = shipped_values()
    del values["grades"][2]["pd_below"]
    assert "grades.C.pd_below: missing" in refusal(values)


@pytest.mark.parametrize("earned", ["terms_days", "limit_cap", "capacity_multiple"])
def test_a_worse_grade_may_not_earn_more(earned: str) -> None:
    values = shipped_values()
    values["grades"][3][earned] = 10_000_000
    assert f"grades.D.{earned}: a worse grade may not earn more than C" in refusal(values)


def test_a_worse_grade_may_not_be_decided_more_mildly() -> None:
    values = shipped_values()
    values["grades"][2]["decision"] = "decline"
    assert "grades.D.decision: 'approve' is milder than 'decline'" in refusal(values)


def test_a_grade_named_twice_is_refused() -> None:
    values = shipped_values()
    values["grades"][1]["name"] = "A"
    assert "grades.A: named twice" in refusal(values)


def test_one_grade_is_no_masterscale() -> None:
    values = shipped_values()
    assert "needs at least two" in refusal({**values, "grades": values["grades"][-1:]})


def test_a_bound_above_one_is_refused() -> None:
    values = shipped_values()
    values["grades"][4]["pd_below"] = 1.5
    assert "grades.4.pd_below" in refusal(values)


def test_all_problems_of_a_masterscale_are_told_at_once() -> None:
    values = shipped_values()
    values["grades"][1]["pd_below"] = 0.001
    values["grades"][-1]["limit_cap"] = 1e9
    assert {"grades.B.pd_below", "grades.F.limit_cap"} <= set(refusal(values).replace(":", " ").split())


def with_policy(**changed: Any) -> dict[str, Any]:
    values = shipped_values("bank_lending")
    return {**values, "policy": {**values["policy"], **changed}}


def with_rule(**changed: Any) -> dict[str, Any]:
    rules = shipped_values("bank_lending")["policy"]["knock_outs"]
    return with_policy(knock_outs=[{**rules[0], **changed}, *rules[1:]])


def with_authority(place: int, **changed: Any) -> dict[str, Any]:
    levels = shipped_values("bank_lending")["policy"]["authorities"]
    return with_policy(authorities=[{**level, **(changed if n == place else {})} for n, level in enumerate(levels)])


@pytest.mark.parametrize(
    ("band", "told"),
    [
        ([0.15, 0.07], "low 0.15 must lie below high 0.07"),
        ([0.01, 0.03], "grade C above 0.03 approves"),
        ([0.16, 0.2], "grade F below 0.16 declines"),
        ([0.1, 1.2], "its bounds are PDs"),
    ],
)
def test_a_referral_band_that_falls_or_does_not_hold_the_cut_off_is_refused(band: list[float], told: str) -> None:
    assert told in refusal(with_policy(referral_band=band))


def test_a_referral_band_may_begin_and_end_on_the_bounds_of_what_is_referred_anyway() -> None:
    assert parse(Product, with_policy(referral_band=[0.08, 0.15]), "p").policy.referral_band is not None


@pytest.mark.parametrize("changed", [{"feature": None}, {"request": "group_exposure"}])
def test_a_knock_out_is_on_one_thing(changed: dict[str, Any]) -> None:
    assert "say either feature or request" in refusal(with_rule(**changed))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("operator", "="),
        ("decision", "approve"),
        ("missing", "decline"),
        ("reason", ""),
        ("reason_zh", ""),
        ("name", "Two words"),
    ],
)
def test_a_knock_out_that_says_what_it_may_not_is_refused(key: str, value: str) -> None:
    assert f"policy.knock_outs.0.{key}" in refusal(with_rule(**{key: value}))


def test_a_knock_out_says_what_a_missing_value_does() -> None:
    rule = dict(shipped_values("bank_lending")["policy"]["knock_outs"][0])
    del rule["missing"]
    assert "policy.knock_outs.0.missing: missing" in refusal(with_policy(knock_outs=[rule]))


def test_a_knock_out_named_twice_is_refused() -> None:
    told = refusal(with_rule(name="amount_beyond_the_product"))
    assert "policy.knock_outs.amount_beyond_the_product: named twice" in told


def test_a_highest_rate_below_cost_is_refused() -> None:
    pricing = {"funding_rate": 0.03, "operating_cost_rate": 0.02, "margin_rate": 0.0, "maximum_rate": 0.04}
    assert "maximum_rate 0.04 lies below funding and operating cost, 0.05" in refusal(with_policy(pricing=pricing))


def test_a_worse_grade_may_not_give_less_collateral() -> None:
    values = shipped_values("bank_lending")
    values["grades"][3]["collateral_share"] = 0.1
    assert "grades.D.collateral_share: a worse grade may not give less than C" in refusal(values)


@pytest.mark.parametrize(
    ("place", "changed", "told"),
    [
        (1, {"largest_limit": 10000.0}, "head_of_credit.largest_limit: 10000.0 must rise above 10000.0"),
        (1, {"worst_grade": "C"}, "head_of_credit.worst_grade: must reach at least as far"),
        (1, {"worst_grade": "Z"}, "head_of_credit.worst_grade: no grade 'Z'"),
        (2, {"sets_aside": ["refer"]}, "credit_committee: may not do what head_of_credit"),
        (0, {"lifts_knock_outs": True}, "head_of_credit: may not do what credit_officer"),
        (0, {"name": "head_of_credit"}, "head_of_credit: named twice"),
    ],
)
def test_levels_of_authority_that_do_not_rise_are_refused(place: int, changed: dict[str, Any], told: str) -> None:
    assert f"policy.authorities.{told}" in refusal(with_authority(place, **changed))


def test_the_policy_reads_its_capacity_and_its_knock_outs_features(shipped: Callable[[str], Product]) -> None:
    assert shipped("bank_lending").policy.reads() == ("inflow_mean_6m", "court_events_12m")


@pytest.mark.parametrize("name", SHIPPED)
def test_a_product_written_as_toml_or_json_reads_back_as_the_same(
    name: str, shipped: Callable[[str], Product], tmp_path: Path
) -> None:
    product = shipped(name)
    path = tmp_path / "again.toml"
    path.write_text(settings.product_toml(product), encoding="utf-8")
    again = load_product(str(path), tmp_path)
    assert again == product == Product.model_validate_json(product.model_dump_json())
    assert again.digest() == product.digest()


def test_a_policy_that_uses_nothing_new_is_written_as_before_there_was_any_of_it() -> None:
    # The digest of decisions made earlier must be found again by replay.
    written = parse(Product, shipped_values("consumer_platform"), "p").model_dump()
    assert set(written["policy"]) == {"loss_given_default", "loss_budget", "capacity_feature", "minimum_limit"}
    assert "collateral_share" not in written["grades"][0]


def test_a_column_named_twice_is_refused() -> None:
    assert "columns.x: named twice" in refusal({**shipped_values("flat"), "columns": [{"name": "x"}, {"name": "x"}]})


@pytest.mark.parametrize("name", ["customer_id", "date", "known_time"])
def test_a_column_named_like_one_of_every_table_is_refused(name: str) -> None:
    assert f"columns.{name}: every" in refusal({**shipped_values("flat"), "columns": [{"name": name}]})


@pytest.mark.parametrize("name", ["", "Trade", "1a", "a-b", "../x", "a" * 64])
def test_a_product_name_unfit_for_a_file_is_refused(name: str) -> None:
    assert "name:" in refusal({**shipped_values(), "name": name})


def test_the_digest_changes_when_any_value_changes() -> None:
    base = shipped_values()
    changed = [
        {**base, "title": "Other"},
        {**base, "deny": ["revenue_last"]},
        {**base, "policy": {**base["policy"], "loss_budget": 2500.5}},
        {**base, "grades": [{**base["grades"][0], "terms_days": 61}, *base["grades"][1:]]},
    ]
    digests = {parse(Product, values, "p").digest() for values in (base, *changed)}
    assert len(digests) == 5


def test_the_digest_does_not_depend_on_the_order_of_the_file() -> None:
    base = shipped_values()
    turned = dict(reversed(base.items()))
    assert parse(Product, base, "p").digest() == parse(Product, turned, "p").digest()


def test_a_product_is_hashable(shipped: Callable[[str], Product]) -> None:
    assert len({shipped("flat"), shipped("trade_credit")}) == 2


def test_a_flat_product_has_the_columns_given() -> None:
    product = settings.flat_product("mine", "Mine", (ColumnSpec(name="x"), ColumnSpec(name="y", kind="category")))
    assert (product.name, product.tables, [c.name for c in product.columns]) == (
        "mine",
        ("facts",),
        ["x", "y"],
    )


def test_wrong_input_leaves_with_two_and_a_no_with_one() -> None:
    assert [kind.exit_code for kind in (InputError, ConfigError, DataError, Refusal)] == [2, 2, 2, 1]


def test_nothing_near_gives_no_hint() -> None:
    assert nearest("zzzz", ["trials"]) == ""


def test_a_long_list_of_problems_is_cut_and_counted() -> None:
    lines = listed("here", [f"p{i}" for i in range(30)], shown=2).splitlines()
    assert lines == ["here: 30 problems", "  p0", "  p1", "  ... and 28 more"]


def test_one_problem_is_singular() -> None:
    assert listed("here", ["p"]) == "here: 1 problem\n  p"


def test_hardly_any_row_may_be_bad_unless_a_person_says_so(tmp_path: Path) -> None:
    assert load_settings(tmp_path).data.quarantine_share <= 0.001
    assert load_settings(home_with(tmp_path, "[data]\nquarantine_share = 0.01\n")).data.quarantine_share == 0.01


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", '"some"'])
def test_a_share_that_is_none_is_refused(tmp_path: Path, share: str) -> None:
    assert "data.quarantine_share" in refused_home(tmp_path, f"[data]\nquarantine_share = {share}\n")


PLACES = get_args(Jurisdiction)


def test_every_jurisdiction_protects_something_and_none_is_unknown() -> None:
    protected = read_toml(settings.HERE / "protected.toml")
    assert set(protected) == set(PLACES)
    for rule in protected.values():
        assert len(rule["attributes"]) == len(set(rule["attributes"])) >= 5
        assert all(name == settings.plain_name(name) for name in rule["attributes"])


@pytest.mark.parametrize("place", PLACES)
def test_race_and_religion_decide_nowhere(place: str) -> None:
    assert {"race", "religion"} <= parse(Product, {**shipped_values(), "jurisdictions": [place]}, "p").denied()


def test_an_unknown_jurisdiction_is_refused() -> None:
    assert "jurisdictions.0: Input should be 'eu', 'us', 'cn' or 'uk', got 'mars'" in refusal(
        {**shipped_values(), "jurisdictions": ["mars"]}
    )


def test_a_product_denies_what_its_jurisdictions_protect_and_what_it_says_in_any_writing() -> None:
    values = {**shipped_values(), "jurisdictions": ["us"], "deny": ["Postal Code", "邮编"]}
    denied = parse(Product, values, "p").denied()
    assert {"marital_status", "postal_code", "Postal Code", "邮编"} <= denied
    assert not {"", "nationality"} & denied


def test_a_product_without_jurisdictions_denies_what_it_says_only() -> None:
    values = {name: value for name, value in shipped_values().items() if name != "jurisdictions"}
    assert parse(Product, {**values, "deny": ["age"]}, "p").denied() == {"age"}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_product_names_its_jurisdictions(name: str, shipped: Callable[[str], Product]) -> None:
    assert shipped(name).jurisdictions


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Marital Status", "marital_status"),
        ("SEX", "sex"),
        ("  a--b ", "a_b"),
        ("x_1", "x_1"),
        ("年龄", ""),
        ("Größe", "gr_e"),
    ],
)
def test_a_plain_name_is_lower_case_letters_and_digits(name: str, plain: str) -> None:
    assert settings.plain_name(name) == plain


def test_a_product_file_keeps_its_jurisdictions(tmp_path: Path) -> None:
    product = settings.flat_product("mine", "Mine", (ColumnSpec(name="x"),))
    path = tmp_path / "mine.toml"
    path.write_text(settings.product_toml(product), encoding="utf-8")
    assert load_product(str(path), tmp_path) == product
    assert product.jurisdictions


def test_a_monitor_that_runs_more_often_than_its_budget_counts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "creditloop.toml").write_text("[schedule]\nevery_days = 1\n")
    with pytest.raises(ConfigError, match=r"runs_a_year 12 is less than the 365 runs"):
        load_settings(tmp_path)
    (tmp_path / "creditloop.toml").write_text("[schedule]\nevery_days = 1\n[monitoring]\nruns_a_year = 365\n")
    assert load_settings(tmp_path).monitoring.runs_a_year == 365


@pytest.mark.parametrize("other", ["ADA LOVE", " ada  love", "Ａｄａ Love", "ada\u00a0love"])
def test_one_person_written_in_two_ways_approves_no_limits(tmp_path: Path, other: str) -> None:
    told = refused_home(tmp_path, f'[retraining.automatic]\napproved_by = ["Ada Love", "{other}"]\n')
    assert "at least two different persons" in told


def test_a_blank_is_nobody_who_could_approve_limits(tmp_path: Path) -> None:
    assert "approved_by.1" in refused_home(tmp_path, '[retraining.automatic]\napproved_by = ["Ada Love", " "]\n')
