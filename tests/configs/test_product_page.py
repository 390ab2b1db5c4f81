"""docs/product.md: its example is a product, and its table has every key."""

from __future__ import annotations

import re
from pathlib import Path

from configs.product import Product
from configs.settings import load_product


def test_the_example_of_the_page_is_a_product(repository: Path, tmp_path: Path) -> None:
    page = (repository / "docs" / "product.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "my_loans.toml").write_text(example, encoding="utf-8")
    product = load_product(str(tmp_path / "my_loans.toml"), tmp_path)
    assert (product.name, [grade.name for grade in product.grades]) == ("my_loans", ["A", "B", "C"])


def test_every_key_of_a_product_is_on_the_page(repository: Path) -> None:
    table = (repository / "docs" / "product.md").read_text(encoding="utf-8").split("## Keys")[1]
    assert [key for key in Product.model_fields if not re.search(rf"[`\[]{key}[`\]]", table)] == []
