# "Running under mod_wsgi" of pypiserver: an index of the packages in a directory, open for uploads
import os

import pypiserver

application = pypiserver.app(
    roots=[os.environ["REAL_DATA"] + "/packages"], authenticate=[], password_file=".", disable_fallback=True
)
