# python3 examples/python/tornado_app.py 8888 & nettool serve http://127.0.0.1:8888
"""A Tornado application: it is a server of its own, so nettool stands before it, with TLS, files, limits and logs."""

import asyncio
import sys

import tornado.web
import tornado.websocket


class Page(tornado.web.RequestHandler):
    def get(self):
        self.write("Hello from Tornado, %s\n" % self.request.remote_ip)


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message("heard " + message)


async def main(port):
    app = tornado.web.Application([("/", Page), ("/echo", Echo)])
    # Nobody but the proxy reaches it, so what that says of the client can be believed.
    server = app.listen(port, "127.0.0.1", xheaders=True)
    (number,) = {socket.getsockname()[1] for socket in server._sockets.values()}
    print("http://127.0.0.1:%d" % number, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
