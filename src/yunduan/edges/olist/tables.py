"""The Olist tables as they are published, one parquet file each, read into typed rows."""

from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, get_args

import msgspec
import pyarrow as pa
from msgspec import Struct
from pyarrow import parquet


class TablesRefusedError(Exception):
    """The folder does not hold the tables of Olist; the text says what is wrong with it."""


class Order(Struct, frozen=True, rename=lambda name: f"order_{name}" if name not in {"order_id", "customer_id"} else name):
    """A row of `orders`; times are local, as text, and may be missing."""

    order_id: str
    customer_id: str
    status: str
    purchase_timestamp: str
    approved_at: str | None
    delivered_carrier_date: str | None
    delivered_customer_date: str | None
    estimated_delivery_date: str


class Item(Struct, frozen=True):
    """A row of `order_items`: one piece of one product."""

    order_id: str
    order_item_id: int
    product_id: str
    seller_id: str
    shipping_limit_date: str
    price: float
    freight_value: float


class Payment(Struct, frozen=True):
    """A row of `order_payments`."""

    order_id: str
    payment_sequential: int
    payment_type: str
    payment_value: float


class Customer(Struct, frozen=True):
    """A row of `customers`: an address, of the person `customer_unique_id`."""

    customer_id: str
    customer_unique_id: str
    customer_zip_code_prefix: str
    customer_city: str
    customer_state: str


class Review(Struct, frozen=True):
    """A row of `order_reviews`."""

    review_id: str
    order_id: str
    review_score: int
    review_comment_title: str | None
    review_comment_message: str | None
    review_creation_date: str


class Product(Struct, frozen=True):
    """A row of `products`; there is no title."""

    product_id: str
    product_category_name: str | None
    product_weight_g: float | None


class Seller(Struct, frozen=True):
    """A row of `sellers`."""

    seller_id: str
    seller_zip_code_prefix: str
    seller_city: str
    seller_state: str


class CategoryName(Struct, frozen=True):
    """A row of `category_translation`."""

    product_category_name: str
    product_category_name_english: str


class Tables(Struct, frozen=True):
    """The whole data set."""

    orders: list[Order]
    order_items: list[Item]
    order_payments: list[Payment]
    customers: list[Customer]
    order_reviews: list[Review]
    products: list[Product]
    sellers: list[Seller]
    category_translation: list[CategoryName]


def read(folder: Path) -> Tables:
    """Every table of a folder of parquet files named after them; raises `TablesRefusedError`."""
    tables = {field.name: field.type for field in msgspec.structs.fields(Tables)}
    missing = [name for name in tables if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise TablesRefusedError(f"{folder} is not a folder with the tables of Olist: {missing[0]}.parquet is not there")
    return Tables(**{name: _table(folder / f"{name}.parquet", rows) for name, rows in tables.items()})


def _table(path: Path, rows: Any) -> Any:
    """The rows of one table, of which only the columns that a row has are read."""
    columns = [field.encode_name for field in msgspec.structs.fields(get_args(rows)[0])]
    try:
        with parquet.ParquetFile(path) as file:
            wanted = [name for name in columns if name in file.schema_arrow.names]
            return msgspec.convert(file.read(columns=wanted).to_pylist(), rows)
    except (pa.ArrowException, OSError) as error:
        raise TablesRefusedError(f"{path} cannot be read as a parquet file: {str(error).splitlines()[0]}") from error
    except msgspec.ValidationError as error:
        raise TablesRefusedError(f"{path} is not the table of Olist: {error}") from error


def cents(reais: float) -> int:
    """A price in the tables, which are floats, as whole centavos."""
    return int((Decimal(repr(reais)) * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
