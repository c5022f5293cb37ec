# nettool serve examples/python/starlette_chat.py --python /usr/bin/python3
"""A chat in one page: Starlette with a WebSocket that passes on what each client says."""

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

PAGE = """<!doctype html><title>Chat</title><ul id=log></ul><form><input autofocus></form><script>
const socket = new WebSocket(location.href.replace('http', 'ws') + 'ws');
socket.onmessage = ({ data }) => log.append(Object.assign(document.createElement('li'), { textContent: data }));
document.forms[0].onsubmit = (event) => {
  event.preventDefault();
  socket.send(event.target[0].value);
  event.target.reset();
};
</script>"""

clients = set()


async def page(request):
    return HTMLResponse(PAGE)


async def chat(socket):
    await socket.accept()
    clients.add(socket)
    try:
        while True:
            text = await socket.receive_text()
            for client in list(clients):
                await client.send_text(text)
    except WebSocketDisconnect:
        pass
    finally:
        clients.discard(socket)


app = Starlette(routes=[Route("/", page), WebSocketRoute("/ws", chat)])
