"""A Flask application: JSON, a streamed page, an upload, a cookie session, an error page.

Tests use it to see a framework's ordinary life through the server: `/`, `/json`, `/stream`, `/upload` (POST),
`/session` (counts visits in a signed cookie), `/fail` (an exception that Flask turns into its 500 page).
"""

import hashlib

from flask import Flask, jsonify, request, session


def create_app():
    """Return a new application."""
    app = Flask(__name__)
    app.secret_key = "only for tests"

    @app.get("/")
    def index():
        return "Hello from Flask\n"

    @app.route("/json", methods=["GET", "POST"])
    def echo_json():
        return jsonify(method=request.method, json=request.get_json(silent=True), arguments=dict(request.args))

    @app.get("/stream")
    def stream():
        return (f"line {number}\n" for number in range(100)), {"Content-Type": "text/plain; charset=utf-8"}

    @app.post("/upload")
    def upload():
        digest = hashlib.sha256()
        size = 0
        while True:
            block = request.stream.read(65536)
            if not block:
                break
            digest.update(block)
            size += len(block)
        return jsonify(size=size, sha256=digest.hexdigest())

    @app.get("/session")
    def visit():
        session["visits"] = session.get("visits", 0) + 1
        return jsonify(visits=session["visits"])

    @app.get("/fail")
    def fail():
        raise RuntimeError("a view of the fixture failed on purpose")

    return app


application = create_app()
