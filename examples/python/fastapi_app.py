# nettool serve examples/python/fastapi_app.py --python /usr/bin/python3
"""A small FastAPI application: typed input, 422 for what does not fit, and its own documentation at /docs."""

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="Stock")
ITEMS = {1: {"name": "bolt", "price": 0.25}}


class Item(BaseModel):
    name: str
    price: float


@app.get("/items/{number}")
async def read_item(number: int):
    return ITEMS.get(number, {})


@app.post("/items", status_code=201)
async def add_item(item: Item):
    number = max(ITEMS) + 1
    ITEMS[number] = item.dict()
    return {"number": number, **ITEMS[number]}
