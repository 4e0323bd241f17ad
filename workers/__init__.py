"""Everything that would be thrown away with Celery: the app, the process, the tasks. No decisions live here."""
