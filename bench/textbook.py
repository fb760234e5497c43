"""The plain textbook store that ours is held against: FastAPI and asyncpg, one transaction a request, rows locked in order.

It signs the caller in, takes an idempotency key, checks stock and money, writes order, lines, stock, four ledger rows and the key's
answer, and commits before it answers: what an able engineer writes first. Served by uvicorn with httptools and uvloop, like ours.

    python -m bench.textbook DSN PORT
"""

import hashlib
import json
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (token_hash bytea PRIMARY KEY, person text NOT NULL);
CREATE TABLE IF NOT EXISTS account (
    id text PRIMARY KEY,
    balance bigint NOT NULL CHECK (balance >= 0 OR id = 'outside')
);
CREATE TABLE IF NOT EXISTS shop (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS goods (
    id text PRIMARY KEY,
    shop text NOT NULL REFERENCES shop,
    title text NOT NULL,
    description text NOT NULL,
    sold bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS goods_by_shop ON goods (shop, sold DESC, id);
CREATE TABLE IF NOT EXISTS variant (
    id text PRIMARY KEY,
    goods text NOT NULL REFERENCES goods,
    shop text NOT NULL,
    price bigint NOT NULL,
    stock bigint NOT NULL CHECK (stock >= 0)
);
CREATE INDEX IF NOT EXISTS variant_by_goods ON variant (goods);
CREATE TABLE IF NOT EXISTS cart_line (
    person text,
    variant text REFERENCES variant,
    quantity bigint NOT NULL,
    PRIMARY KEY (person, variant)
);
CREATE TABLE IF NOT EXISTS orders (
    id uuid PRIMARY KEY,
    person text NOT NULL,
    shop text NOT NULL,
    total bigint NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS orders_by_person ON orders (person, at DESC);
CREATE TABLE IF NOT EXISTS order_line (
    orders uuid REFERENCES orders,
    variant text,
    quantity bigint,
    price bigint,
    PRIMARY KEY (orders, variant)
);
CREATE TABLE IF NOT EXISTS entry (
    id bigserial PRIMARY KEY,
    account text NOT NULL REFERENCES account,
    orders uuid NOT NULL,
    amount bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS idempotency (
    person text,
    key text,
    fingerprint bytea NOT NULL,
    answer jsonb NOT NULL,
    PRIMARY KEY (person, key)
);
"""


class AddLine(BaseModel):
    """What is put into the cart."""

    variant_id: str
    quantity: Annotated[int, Field(ge=1, le=999)]


class Checkout(BaseModel):
    """What is bought of the cart, for the total that was shown."""

    items: Annotated[list[str], Field(min_length=1, max_length=100)]
    total: Annotated[int, Field(ge=1)]


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """A pool of sixteen connections, its best size on two cores."""
    async with asyncpg.create_pool(sys.argv[1], min_size=16, max_size=16) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=running)


async def person(request: Request, authorization: Annotated[str, Header()]) -> str:
    """Who calls."""
    digest = hashlib.sha256(authorization.removeprefix("Bearer ").encode()).digest()
    found = await request.app.state.pool.fetchval("SELECT person FROM session WHERE token_hash = $1", digest)
    if found is None:
        raise HTTPException(401)
    return str(found)


Person = Annotated[str, Depends(person)]


@app.post("/cart")
async def add_to_cart(request: Request, line: AddLine, who: Person) -> dict[str, Any]:
    """Put into the cart."""
    await request.app.state.pool.execute(
        "INSERT INTO cart_line VALUES ($1, $2, $3) ON CONFLICT (person, variant) DO UPDATE SET quantity = cart_line.quantity + $3",
        who,
        line.variant_id,
        line.quantity,
    )
    return {"ok": True}


_CART = """SELECT c.variant, c.quantity, v.price, v.stock, v.shop FROM cart_line c JOIN variant v ON v.id = c.variant
WHERE c.person = $1 AND c.variant = ANY($2) ORDER BY c.variant"""


@app.get("/preview")
async def preview(request: Request, items: str, who: Person) -> dict[str, Any]:
    """What the cart would cost."""
    lines = await request.app.state.pool.fetch(_CART, who, items.split(","))
    return {"lines": [dict(line) for line in lines], "total": sum(line["quantity"] * line["price"] for line in lines)}


@app.post("/checkout")
async def checkout(request: Request, ask: Checkout, who: Person, idempotency_key: Annotated[str, Header()]) -> dict[str, Any]:
    """Buy what is in the cart: one transaction, rows locked in the order of their ids."""
    fingerprint = hashlib.blake2b(ask.model_dump_json().encode(), digest_size=16).digest()
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        known = await connection.fetchrow(
            "SELECT fingerprint, answer FROM idempotency WHERE person = $1 AND key = $2", who, idempotency_key
        )
        if known:
            if known["fingerprint"] != fingerprint:
                raise HTTPException(409)
            answer: dict[str, Any] = json.loads(known["answer"])
            return answer
        lines = await connection.fetch(_CART + " FOR UPDATE OF v", who, ask.items)
        total = sum(line["quantity"] * line["price"] for line in lines)
        if not lines or total != ask.total or any(line["stock"] < line["quantity"] for line in lines):
            raise HTTPException(409)
        taken = await connection.fetchval(
            "UPDATE account SET balance = balance - $2 WHERE id = $1 AND balance >= $2 RETURNING 1", who, total
        )
        if not taken:
            raise HTTPException(409)
        order = uuid.uuid4()
        escrow = f"escrow {order}"
        await connection.execute("INSERT INTO account VALUES ($1, $2)", escrow, total)
        await connection.execute(
            "INSERT INTO orders (id, person, shop, total, state) VALUES ($1, $2, $3, $4, 'paid')", order, who, lines[0]["shop"], total
        )
        for line in lines:
            await connection.execute("UPDATE variant SET stock = stock - $2 WHERE id = $1", line["variant"], line["quantity"])
            await connection.execute(
                "INSERT INTO order_line VALUES ($1, $2, $3, $4)", order, line["variant"], line["quantity"], line["price"]
            )
        await connection.execute(
            "INSERT INTO entry (account, orders, amount) VALUES ($1, $3, $4), ($2, $3, $5)", who, escrow, order, -total, total
        )
        await connection.execute("DELETE FROM cart_line WHERE person = $1 AND variant = ANY($2)", who, [line["variant"] for line in lines])
        answer = {"order": str(order), "total": total}
        await connection.execute("INSERT INTO idempotency VALUES ($1, $2, $3, $4)", who, idempotency_key, fingerprint, json.dumps(answer))
    return answer


@app.get("/goods")
async def goods(request: Request, shop_id: str, who: Person) -> list[dict[str, Any]]:
    """Twenty goods of a shop, best sold first."""
    rows = await request.app.state.pool.fetch(
        "SELECT g.id, g.title, g.sold, s.name, min(v.price) AS price"
        " FROM goods g JOIN shop s ON s.id = g.shop JOIN variant v ON v.goods = g.id"
        " WHERE g.shop = $1 GROUP BY g.id, g.title, g.sold, s.name ORDER BY g.sold DESC, g.id LIMIT 20",
        shop_id,
    )
    return [dict(row) for row in rows]


@app.get("/goods/{goods_id}")
async def page(request: Request, goods_id: str, who: Person) -> dict[str, Any]:
    """One product page."""
    pool = request.app.state.pool
    row = await pool.fetchrow("SELECT g.*, s.name FROM goods g JOIN shop s ON s.id = g.shop WHERE g.id = $1", goods_id)
    variants = await pool.fetch("SELECT id, price, stock FROM variant WHERE goods = $1 ORDER BY id", goods_id)
    return {**dict(row), "variants": [dict(variant) for variant in variants]}


def main() -> None:
    """Serve."""
    import gc

    gc.set_threshold(50_000, 20, 50)
    gc.collect()
    gc.freeze()
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
