"""pymemcache against Larder, with its defaults: `memcached_text.py PORT`. Ends with an assertion when something is amiss."""
import os
import sys
import threading
import time

from pymemcache import MemcacheClientError
from pymemcache.client.base import Client, PooledClient
from pymemcache.client.hash import HashClient
from pymemcache.client.retrying import RetryingClient
from pymemcache.exceptions import MemcacheUnexpectedCloseError
from pymemcache.serde import pickle_serde

SERVER = ("127.0.0.1", int(sys.argv[1]))


def main():
    for make in [Client, PooledClient, lambda server: HashClient([server]), lambda server: Client(server, default_noreply=False)]:
        client = make(SERVER)
        client.flush_all(noreply=False)
        for check in [check_storage, check_cas, check_counters, check_many, check_expiry, check_big, check_keys, check_stats]:
            check(client)
        client.close()
    check_serde()
    check_threads()
    check_reconnect()


def check_storage(client):
    assert client.set("k", "v") is True and client.get("k") == b"v" and client.get("none") is None and client.get("none", 1) == 1
    assert client.add("k", "w", noreply=False) is False and client.add("a", "v", noreply=False) is True
    assert client.replace("k", "w", noreply=False) is True and client.replace("none", "w", noreply=False) is False
    assert client.append("k", ">", noreply=False) and client.prepend("k", "<", noreply=False) and client.get("k") == b"<w>"
    assert client.delete("k", noreply=False) is True and client.delete("k", noreply=False) is False
    client.set("k", "", noreply=True)
    assert client.get("k") == b""


def check_cas(client):
    client.set("c", "v", noreply=False)
    value, cas = client.gets("c")
    assert value == b"v" and client.cas("c", "w", cas, noreply=False) is True and client.cas("c", "x", cas, noreply=False) is False
    assert client.cas("none", "x", cas, noreply=False) is None and client.gets("none") == (None, None)


def check_counters(client):
    client.set("n", "10", noreply=False)
    assert client.incr("n", 5) == 15 and client.decr("n", 20) == 0 and client.incr("none", 1) is None
    client.set("n", "x", noreply=False)
    try:
        client.incr("n", 1)
        raise SystemExit("a text was incremented")
    except MemcacheClientError as refusal:
        assert b"non-numeric" in refusal.args[0]


def check_many(client):
    values = {f"key:{number}": str(number).encode() for number in range(500)}
    assert client.set_many(values, noreply=False) == [] and client.get_many([*values, "none"]) == values
    assert {key: value for key, (value, _) in client.gets_many(list(values)).items()} == values
    assert client.delete_many(list(values), noreply=False) is True and client.get_many(list(values)) == {}


def check_expiry(client):
    client.set("t", "v", expire=1, noreply=False)
    client.set("u", "v", expire=100, noreply=False)
    assert client.touch("u", 1000, noreply=False) is True and client.touch("none", 1, noreply=False) is False
    assert client.set("past", "v", expire=-1, noreply=False) and client.get("past") is None
    deadline = time.monotonic() + 60
    while client.get("t") is not None:
        assert time.monotonic() < deadline, "does not expire"
        time.sleep(0.05)
    assert client.get("u") == b"v"


def check_big(client):
    big = os.urandom(1_000_000)
    assert client.set("big", big, noreply=False) and client.get("big") == big


def check_keys(client):
    key = "x" * 250
    assert client.set(key, "v", noreply=False) and client.get(key) == b"v"


def check_stats(client):
    one = Client(SERVER)
    assert one.version() and int(one.stats()[b"curr_items"]) > 0 and b"pid" in one.stats() and one.stats("settings")
    one.quit()


def check_serde():
    client = Client(SERVER, serde=pickle_serde)
    for value in ["é", b"\x00\r\n", 5, {"a": (1, None)}]:
        client.set("s", value)
        assert client.get("s") == value
    client.close()


def check_threads():
    client = PooledClient(SERVER, max_pool_size=4)
    client.set("n", "0", noreply=False)
    threads = [threading.Thread(target=lambda: [client.incr("n", 1) for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("n") == b"2000"
    client.close()


def check_reconnect():
    """A connection that the server has ended is made anew."""
    base = Client(SERVER)
    client = RetryingClient(base, attempts=3, retry_for=[MemcacheUnexpectedCloseError, ConnectionError])
    base.set("k", "v", noreply=False)
    base.sock.sendall(b"quit\r\n")
    time.sleep(0.1)
    assert client.get("k") == b"v"


main()
