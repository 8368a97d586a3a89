#!/bin/sh
python /app/manage.py migrate
python /app/manage.py collectstatic --noinput
gunicorn osg.wsgi -b 0.0.0.0:8000 --timeout 900 --chdir=/app --log-level debug --log-file -
