#!/bin/bash
cd /srv/shop
export DJANGO_SETTINGS_MODULE=shop.settings
exec /srv/shop/venv/bin/gunicorn shop.wsgi:application \
    --name shop \
    --workers 3 \
    --user=alice --group=alice \
    --bind=unix:/srv/shop/run/gunicorn.sock \
    --log-level=debug \
    --log-file=-
