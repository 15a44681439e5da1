// ioredis against Larder, with its defaults: `ioredis.mjs PORT`. Ends with an assertion when something is amiss.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { default: Redis } = createRequire(process.cwd() + "/")("ioredis");
const port = Number(process.argv[2]);

async function strings(redis) {
  assert.equal(await redis.set("k", "v"), "OK");
  assert.equal(await redis.get("k"), "v");
  assert.equal(await redis.set("k", "w", "NX"), null);
  assert.equal(await redis.set("k", "w", "EX", 100, "GET"), "v");
  assert.ok((await redis.ttl("k")) > 0);
  assert.equal(await redis.incrby("n", 5), 5);
  assert.equal(await redis.incrbyfloat("n", 0.25), "5.25");
  assert.equal(await redis.append("k", "x"), 2);
  assert.deepEqual(await redis.mget("k", "none", "n"), ["wx", null, "5.25"]);
  assert.equal(await redis.mset({ a: 1, b: 2 }), "OK");
  assert.equal(await redis.del("a", "b", "none"), 2);
  assert.equal(await redis.getdel("k"), "wx");
  await assert.rejects(redis.incr("n"), /not an integer/);
  await assert.rejects(redis.call("NO-SUCH"), /unknown command/);
  assert.deepEqual(await redis.bitfield("f", "SET", "u8", 0, 255, "GET", "i8", 0), [0, -1]);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let number = 0; number < 5000; number++) pipeline.set(`k${number}`, number).get(`k${number}`);
  const replies = await pipeline.exec();
  assert.equal(replies.length, 10000);
  replies.forEach(([error, reply], at) => assert.deepEqual([error, reply], [null, at % 2 ? `${(at - 1) / 2}` : "OK"]));
  const automatic = new Redis(port, { enableAutoPipelining: true });
  const values = await Promise.all(Array.from({ length: 1000 }, (_, number) => automatic.get(`k${number}`)));
  values.forEach((value, number) => assert.equal(value, `${number}`));
  automatic.disconnect();
}

async function scanning(redis) {
  const keys = new Set();
  for await (const some of redis.scanStream({ match: "k*", count: 100 })) some.forEach((key) => keys.add(key));
  assert.equal(keys.size, 5000);
}

async function bigValues(redis) {
  const big = Buffer.alloc(8 << 20, "larder");
  assert.equal(await redis.set("big", big), "OK");
  assert.ok(big.equals(await redis.getBuffer("big")));
}

async function reconnects(redis) {
  const killer = new Redis(port);
  const again = new Promise((resolve) => redis.once("ready", resolve));
  assert.ok((await killer.client("KILL", "ID", await redis.client("ID"))) === 1);
  await again;
  assert.equal(await redis.get("k1"), "1");
  killer.disconnect();
}

const redis = new Redis(port);
await redis.flushall();
assert.match(await redis.info("server"), /redis_version/);
for (const check of [strings, pipelines, scanning, bigValues, reconnects]) await check(redis);
assert.equal(await redis.quit(), "OK");
