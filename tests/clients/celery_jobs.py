"""Celery's core jobs with Larder as broker and result backend: `celery_jobs.py PORT`. Ends with an assertion when something is amiss."""
import subprocess
import sys

from celery import Celery, chord, group

PORT = int(sys.argv[1])
PATIENCE = 60

app = Celery("celery_jobs", broker=f"redis://127.0.0.1:{PORT}/0", backend=f"redis://127.0.0.1:{PORT}/1")
app.conf.broker_connection_retry_on_startup = True


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="total")
def total(numbers):
    return sum(numbers)


@app.task(name="fails_twice", bind=True, max_retries=3)
def fails_twice(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0)
    return self.request.retries


def main():
    code = f"import sys; sys.argv = ['celery_jobs.py', '{PORT}']; sys.path.insert(0, {repr(sys.path[0])}); import celery_jobs; "
    code += "celery_jobs.app.worker_main(['worker', '-c', '2', '-l', 'error', '--without-gossip'])"
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert add.delay(2, 3).get(timeout=PATIENCE) == 5
        assert add.apply_async((2, 4), countdown=1).get(timeout=PATIENCE) == 6
        assert group(add.s(number, number) for number in range(10))().get(timeout=PATIENCE) == [2 * number for number in range(10)]
        assert chord((add.s(number, number) for number in range(10)), total.s())().get(timeout=PATIENCE) == 90
        assert fails_twice.delay().get(timeout=PATIENCE) == 2
        assert [list(answer.values()) for answer in app.control.ping(timeout=5)] == [[{"ok": "pong"}]]
        # Fetched from the queue by the worker, which is told by a broadcast not to run it.
        add.apply_async((1, 1), countdown=3600).revoke()
    finally:
        worker.terminate()
        worker.wait(PATIENCE)


if __name__ == "__main__":
    main()
