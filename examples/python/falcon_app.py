# nettool serve examples/python/falcon_app.py --python /usr/bin/python3
"""A Falcon resource (WSGI): then http://127.0.0.1:8000/quote."""

import falcon


class Quote:
    def on_get(self, request, response):
        response.media = {"quote": "I've always been more interested in the future than in the past."}


app = falcon.App()
app.add_route("/quote", Quote())
