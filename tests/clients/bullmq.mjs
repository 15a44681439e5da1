// BullMQ's core jobs on Larder: `bullmq.mjs PORT`. Ends with an assertion when something is amiss.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { FlowProducer, Queue, QueueEvents, Worker } = createRequire(process.cwd() + "/")("bullmq");
const connection = { port: Number(process.argv[2]) };
const PATIENCE = 60_000;

const queue = new Queue("queue", { connection });
queue.setMaxListeners(200);
const events = new QueueEvents("queue", { connection });
events.setMaxListeners(200);
await events.waitUntilReady();
let attempts = 0;
const worker = new Worker(
  "queue",
  async (job) => {
    if (job.name === "fails once" && attempts++ < 1) throw new Error("on purpose");
    if (job.name === "parent") return Object.keys(await job.getChildrenValues()).length;
    return 2 * job.data.x;
  },
  { connection, concurrency: 5, limiter: { max: 1000, duration: 100 } },
);
const result = (job) => job.waitUntilFinished(events, PATIENCE);

assert.equal(await result(await queue.add("plain", { x: 21 })), 42);
assert.equal(await result(await queue.add("delayed", { x: 2 }, { delay: 300 })), 4);
const retried = { attempts: 3, backoff: { type: "fixed", delay: 100 } };
assert.equal(await result(await queue.add("fails once", { x: 3 }, retried)), 6);
const many = await queue.addBulk(Array.from({ length: 100 }, (_, x) => ({ name: "many", data: { x } })));
assert.deepEqual(await Promise.all(many.map(result)), Array.from({ length: 100 }, (_, x) => 2 * x));
const flow = new FlowProducer({ connection });
const children = [1, 2].map((x) => ({ name: `child ${x}`, queueName: "queue", data: { x } }));
const tree = await flow.add({ name: "parent", queueName: "queue", data: {}, children });
assert.equal(await result(tree.job), 2);
const repeated = new Promise((done) => worker.on("completed", (job) => job.name === "repeated" && ++attempts > 4 && done()));
await queue.upsertJobScheduler("repeated", { every: 100 }, { name: "repeated", data: { x: 1 } });
await repeated;
await queue.removeJobScheduler("repeated");
await queue.pause();
const paused = await queue.add("paused", { x: 1 });
assert.equal(await paused.getState(), "waiting");
await queue.resume();
assert.equal(await result(paused), 2);
for (const part of [worker, events, flow, queue]) await part.close();
