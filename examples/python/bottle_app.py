# nettool serve examples/python/bottle_app.py --python /usr/bin/python3
"""A Bottle application (WSGI): then http://127.0.0.1:8000/hello/you."""

from bottle import Bottle, response

app = Bottle()


@app.get("/hello/<name>")
def hello(name):
    response.content_type = "text/plain; charset=utf-8"
    return "Hello, %s\n" % name
