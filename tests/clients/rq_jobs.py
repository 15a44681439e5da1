"""RQ's core jobs on Larder: `rq_jobs.py PORT`. Ends with an assertion when something is amiss."""
import datetime
import logging
import sys

import redis
from rq import Queue, SimpleWorker

# A worker logs what fails.
logging.disable(logging.CRITICAL)


def add(x, y):
    return x + y


def fails():
    raise ValueError("on purpose")


def main():
    sys.modules["rq_jobs"] = sys.modules["__main__"]
    for job in (add, fails):
        job.__module__ = "rq_jobs"
    connection = redis.Redis(port=int(sys.argv[1]))
    queue = Queue(connection=connection)
    first = queue.enqueue(add, 2, 3)
    second = queue.enqueue(add, 1, 1, depends_on=first)
    failing = queue.enqueue(fails)
    later = queue.enqueue_in(datetime.timedelta(hours=1), add, 1, 2)
    SimpleWorker([queue], connection=connection).work(burst=True)
    assert (first.return_value(), second.return_value()) == (5, 2)
    assert failing.get_status() == "failed" and queue.failed_job_registry.count == 1
    assert later.id in queue.scheduled_job_registry.get_job_ids()
    assert queue.finished_job_registry.count == 2 and queue.count == 0


if __name__ == "__main__":
    main()
