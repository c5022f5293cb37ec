# nettool serve examples/python/asgi_by_hand.py
"""An ASGI application without any framework, and (`python3 asgi_by_hand.py`) a call of it without any server."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    text = "%s %s\n%s" % (scope["method"], scope["path"], body.decode("utf-8", "replace"))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": text.encode()})


async def drive():
    """What a server does: a scope, something to receive from, something to send to."""
    requests = [{"type": "http.request", "body": b"by hand", "more_body": False}]

    async def receive():
        return requests.pop(0)

    async def send(message):
        print(message)

    await app({"type": "http", "method": "POST", "path": "/hello", "headers": []}, receive, send)


if __name__ == "__main__":
    asyncio.run(drive())
