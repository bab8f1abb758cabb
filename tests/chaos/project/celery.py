import os

from celery import Celery

app = Celery("chaos", broker=os.environ["CHAOS_BROKER"])
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_connection_max_retries = None
# With a larger prefetch, one process could hold all waiting tasks when the broker dies.
app.conf.worker_prefetch_multiplier = 4
