"""A Flask application made by a factory: a greeting, and a page that tells which process answered."""

import os
import threading

from flask import Flask, Response, jsonify, request


def create_app() -> Flask:
    """Return the application; wsgigroups calls this once in each process."""
    app = Flask(__name__)

    @app.get("/")
    def greet() -> Response:
        return Response("Hello from Flask.\n", content_type="text/plain; charset=utf-8")

    @app.get("/process")
    def describe_process() -> Response:
        return jsonify(
            pid=os.getpid(),
            uid=os.getuid(),
            thread=threading.current_thread().name,
            multithread=request.environ["wsgi.multithread"],
            multiprocess=request.environ["wsgi.multiprocess"],
        )

    @app.post("/echo")
    def echo() -> Response:
        return jsonify(received=request.get_json())

    return app
