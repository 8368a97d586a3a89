# what `trac-admin ENVIRONMENT deploy` writes, without the egg cache
import os


def application(environ, start_response):
    environ.setdefault("trac.env_path", os.environ["REAL_DATA"] + "/trac")
    from trac.web.main import dispatch_request

    return dispatch_request(environ, start_response)
