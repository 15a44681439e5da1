"""meta-memcache against Larder, with its defaults: `memcached_meta.py PORT`. Ends with an assertion when something is amiss."""
import os
import sys

from meta_memcache import (
    CacheClient,
    Key,
    LeasePolicy,
    RecachePolicy,
    ServerAddress,
    SetMode,
    StalePolicy,
    connection_pool_factory_builder,
)

HOUR = 3600


def main():
    servers = [ServerAddress(host="127.0.0.1", port=int(sys.argv[1]))]
    # Without this, a failure of the connection would pass for a miss.
    factory = connection_pool_factory_builder()
    client = CacheClient.cache_client_from_servers(servers=servers, connection_pool_factory_fn=factory)
    for check in [check_values, check_keys, check_modes, check_cas, check_counters, check_stale, check_leases, check_many]:
        check(client)


def check_values(client):
    for value in ["text", b"bytes", 42, {"a": [1, 2.5, None]}, "é" * 500, os.urandom(900_000)]:
        assert client.set("k", value, ttl=HOUR) and client.get("k") == value
    assert client.touch("k", ttl=2 * HOUR) and client.delete("k") and client.get("k") is None
    assert client.get("k", touch_ttl=HOUR) is None and client.touch("none", ttl=1) is False
    assert client.set("k", "v", ttl=HOUR, no_reply=True) and client.get("k") == "v"
    assert client.delete("k", no_reply=True) and client.get("k") is None


def check_keys(client):
    """Keys that the protocol cannot say travel in base64; too long ones as a digest."""
    for key in ["plain", "with blank", "ünïcode", "x" * 250, "y" * 600, Key("k", routing_key="r")]:
        assert client.set(key, "v", ttl=HOUR) and client.get(key) == "v" and client.delete(key)


def check_modes(client):
    client.delete("k")
    assert not client.set("k", "v", ttl=HOUR, set_mode=SetMode.REPLACE)
    assert client.set("k", b"v", ttl=HOUR, set_mode=SetMode.ADD) and not client.set("k", b"w", ttl=HOUR, set_mode=SetMode.ADD)
    assert client.set("k", b">", ttl=HOUR, set_mode=SetMode.APPEND) and client.set("k", b"<", ttl=HOUR, set_mode=SetMode.PREPEND)
    assert client.get("k") == b"<v>" and client.refill("r", "first", ttl=HOUR)
    assert client.get("r") == "first" and client.delete("r")


def check_cas(client):
    client.set("k", "v", ttl=HOUR)
    value, cas = client.get_cas("k")
    assert value == "v" and client.set("k", "w", ttl=HOUR, cas_token=cas) and not client.set("k", "x", ttl=HOUR, cas_token=cas)
    after = client.set_cas("k", "y", ttl=HOUR)
    assert client.get_cas("k") == ("y", after) and not client.delete("k", cas_token=cas) and client.delete("k", cas_token=after)


def check_counters(client):
    client.delete("n")
    assert client.delta("n", 1) is False and client.delta_initialize_and_get("n", 1, initial_value=10, initial_ttl=HOUR) == 10
    assert client.delta_and_get("n", 5) == 15 and client.delta_and_get("n", -20) == 0 and client.delta("n", 7)
    assert client.delta_initialize("n", 1, initial_value=0, initial_ttl=HOUR) and int(client.get("n")) == 8


def check_stale(client):
    policy = StalePolicy(mark_stale_on_deletion_ttl=30, mark_stale_on_cas_mismatch=True)
    client.set("k", "v", ttl=HOUR)
    assert client.delete("k", stale_policy=policy)
    # The first is to make it anew; the others have the old one meanwhile.
    assert client.get("k") is None and client.get("k") == "v" and client.set("k", "w", ttl=HOUR) and client.get("k") == "w"
    _, cas = client.get_cas("k")
    client.set("k", "x", ttl=HOUR)
    assert client.set("k", "y", ttl=HOUR, cas_token=cas, stale_policy=policy) is not None
    assert client.invalidate("k", stale_policy=policy) and client.delete("k")
    client.set("k", "v", ttl=20)
    recache = RecachePolicy(ttl=30)
    assert client.get("k", recache_policy=recache) is None and client.get("k", recache_policy=recache) == "v"


def check_leases(client):
    client.delete("k")
    lease = LeasePolicy(ttl=30, miss_retries=1, miss_retry_wait=0.01)
    assert client.get_or_lease("k", lease_policy=lease) is None
    value, cas = client.get_or_lease_cas("k", lease_policy=lease)
    assert value is None and client.set("k", "v", ttl=HOUR) and client.get_or_lease("k", lease_policy=lease) == "v"


def check_many(client):
    keys = [Key(f"key:{number}") for number in range(500)]
    assert all(client.set(key, key.key, ttl=HOUR) for key in keys)
    found = client.multi_get([*keys, Key("none")])
    assert [found[key] for key in keys] == [key.key for key in keys] and found[Key("none")] is None


main()
