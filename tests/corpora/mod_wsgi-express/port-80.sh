sudo ../bin/mod_wsgi-express start-server --port=80 --user=djangowebserver mysite/wsgi.py
