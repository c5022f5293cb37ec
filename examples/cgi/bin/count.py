#!/usr/bin/env python3
# nettool serve examples/site --cgi /cgi-bin=examples/cgi/bin
#
# Then http://127.0.0.1:8000/cgi-bin/count.py: without a number it shows a form, with one it counts to it.
import os
import sys
from html import escape
from urllib.parse import parse_qs

FORM = '<form><input name="to" type="number" min="1" max="1000"><button>count</button></form>'

to = parse_qs(os.environ["QUERY_STRING"]).get("to", [""])[0]
if to and not (to.isdecimal() and 1 <= int(to) <= 1000):
    print("Status: 422 Unprocessable Content")
    body = f"<p>{escape(to)} is no number from 1 to 1000.</p>{FORM}"
elif to:
    body = f"<p>{' '.join(str(number) for number in range(1, int(to) + 1))}</p>"
else:
    body = FORM
print("Content-Type: text/html; charset=utf-8\n")
sys.stdout.write(f"<!doctype html>{body}\n")
