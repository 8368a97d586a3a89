#!/bin/bash
NAME="shop"
DJANGODIR=/srv/shop/shop
SOCKFILE=/srv/shop/run/gunicorn.sock
USER=alice
GROUP=webapps
NUM_WORKERS=3
DJANGO_SETTINGS_MODULE=shop.settings
DJANGO_WSGI_MODULE=shop.wsgi
cd $DJANGODIR
source ../bin/activate
export DJANGO_SETTINGS_MODULE=$DJANGO_SETTINGS_MODULE
export PYTHONPATH=$DJANGODIR:$PYTHONPATH
RUNDIR=$(dirname $SOCKFILE)
test -d $RUNDIR || mkdir -p $RUNDIR
exec ../bin/gunicorn ${DJANGO_WSGI_MODULE}:application \
  --name $NAME \
  --workers $NUM_WORKERS \
  --user=$USER --group=$GROUP \
  --bind=unix:$SOCKFILE \
  --log-level=debug \
  --log-file=-
