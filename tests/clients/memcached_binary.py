"""python-binary-memcached against Larder, with its defaults: `memcached_binary.py PORT`. Ends with an assertion when something is
amiss. It gives a password by SASL, which a server without one does not know: then it goes on without."""
import os
import sys
import time

import bmemcached

SERVER = f"127.0.0.1:{sys.argv[1]}"


def main():
    for client in [bmemcached.Client(SERVER), bmemcached.Client(SERVER, "default", "secret")]:
        client.flush_all()
        check_values(client)
        check_conditions(client)
        check_counters(client)
        check_many(client)
        check_expiry(client)
        assert client.stats()[SERVER]["version"]
        client.disconnect_all()


def check_values(client):
    for value in ["text", b"bytes", 42, {"a": [1, 2.5, None]}, "é" * 500, os.urandom(900_000)]:
        assert client.set("k", value) and client.get("k") == value
    assert client.get("none") is None and client.delete("k") and client.get("k") is None


def check_conditions(client):
    assert client.add("c", "v") and not client.add("c", "w") and client.replace("c", "x") and not client.replace("none", "x")
    value, cas = client.gets("c")
    assert value == "x" and client.cas("c", "y", cas) and not client.cas("c", "z", cas) and client.get("c") == "y"


def check_counters(client):
    assert client.incr("n", 5) == 0 and client.incr("n", 5) == 5 and client.decr("n", 20) == 0


def check_many(client):
    values = {f"key:{number}": str(number) for number in range(500)}
    assert client.set_multi(values) == [] and client.get_multi([*values, "none"]) == values
    assert client.delete_multi(list(values)) and client.get_multi(list(values)) == {}


def check_expiry(client):
    assert client.set("t", "v", time=1)
    deadline = time.monotonic() + 60
    while client.get("t") is not None:
        assert time.monotonic() < deadline, "does not expire"
        time.sleep(0.05)


main()
