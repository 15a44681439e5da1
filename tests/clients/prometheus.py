"""Prometheus's own reader for Python understands every line of /metrics. Arguments: the Redis port, the HTTP port."""
import socket
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def main():
    port, http = map(int, sys.argv[1:])
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"SET k v\r\nGET k\r\nGET absent\r\nGET\r\n")
        replies = b""
        while b"-ERR" not in replies:
            replies += client.recv(4096)
        first, second = scrape(http), scrape(http)
    assert first["larder_build_info"].samples[0].value == 1
    for family in second.values():
        check(family)
    calls = {sample.labels["command"]: sample.value for sample in second["larder_command_calls"].samples}
    assert calls == {"set": 1, "get": 2}, calls
    for name, family in first.items():
        if family.type == "counter":
            later = {key(sample): sample.value for sample in second[name].samples}
            assert all(later[key(sample)] >= sample.value for sample in family.samples), name


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"), answer.headers
        text = answer.read().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def check(family):
    assert family.type in ("counter", "gauge", "histogram") and family.documentation, family
    assert len({key(sample) for sample in family.samples}) == len(family.samples), family.name
    assert all(sample.value >= 0 for sample in family.samples), family
    if family.type == "histogram":
        check_histogram(family)


def check_histogram(family):
    """Counts grow with the bounds up to that of all, and there is a sum."""
    buckets, counts = {}, {}
    for sample in family.samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        if sample.name.endswith("_bucket"):
            buckets.setdefault(str(labels), []).append((float(bound), sample.value))
        elif sample.name.endswith("_count"):
            counts[str(labels)] = sample.value
    for labels, counted in buckets.items():
        assert counted == sorted(counted) and counted[-1] == (float("inf"), counts[labels]), (labels, counted)


def key(sample):
    return sample.name, tuple(sorted(sample.labels.items()))


main()
