mod_wsgi-express start-server hello/wsgi.py --log-to-terminal --working-directory hello
