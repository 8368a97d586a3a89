mod_wsgi-express start-server checker.wsgi --port 8080 --include-file ./checker.conf --server-root ./apache_server --log-level info
