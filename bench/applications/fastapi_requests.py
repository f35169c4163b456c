"""Requests through FastAPI and httpx on one event loop: validation by pydantic, dependencies."""

import asyncio

import httpx
from fastapi import Depends, FastAPI
from pydantic import BaseModel

from support import main

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float
    tags: list[str] = []


def limit(limit: int = 10) -> int:
    return min(limit, 50)


@app.get("/items/{item}")
async def read(item: int, size: int = Depends(limit)):
    return {"item": item, "values": list(range(size))}


@app.post("/items")
async def write(item: Item) -> Item:
    return Item(name=item.name.upper(), price=item.price * 2, tags=sorted(item.tags))


async def serve(n):
    total = 0
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for i in range(n):
            answer = await client.get(f"/items/{i}?limit={i % 30}")
            total += len(answer.content)
            answer = await client.post("/items", json={"name": f"n{i}", "price": i / 2, "tags": ["b", "a"]})
            total += len(answer.content)
    return total


main(lambda n: asyncio.run(serve(n)))
