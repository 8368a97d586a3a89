"""What an application can ask and be told of the process that it runs in: `wsgigroups_daemon`, and mod_wsgi's names."""
