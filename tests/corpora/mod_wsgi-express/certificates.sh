mod_wsgi-express start-server wsgi_script.py \
   --user www-data \
   --group www-data \
   --port '8080' \
   --https-port 8443 --server-name www.example.org \
   --ssl-certificate-file '/etc/ssl/a.crt' \
   --ssl-certificate-key-file '/etc/ssl/a.key'
