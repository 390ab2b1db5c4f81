"""Products by name: those of the home folder, those shipped, and the template of a flat table."""

from __future__ import annotations

from pathlib import Path

from configs.errors import ConfigError, nearest
from configs.product import ColumnSpec, Product
from configs.toml_files import HERE, parse, read_toml, toml_of

_SHIPPED = HERE / "products"


def product_names(home: Path) -> list[str]:
    """The products that `load_product` finds by name."""
    folders = (home / "products", _SHIPPED)
    return sorted({path.stem for folder in folders for path in folder.glob("*.toml") if path.stem != "flat"})


def load_product(name: str, home: Path) -> Product:
    """The product `name`: a path to a TOML file, one of `home`/products, or one of those shipped."""
    path = Path(name)
    if path.suffix != ".toml":
        found = [folder / f"{name}.toml" for folder in (home / "products", _SHIPPED)]
        path = next((candidate for candidate in found if candidate.exists()), path)
    if path.suffix != ".toml":
        known = product_names(home)
        raise ConfigError(f"no product {name!r}{nearest(name, known) or '.'} Known: {', '.join(known)}")
    return parse(Product, read_toml(path), str(path))


def product_name(given: str, home: Path) -> str:
    """The name of the product `given` as on a command line: that name, or what the file says whose path it is."""
    return load_product(given, home).name if Path(given).suffix == ".toml" else given


def flat_product(name: str, title: str, columns: tuple[ColumnSpec, ...]) -> Product:
    """The product of a flat table: the shipped template with this name and these columns."""
    template = read_toml(_SHIPPED / "flat.toml")
    listed_columns = [column.model_dump() for column in columns]
    return parse(Product, {**template, "name": name, "title": title, "columns": listed_columns}, "flat.toml")


def product_toml(product: Product) -> str:
    """The product as TOML text that `load_product` reads back as the same product."""
    return toml_of(product.model_dump(exclude_none=True))
