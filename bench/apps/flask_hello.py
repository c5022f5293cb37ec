# nettool serve bench/apps/flask_hello.py --python /usr/bin/python3
from flask import Flask

app = Flask(__name__)


@app.route("/")
def index():
    return "Hello, world\n"
