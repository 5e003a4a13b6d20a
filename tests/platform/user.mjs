// What a user of the platform's SDK may write, against realtime-gw: it triggers,
// lists, retrieves, tags, reschedules and cancels runs, and follows them, while the
// organization's new runs change from one table to the other.
//
//   TRIGGER_API_URL=... TRIGGER_SECRET_KEY=... node user.mjs
//
// It says on standard output what it has come through, and asks there for the flag
// to be turned, which standard input answers. Anything that is not as it should be
// ends it with an error.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { inside } from "./inside.mjs";
import { auth, batch, idempotencyKeys, metadata, runs, tags, tasks } from "@trigger.dev/sdk";
import { Watch } from "./watch.mjs";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const isV2 = (id) => /^run_[0-9A-Za-z]{27}$/.test(id);

// Turns the organization's flag, and comes back when new runs go there.
async function newRunsInV2(on) {
  say({ flag: on });
  await answers.next();
  for (;;) {
    const probe = await tasks.trigger("idle-probe", {}, { ttl: "1s" });
    if (isV2(probe.id) === on) return;
  }
}

const tag = `team:${Date.now()}`;
const tagged = new Watch(runs.subscribeToRunsWithTag(tag, { createdAt: "1h" }));
const all = []; // runs with the tag, in the order in which they were triggered
async function trigger(task, payload, options) {
  const handle = await tasks.trigger(task, payload, { ...options, tags: [tag, ...(options?.tags ?? [])] });
  all.push(handle.id);
  return handle;
}

const steps = {
  async "a run in each table is followed to its end, polled and retrieved"() {
    for (const on of [false, true]) {
      await newRunsInV2(on);
      const at = new Date();
      const handle = await trigger("hello", { name: "Ada", at }, { metadata: { step: 1 }, tags: ["first"] });
      assert.equal(isV2(handle.id), on);
      const watch = new Watch(runs.subscribeToRun(handle.id));
      await watch.until(handle.id, (run) => run.isCompleted);
      const run = await runs.poll(handle, { pollIntervalMs: 50 });
      assert.equal(run.status, "COMPLETED");
      assert.deepEqual(run.output, { name: "Ada", at: at.toISOString() });
      assert.deepEqual(watch.last.get(handle.id).output, { name: "Ada", at });
      assert.deepEqual(run.tags, ["first", tag].sort());
      assert.deepEqual(run.metadata, { step: 1 });
      assert.deepEqual(run.relatedRuns, { children: [] });
      await tagged.until(handle.id, (run) => run.isCompleted);
    }
  },

  async "a task that fails is seen to fail"() {
    const handle = await trigger("fail", {}, { maxAttempts: 3 });
    const run = await runs.poll(handle, { pollIntervalMs: 50 });
    assert.equal(run.status, "FAILED");
    assert.equal(run.attemptCount, 3);
    assert.equal(run.error.message, "the task fail fails");
    await tagged.until(handle.id, (run) => run.isFailed && run.error.message === "the task fail fails");
  },

  async "batches are followed, in each table"() {
    for (const on of [false, true]) {
      await newRunsInV2(on);
      const mixed = await batch.trigger([
        { id: "hello", payload: "a text", options: { tags: [tag] } },
        { id: "fail", payload: { n: 2 }, options: { tags: [tag], maxAttempts: 1 } },
        { id: "wait", payload: { ms: 1500 }, options: { tags: [tag] } },
      ]);
      const of = await batch.retrieve(mixed.batchId);
      assert.deepEqual([mixed.runCount, of.runs.length, of.status], [3, 3, "PENDING"]);
      all.push(...of.runs);
      const watch = new Watch(runs.subscribeToBatch(mixed.batchId));
      const ends = await Promise.all(of.runs.map((id) => watch.until(id, (run) => run.isCompleted)));
      assert.deepEqual(ends.map((run) => run.status), ["COMPLETED", "FAILED", "COMPLETED"]);
      assert.equal(ends[0].output, "a text");
      assert(watch.statuses.get(of.runs[2]).includes("WAITING"));
      assert(of.runs.every((id) => isV2(id) === on));
    }
    const many = await tasks.batchTrigger("hello", Array.from({ length: 40 }, (_, n) => ({ payload: { n }, options: { tags: [tag] } })), {
      idempotencyKey: await idempotencyKeys.create(tag, { scope: "global" }),
    });
    const again = await tasks.batchTrigger("hello", Array.from({ length: 40 }, (_, n) => ({ payload: { n } })), {
      idempotencyKey: await idempotencyKeys.create(tag, { scope: "global" }),
    });
    assert.equal(again.batchId, many.batchId);
    const { runs: ids } = await batch.retrieve(many.batchId);
    all.push(...ids);
    assert.equal(new Set(ids).size, 40);
    const watch = new Watch(runs.subscribeToBatch(many.batchId));
    for (const [n, id] of ids.entries()) assert.deepEqual((await watch.until(id, (run) => run.isCompleted)).output, { n });
  },

  async "canceling a run cancels its tree, whose generations are in alternate tables"() {
    await newRunsInV2(true);
    const root = await trigger("wait-root", {});
    await newRunsInV2(false);
    const [child, sibling] = await inside({ id: root.id, tags: [tag] }, () => Promise.all([trigger("wait-child", {}), trigger("hello", {})]));
    await newRunsInV2(true);
    const grandchild = await inside({ id: child.id, tags: [tag] }, () => trigger("wait-grandchild", {}));
    const tree = [root, child, grandchild];
    assert.deepEqual(tree.map(({ id }) => isV2(id)), [true, false, true]);
    await runs.poll(sibling, { pollIntervalMs: 50 });

    const { relatedRuns } = await runs.retrieve(child);
    assert.deepEqual([relatedRuns.root.id, relatedRuns.parent.id, relatedRuns.children.map(({ id }) => id)], [root.id, root.id, [grandchild.id]]);
    const top = await runs.retrieve(root);
    assert.deepEqual(top.relatedRuns.children.map(({ id, depth }) => [id, depth]).sort(), [[child.id, 1], [sibling.id, 1]].sort());

    const watches = tree.map(({ id }) => new Watch(runs.subscribeToRun(id)));
    await Promise.all(tree.map(({ id }, n) => watches[n].until(id, () => true)));
    assert.deepEqual(await runs.cancel(root.id), { id: root.id });
    for (const [n, { id }] of tree.entries()) {
      await watches[n].until(id, (run) => run.isCancelled);
      await tagged.until(id, (run) => run.isCancelled);
      assert.equal((await runs.retrieve(id)).status, "CANCELED");
    }
    assert.equal((await runs.retrieve(sibling)).status, "COMPLETED", "what was over stays as it was");
    await runs.cancel(root.id); // once more is no error
  },

  async "a delayed run is rescheduled"() {
    for (const on of [true, false]) {
      await newRunsInV2(on);
      const handle = await trigger("hello", { n: 1 }, { delay: "1h" });
      await tagged.until(handle.id, (run) => run.status === "DELAYED");
      const until = new Date(Date.now() + 500);
      const run = await runs.reschedule(handle.id, { delay: until });
      assert.deepEqual(run.delayedUntil, until);
      assert.equal((await runs.poll(handle, { pollIntervalMs: 50 })).status, "COMPLETED");
      await assert.rejects(runs.reschedule(handle.id, { delay: "1h" }), { status: 422 });
    }
    const idle = await trigger("idle", {}, { ttl: "1s" });
    await tagged.until(idle.id, (run) => run.status === "EXPIRED");
  },

  async "tags and metadata of a run, its parent and its root"() {
    await newRunsInV2(true);
    const root = await trigger("wait", { ms: 60_000 });
    await newRunsInV2(false);
    const parent = await inside({ id: root.id, tags: [tag] }, () => trigger("wait", { ms: 60_000 }));
    await newRunsInV2(true);
    const run = await inside({ id: parent.id, tags: [tag] }, () => trigger("wait", { ms: 60_000 }, { metadata: { logs: ["a"], n: 1 } }));
    await inside({ id: run.id, tags: [tag], metadata: { logs: ["a"], n: 1 } }, async () => {
      await tags.add(["late", tag]);
      metadata.set("who", "me").append("logs", "b").increment("n", 2);
      metadata.parent.increment("children", 1);
      metadata.root.append("seen", run.id);
      await metadata.flush();
      await metadata.refresh();
      assert.deepEqual(metadata.current(), { who: "me", logs: ["a", "b"], n: 3 });
    });
    const seen = await tagged.until(run.id, (run) => run.metadata?.who && run.tags.includes("late"));
    assert.deepEqual([seen.metadata, seen.tags.sort()], [{ who: "me", logs: ["a", "b"], n: 3 }, ["late", tag].sort()]);
    assert.deepEqual((await tagged.until(parent.id, (run) => run.metadata)).metadata, { children: 1 });
    assert.deepEqual((await tagged.until(root.id, (run) => run.metadata)).metadata, { seen: [run.id] });
    await runs.cancel(root.id);
    await tagged.until(run.id, (run) => run.isCancelled);
  },

  async "an idempotency key holds over both tables until it is reset"() {
    await newRunsInV2(false);
    const idempotencyKey = await idempotencyKeys.create(`once-${tag}`, { scope: "global" });
    const first = await trigger("hello", {}, { idempotencyKey });
    await newRunsInV2(true);
    const second = await tasks.trigger("hello", {}, { idempotencyKey });
    assert.deepEqual([second.id, second.isCached], [first.id, true]);
    assert.equal((await runs.retrieve(first)).idempotencyKey, `once-${tag}`);
    await idempotencyKeys.reset("hello", idempotencyKey);
    const third = await trigger("hello", {}, { idempotencyKey });
    assert.notEqual(third.id, first.id);
    assert(isV2(third.id) && !isV2(first.id));
    const replayed = await runs.replay(first.id);
    assert.equal((await runs.poll(replayed, { pollIntervalMs: 50 })).status, "COMPLETED");
    all.push(replayed.id); // with its tags
  },

  async "public tokens do what their scopes say, and a token for one use no more"() {
    const handle = await trigger("hello", {});
    await auth.withAuth({ accessToken: handle.publicAccessToken }, async () => {
      assert.equal((await runs.retrieve(handle)).id, handle.id);
      await assert.rejects(runs.retrieve(all[0]), { status: 403 });
      await assert.rejects(runs.cancel(handle.id), { status: 403 });
      await new Watch(runs.subscribeToRun(handle.id)).until(handle.id, (run) => run.isCompleted);
    });
    const once = await auth.createTriggerPublicToken("hello");
    await auth.withAuth({ accessToken: once }, async () => {
      await assert.rejects(tasks.trigger("other", {}), { status: 403 });
      await trigger("hello", {});
      await assert.rejects(tasks.trigger("hello", {}), { status: 422 });
    });
    const reader = await auth.createPublicToken({ scopes: { read: { tags: [tag] } } });
    await auth.withAuth({ accessToken: reader }, async () => {
      assert.equal((await runs.retrieve(all[0])).id, all[0]);
    });
  },

  async "lists have every run once, in both directions, whichever table it is in"() {
    await Promise.all(all.map((id) => tagged.until(id, (run) => run.isCompleted || run.isCancelled)));
    const forwards = [];
    let page = await runs.list({ tag, limit: 7 });
    for (;;) {
      forwards.push(...page.data.map(({ id }) => id));
      if (!page.hasNextPage()) break;
      page = await page.getNextPage();
    }
    assert.deepEqual([...forwards].sort(), [...all].sort());
    const backwards = page.data.map(({ id }) => id);
    while (page.hasPreviousPage()) {
      page = await page.getPreviousPage();
      backwards.unshift(...page.data.map(({ id }) => id));
    }
    assert.deepEqual(backwards, forwards);
    const created = [];
    for await (const run of runs.list({ tag, status: ["COMPLETED"], taskIdentifier: "hello", from: new Date(Date.now() - 3_600_000) })) {
      assert(run.isSuccess && run.taskIdentifier === "hello" && run.tags.includes(tag) && run.env.name === "dev");
      created.push(run.createdAt);
    }
    assert(created.length > 40);
    assert.deepEqual(created, [...created].sort((a, b) => b - a));
    assert.equal((await runs.list({ tag, status: "QUEUED" })).data.length, 0);
    await assert.rejects(runs.list({ after: "nonsense" }), { status: 400 });
  },
};

for (const [step, take] of Object.entries(steps)) {
  await take();
  say({ step });
}
say({ legacy: all.filter((id) => !isV2(id)).length, v2: all.filter(isV2).length });
process.exit(0); // subscriptions of runs that go on have no end
