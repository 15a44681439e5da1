"""Larder as the Python scripts start it: the release build, on ports of its own, in a folder of its own."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LARDER = os.path.join(ROOT, "target", "release", "larder")


def build():
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)


class Server:
    """Runs within a `with`, and must end well."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="larder-")
        self.port, self.memcached_port = free_port(), free_port()
        self.options = options
        self.start()

    def start(self):
        words = ["--port", self.port, "--memcached-port", self.memcached_port, "--worker-threads", 2, *self.options]
        with open(os.path.join(self.folder, "log"), "a") as log:
            self.process = subprocess.Popen([LARDER, *map(str, words)], cwd=self.folder, stdout=log, stderr=log)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            try:
                self.process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        raise SystemExit(f"larder does not answer; see {self.folder}/log")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(10) != 0:
            raise SystemExit(f"larder ended with {self.process.returncode}; see {self.folder}/log")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
