mod_wsgi-express start-server --server-root /var/run/mod_wsgi --log-to-terminal --host 127.0.0.1 --port 8080 --application-type paste --processes 2 production.ini
