// node-redis against Larder, with its defaults: `node_redis.mjs PORT`. Ends with an assertion when something is amiss.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { createClient, RESP_TYPES } = createRequire(process.cwd() + "/")("redis");
const url = `redis://127.0.0.1:${process.argv[2]}`;

async function strings(client) {
  assert.equal(await client.set("k", "v"), "OK");
  assert.equal(await client.get("k"), "v");
  assert.equal(await client.set("k", "w", { NX: true }), null);
  assert.equal(await client.set("k", "w", { EX: 100, GET: true }), "v");
  assert.ok((await client.ttl("k")) > 0);
  assert.equal(await client.incrBy("n", 5), 5);
  assert.equal(Number(await client.incrByFloat("n", 0.25)), 5.25);
  assert.deepEqual(await client.mGet(["k", "none"]), ["w", null]);
  assert.equal(await client.mSet({ a: "1", b: "2" }), "OK");
  assert.equal(await client.del(["a", "b"]), 2);
  assert.equal(await client.getDel("k"), "w");
  assert.deepEqual(await client.bitField("f", [{ operation: "SET", encoding: "u8", offset: 0, value: 255 }]), [0]);
  assert.equal(await client.expire("n", 100, "NX"), 1);
  assert.equal(await client.copy("n", "m"), 1);
  await client.mSet({ one: "ohmytext", two: "mynewtext" });
  assert.equal(await client.lcs("one", "two"), "mytext");
  const { matches, len } = await client.lcsIdx("one", "two");
  assert.deepEqual([matches.length, len], [2, 6]);
  await assert.rejects(client.incr("n"), /not an integer/);
  await assert.rejects(client.sendCommand(["NO-SUCH"]), /unknown command/);
}

async function server(client) {
  assert.match(await client.info("server"), /redis_version/);
  assert.equal((await client.configGet("maxmemory")).maxmemory, "0");
  assert.equal(await client.clientSetName("tester"), "OK");
  assert.equal(await client.clientGetName(), "tester");
  assert.equal((await client.clientInfo()).name, "tester");
  assert.ok((await client.clientList()).some((one) => one.name === "tester"));
  assert.ok((await client.command()).length > 50);
  assert.deepEqual(await client.commandGetKeys(["MSET", "a", "1", "b", "2"]), ["a", "b"]);
  assert.ok((await client.time()) !== null);
  assert.equal(await client.ping(), "PONG");
}

async function pipelines(client) {
  const replies = await Promise.all(Array.from({ length: 5000 }, (_, number) => client.set(`k${number}`, `${number}`)));
  assert.ok(replies.every((reply) => reply === "OK"));
  const values = await Promise.all(Array.from({ length: 5000 }, (_, number) => client.get(`k${number}`)));
  values.forEach((value, number) => assert.equal(value, `${number}`));
  const both = await client.multi().set("a", "1").get("a").execAsPipeline();
  assert.deepEqual(both, ["OK", "1"]);
}

async function scanning(client) {
  const keys = new Set();
  for await (const some of client.scanIterator({ MATCH: "k*", COUNT: 100 })) some.forEach((key) => keys.add(key));
  assert.equal(keys.size, 5000);
}

async function bigValues(client) {
  const big = Buffer.alloc(8 << 20, "larder");
  assert.equal(await client.set("big", big), "OK");
  const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  assert.ok(big.equals(await buffers.get("big")));
}

async function reconnects(client) {
  const killer = await createClient({ url }).connect();
  const again = new Promise((resolve) => client.once("ready", resolve));
  assert.equal(await killer.sendCommand(["CLIENT", "KILL", "ID", `${await client.clientId()}`]), 1);
  await again;
  assert.equal(await client.get("k1"), "1");
  killer.destroy();
}

for (const RESP of [undefined, 2, 3]) {
  const client = createClient({ url, ...(RESP && { RESP }) });
  client.on("error", () => {});
  await client.connect();
  await client.flushAll();
  for (const check of [strings, server, pipelines, scanning, bigValues, reconnects]) await check(client);
  await client.close();
}
