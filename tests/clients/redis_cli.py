"""redis-cli at a terminal against Larder: `redis_cli.py PORT`. It asks COMMAND DOCS for its hints and its help."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time

SECONDS = 30


def main():
    terminal = Terminal(["redis-cli", "-p", sys.argv[1]])
    terminal.expect(r"127\.0\.0\.1:\d+> ")
    # What follows the typed words is the hint.
    terminal.type("set ", r"key value .*\[NX\|XX")
    terminal.type("k ", r"value .*\[NX\|XX")
    terminal.run("v", r"OK")
    terminal.run("get k", r'"v"')
    terminal.type("config set ", r"parameter value")
    terminal.type("\x15" + "bitfield ", r"key .*GET encoding offset")
    terminal.run("\x15" + "help lcs", r"since: 7\.0\.0")
    terminal.run("help @string", r"GETRANGE|getrange")
    terminal.run("hello 3", r'"proto" => \(integer\) 3')
    terminal.type("select 1\r", r"127\.0\.0\.1:\d+\[1\]> ")
    # Completion: a tab after the first letters.
    terminal.type("getde\t", r"getdel|GETDEL")
    terminal.type("\x15" + "exit\r", r"")
    assert terminal.process.wait(SECONDS) == 0
    check_modes()


def check_modes():
    """What redis-cli does without a terminal."""
    def cli(*words, stdin=""):
        done = subprocess.run(["redis-cli", "-p", sys.argv[1], *words], input=stdin, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert cli("set", "k", "v") == "OK\n" and cli("--no-raw", "get", "k") == '"v"\n' and cli("-3", "ping") == "PONG\n"
    assert cli(stdin="set a 1\nincr a\nget a\n") == "OK\n2\n2\n" and cli("-x", "set", "x", stdin="body") == "OK\n"
    assert cli("--scan", "--pattern", "[ax]").split() in (["a", "x"], ["x", "a"]) and cli("-n", "1", "dbsize") == "0\n"
    assert "errors: 0, replies: 2" in cli("--pipe", stdin="SET p 1\r\nGET p\r\n")
    assert "Biggest string" in cli("--bigkeys") and cli("--json", "-3", "mget", "a", "none") == '["2",null]\n'
    assert "Biggest string" in cli("--memkeys") and "Biggest string" in cli("--memkeys-samples", "0")
    assert cli("config", "set", "maxmemory-policy", "allkeys-lfu") == "OK\n"
    for _ in range(20):
        cli("get", "a")
    assert '"a"' in cli("--hotkeys") and cli("config", "set", "maxmemory-policy", "noeviction") == "OK\n"
    assert len(cli("--latency", "--raw", "-i", "0.1").split()) == 4
    check_endless()


def check_endless():
    """Modes that go on until they are ended."""
    monitor = Endless("monitor")
    monitor.expect(r"OK")
    subprocess.run(["redis-cli", "-p", sys.argv[1], "set", "seen", "by monitor"], check=True, stdout=subprocess.DEVNULL)
    monitor.expect(r'\[0 127\.0\.0\.1:\d+\] "set" "seen" "by monitor"')
    statistics = Endless("--stat", "-i", "0.1")
    statistics.expect(r"keys\s+mem\s+clients\s+blocked\s+requests\s+connections")
    statistics.expect(r"\d+\s+[\d.]+M\s+\d+\s+0\s+\d+ \(\+\d+\)\s+\d+")
    history = Endless("--latency-history", "-i", "0.1")
    history.expect(r"min: \d+, max: \d+, avg: [\d.]+ \(\d+ samples\) -- 0\.\d+ seconds range")
    distribution = Endless("--latency-dist", "-i", "0.1")
    distribution.expect(r"[.=\-+*#]")
    for mode in (monitor, statistics, history, distribution):
        mode.end()


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, words):
        self.screen, here = pty.openpty()
        fcntl.ioctl(here, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        environment = dict(os.environ, TERM="xterm", HOME=tempfile.gettempdir(), REDISCLI_HISTFILE="/dev/null")
        self.process = subprocess.Popen(words, stdin=here, stdout=here, stderr=here, env=environment, close_fds=True)
        os.close(here)
        self.shown = ""

    def type(self, keys, expected):
        self.shown = ""
        os.write(self.screen, keys.encode())
        self.expect(expected)

    def run(self, command, expected):
        """Waits for the next prompt too: what is typed before it is lost."""
        self.type(command + "\r", rf"(?s)(?:{expected}).*127\.0\.0\.1:\d+> ")

    def expect(self, pattern):
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.shown)):
            ready, _, _ = select.select([self.screen], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {pattern} in {self.shown!r}"
            self.shown += os.read(self.screen, 65536).decode(errors="replace")


class Endless(Terminal):
    """redis-cli in a mode that ends only when it is told to."""

    def __init__(self, *words):
        super().__init__(["redis-cli", "-p", sys.argv[1], *words])

    def end(self):
        self.process.terminate()
        self.process.wait(SECONDS)


main()
