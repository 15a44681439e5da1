"""redis-py against Larder, with its defaults: `redis_py.py PORT`. Ends with an assertion when something is amiss."""
import asyncio
import datetime
import sys
import threading
import time

import redis
import redis.asyncio

BIG = bytes(range(256)) * 4096 * 8
PORT = int(sys.argv[1])


def main():
    for options in [{}, {"protocol": 2}, {"protocol": 3}, {"decode_responses": True}]:
        client = redis.Redis(port=PORT, **options)
        client.flushall()
        checks = Checks(client, str if options.get("decode_responses") else str.encode)
        for name in [name for name in dir(checks) if name.startswith("check_")]:
            client.flushdb()
            getattr(checks, name)()
        client.close()
    check_pool_and_threads()
    check_reconnect()
    check_password()
    asyncio.run(check_asyncio())


class Checks:
    def __init__(self, client, text):
        self.r, self.text = client, text

    def check_strings(self):
        r, text = self.r, self.text
        assert r.set("k", "v") is True and r.get("k") == text("v")
        assert r.set("k", "w", nx=True) is None and r.set("n", "w", xx=True) is None
        assert r.set("k", "x", get=True) == text("v")
        assert r.set("t", 1, ex=100) and 0 < r.ttl("t") <= 100
        assert r.set("t", 1, px=100_000, keepttl=False) and 0 < r.pttl("t") <= 100_000
        assert r.set("t", 2, keepttl=True) and r.ttl("t") > 0
        assert r.setex("t", datetime.timedelta(seconds=50), "v") and r.psetex("t", 5000, "v") and r.setnx("t", "w") == 0
        assert r.append("k", "yz") == 3 and r.strlen("k") == 3 and r.getrange("k", 1, -1) == text("yz")
        assert r.setrange("k", 1, "Y") == 3 and r.substr("k", 0, 1) == text("xY")
        assert r.getset("k", "1") == text("xYz") and r.getex("k", ex=10) == text("1") and r.ttl("k") == 10
        assert r.getex("k", persist=True) == text("1") and r.ttl("k") == -1 and r.getdel("k") == text("1")
        assert r.get("k") is None and r.exists("k") == 0

    def check_numbers(self):
        r, text = self.r, self.text
        assert [r.incr("n"), r.incrby("n", 9), r.decr("n"), r.decrby("n", 4)] == [1, 10, 9, 5]
        assert r.incrbyfloat("n", 0.5) == 5.5 and r.get("n") == text("5.5")
        r.set("n", "x")
        refused(lambda: r.incr("n"), "value is not an integer or out of range")
        r.set("n", 2**63 - 1)
        refused(lambda: r.incr("n"), "increment or decrement would overflow")

    def check_many(self):
        r, text = self.r, self.text
        assert r.mset({"a": 1, "b": 2}) is True and r.mget("a", "none", "b") == [text("1"), None, text("2")]
        assert not r.msetnx({"a": 3, "c": 3}) and r.msetnx({"c": 3, "d": 4})
        assert r.delete("a", "b", "none") == 2 and r.unlink("c") == 1 and r.exists("d", "d") == 2 and r.touch("d") == 1
        keys = {f"key:{number}" for number in range(1000)}
        r.mset(dict.fromkeys(keys, "v"))
        assert set(r.scan_iter(match="key:*", count=50)) == set(map(text, keys)) and len(r.keys("key:1?")) == 10
        assert r.dbsize() == 1001 and r.randomkey() is not None

    def check_keys(self):
        r, text = self.r, self.text
        r.set("a", "1")
        assert r.type("a") == text("string") and r.rename("a", "b") is True and r.renamenx("b", "c") is True
        assert r.copy("c", "d") is True and r.copy("c", "e", destination_db=1) is True and r.move("c", 1) == 1
        other = redis.Redis(port=PORT, db=1)
        assert other.get("c") == b"1" and other.get("e") == b"1" and r.swapdb(0, 1) is True and r.get("c") == text("1")
        assert r.swapdb(0, 1) is True and other.flushdb() is True
        other.close()
        at = int(time.time()) + 1000
        assert r.expire("d", 100, nx=True) == 1 and r.expire("d", 50, gt=True) == 0 and r.expire("d", 50, lt=True) == 1
        assert r.pexpire("d", 10_000) and r.expireat("d", at) and r.expiretime("d") == at
        assert r.pexpireat("d", at * 1000 + 5) and r.pexpiretime("d") == at * 1000 + 5 and r.persist("d") == 1
        assert r.object("encoding", "d") == text("int") and r.object("refcount", "d") > 0 and r.object("idletime", "d") == 0
        assert r.memory_usage("d") > 0

    def check_bits(self):
        r, text = self.r, self.text
        assert r.setbit("b", 7, 1) == 0 and r.getbit("b", 7) == 1 and r.bitcount("b") == 1 and r.bitpos("b", 1) == 7
        r.set("c", b"\xff")
        assert r.bitop("XOR", "d", "b", "c") == 1 and r.bitcount("d", 0, 3, "BIT") == 4
        fields = r.bitfield("f").set("u8", 0, 255).incrby("u8", 0, 10, "SAT").get("i5", 3)
        assert fields.execute() == [0, 255, -1] and r.bitfield_ro("f", "u8", 0) == [255]
        r.mset({"l": "ohmytext", "m": "mynewtext"})
        assert r.lcs("l", "m") == text("mytext") and r.lcs("l", "m", len=True) == 6
        assert r.lcs("l", "m", idx=True)

    def check_server(self):
        r = self.r
        info = r.info()
        assert info["role"] == "master" and info["connected_clients"] >= 1 and "db0" not in info and r.set("k", "v")
        assert r.info("keyspace")["db0"]["keys"] == 1
        assert r.config_get("maxmemory*")["maxmemory"] == "0" and r.config_set("timeout", 0) and r.config_resetstat()
        assert isinstance(r.time()[0], int) and isinstance(r.lastsave(), datetime.datetime) and r.role()[0]
        assert r.command_count() == len(r.command_list()) - len([name for name in map(str, r.command_list()) if "|" in name])
        command = r.command()["get"]
        assert command["arity"] == 2 and command["first_key_pos"] == 1
        keys = r.command_getkeys("MSET", "a", 1, "b", 2)
        assert [key.decode() if isinstance(key, bytes) else key for key in keys] == ["a", "b"]
        assert r.lolwut() and r.ping() is True and r.echo("hi") == self.text("hi")

    def check_client(self):
        r, text = self.r, self.text
        assert r.client_setname("tester") and r.client_getname() in (text("tester"), "tester")
        mine = [client for client in r.client_list() if client["name"] == "tester"]
        assert len(mine) == 1 and mine[0]["lib-name"].startswith("redis-py") and int(mine[0]["id"]) == r.client_id()
        assert r.client_info()["name"] == "tester" and r.client_no_evict("on") and r.client_no_touch("off")
        assert r.client_kill_filter(_type="replica") == 0

    def check_pipelines(self):
        r, text = self.r, self.text
        pipe = r.pipeline(transaction=False)
        for number in range(5000):
            pipe.set(f"k{number}", number).get(f"k{number}")
        replies = pipe.execute()
        assert replies[0::2] == [True] * 5000 and replies[1::2] == [text(str(number)) for number in range(5000)]
        pipe.set("a", 1).incr("k", 1).set("k", "x").incr("k").get("a")
        replies = pipe.execute(raise_on_error=False)
        assert isinstance(replies[3], redis.ResponseError) and replies[4] == text("1")

    def check_big_values(self):
        if self.text is str:
            return
        assert self.r.set("big", BIG) and self.r.get("big") == BIG and self.r.strlen("big") == len(BIG)
        pipe = self.r.pipeline(transaction=False)
        for _ in range(8):
            pipe.get("big")
        assert all(value == BIG for value in pipe.execute())

    def check_binary_keys(self):
        if self.text is str:
            return
        key = bytes(range(256))
        assert self.r.set(key, b"") and self.r.get(key) == b"" and self.r.keys() == [key]


    def check_introspection(self):
        r, text = self.r, self.text
        info = r.info("everything")
        assert info["redis_version"].startswith("7.2.") and info["role"] == "master" and info["loading"] == 0
        assert info["maxmemory_policy"] == "noeviction" and 0 < info["used_memory"] <= info["used_memory_peak"]
        assert info["total_net_input_bytes"] > 0 and info["blocked_clients"] == 0 and info["used_cpu_user"] >= 0
        me = next(client for client in r.client_list() if int(client["id"]) == r.client_id())
        assert me["cmd"] in ("client|list", "client|id") and me["db"] == "0" and int(me["tot-cmds"]) > 0
        r.config_set("slowlog-log-slower-than", 0)
        assert r.slowlog_reset() is True and r.set("k", "v") and r.slowlog_len() >= 1
        entries = r.slowlog_get(10)
        assert any(text(entry["command"].decode() if isinstance(entry["command"], bytes) else entry["command"]) == text("SET k v") for entry in entries)
        r.config_set("slowlog-log-slower-than", 10_000)
        assert r.latency_latest() == [] and r.latency_reset() == 0 and r.latency_history("command") == []
        stats = r.memory_stats()
        assert stats["keys.count"] == 1 and stats["peak.allocated"] >= stats["total.allocated"] > 0
        assert r.memory_usage("k") == 24 and r.memory_purge() is True
        assert r.client_pause(1, all=False) is True and r.client_unpause() in (True, text("OK"))
        assert r.client_unblock(10**9) is False and r.client_trackinginfo()
        assert r.wait(0, 10) == 0 and r.waitaof(0, 0, 10) == [0, 0] and r.role()[0] == text("master")
        assert r.replicaof("NO", "ONE") in (True, text("OK"))

    def check_monitor(self):
        with self.r.monitor() as monitor:
            self.r.echo("seen")
            seen = monitor.next_command()
            while "seen" not in seen["command"]:
                seen = monitor.next_command()
            assert seen["command"] == "ECHO seen" and seen["db"] == 0 and seen["client_address"] == "127.0.0.1"


def check_pool_and_threads():
    client = redis.Redis(port=PORT)
    client.set("counter", 0)
    threads = [threading.Thread(target=lambda: [client.incr("counter") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("counter") == b"4000"
    client.close()


def check_reconnect():
    """A connection that the server ends is made anew, by the client's own retry."""
    client, killer = redis.Redis(port=PORT), redis.Redis(port=PORT)
    client.set("k", "v")
    assert killer.client_kill_filter(skipme=True, _type="normal") >= 1
    assert client.get("k") == b"v"
    client.close()
    killer.close()


def check_password():
    admin = redis.Redis(port=PORT)
    admin.config_set("requirepass", "secret")
    try:
        refused(lambda: redis.Redis(port=PORT).ping(), "authenticate", redis.AuthenticationError)
        refused(lambda: redis.Redis(port=PORT, password="wrong").ping(), "", redis.AuthenticationError)
        for options in [{}, {"username": "default"}, {"protocol": 2}]:
            assert redis.Redis(port=PORT, password="secret", **options).ping()
    finally:
        redis.Redis(port=PORT, password="secret").config_set("requirepass", "")


async def check_asyncio():
    client = redis.asyncio.Redis(port=PORT)
    await client.set("counter", 0)
    await asyncio.gather(*(client.incr("counter") for _ in range(80)))
    assert await client.get("counter") == b"80"
    async with client.pipeline(transaction=False) as pipe:
        assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]
    await client.aclose()


def refused(call, text, error=redis.ResponseError):
    try:
        call()
    except error as refusal:
        assert text in str(refusal), refusal
        return
    raise AssertionError(f"not refused: {text}")


main()
