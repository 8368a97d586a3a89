ENVDIR=/srv/proxy
$ENVDIR/bin/uwsgi \
    --daemonize=$ENVDIR/logs/uwsgi.log \
    --home=$ENVDIR \
    --chdir=$ENVDIR \
    --pidfile=$ENVDIR/tmp/uwsgi.pid \
    --uwsgi-socket=0:13080 \
    --workers=20 \
    --master \
    --cheaper-algo=spare \
    --cheaper=2 \
    --cheaper-initial=2 \
    --cheaper-step=1 \
    --logdate='%Y/%m/%d %T' \
    --log-format-strftime \
    --disable-logging \
    --module=proxy.wsgi:application
