# nettool serve bench/apps/fastapi_hello.py --python /usr/bin/python3
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def index():
    return {"hello": "world"}
