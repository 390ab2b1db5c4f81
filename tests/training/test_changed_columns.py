"""A champion that reads a flat column which its product no longer declares: told before anything is trained."""

from __future__ import annotations

import pytest

from configs.errors import InputError
from configs.settings import ColumnSpec, Product, flat_product
from features.catalogue import Program, compile_program, product_features
from training.judgement import require_columns


def loans(*columns: str, deny: tuple[str, ...] = ()) -> Product:
    product = flat_product("loans", "Loans", tuple(ColumnSpec(name=name) for name in columns))
    return product.model_copy(update={"deny": deny})


def program(product: Product) -> Program:
    return compile_program(product_features(product, {}))


def test_a_column_the_champion_reads_may_not_leave_the_product() -> None:
    with pytest.raises(InputError, match=r"loans-1 reads columns .* no longer declares: amount. .* deny"):
        require_columns(program(loans("duration", "amount")), "loans-1", loans("duration"))


def test_a_column_may_be_denied_to_challengers_and_new_ones_declared() -> None:
    after = loans("duration", "amount", "purpose", deny=("amount",))
    require_columns(program(loans("duration", "amount")), "loans-1", after)
    assert program(after).names == ("duration", "purpose")
