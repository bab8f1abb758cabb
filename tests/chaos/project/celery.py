import os

from celery import Celery

app = Celery("chaos", broker=os.environ["CHAOS_BROKER"])
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_connection_max_retries = None
# In one process all of a second's work may be waiting when the broker dies.
app.conf.worker_prefetch_multiplier = 4
