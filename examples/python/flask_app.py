# nettool serve examples/python/flask_app.py --workers 2 --python /usr/bin/python3
"""A small Flask application: a page, a form, JSON and a file."""

from flask import Flask, jsonify, request, send_file

app = Flask(__name__)


@app.get("/")
def index():
    return "<h1>Hello from Flask</h1>"


@app.post("/greet")
def greet():
    return jsonify(greeting="Hello, %s" % request.form["name"])


@app.get("/source")
def source():
    return send_file(__file__, mimetype="text/x-python", conditional=True)
