"""ElastiCache's way to find nodes, by django-elastipymemcache, which has pymemcache's client for it: `memcached_discovery.py PORT`."""
import socket
import sys

from django_elastipymemcache.client import AWSElastiCacheClient

PORT = int(sys.argv[1])


# The client insists on a name with dots in it, which no resolver knows here.
ENDPOINT = "cluster.cfg.test"
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest: resolve("127.0.0.1" if host == ENDPOINT else host, *rest)


def main():
    client = AWSElastiCacheClient(f"{ENDPOINT}:{PORT}")
    assert list(client.clients) == [f"127.0.0.1:{PORT}"], client.clients
    values = {f"key:{number}": str(number) for number in range(100)}
    assert client.set_many(values, noreply=False) == []
    assert {key: value.decode() for key, value in client.get_many(values).items()} == values


main()
