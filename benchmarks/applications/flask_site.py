"""The measured Flask application: a route with a converter, whose JSON answer tells what was asked.

`/items/7?page=2&q=word` answers some values of the request; `/` is for who only wants to know whether it is there.
"""

from flask import Flask, jsonify, request

application = Flask(__name__)


@application.get("/")
def index():
    return "Hello, World!\n"


@application.get("/items/<int:number>")
def item(number):
    return jsonify(
        item=number,
        page=request.args.get("page", type=int),
        words=request.args.get("q", ""),
        session=request.cookies.get("session"),
        request=request.headers.get("X-Request-Id"),
    )
