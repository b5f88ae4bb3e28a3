// What becomes of edits that were made with RxDB while there was no network.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { newTask, server } from "./random-edits.js";
import { creator } from "./tasks-database.js";
import { replicate } from "./todo-rxdb.js";
import type { Result } from "./todo-send.js";
import { connect, type Task } from "./todo.js";

const { API = "", USER_ID = "", TOKEN = "" } = process.env;
let network = Promise.resolve();
const session = { baseUrl: API, user_id: USER_ID, getToken: () => network.then(() => TOKEN) };
const todo = connect({ ...session, signal: new AbortController().signal });
const statuses = new Set<number>();
// The device is also right if a problem does not say how the task is, unless that is in conflict.
todo.api.use({
  async onResponse({ response, schemaPath }) {
    if (!schemaPath.endsWith("/batch")) return undefined;
    statuses.add(response.status);
    const body = await response.json();
    for (const { problem } of body.results ?? []) if (problem && !problem.type.endsWith(":conflict")) delete problem.task;
    return Response.json(body, { status: response.status });
  },
});
const database = await createRxDatabase({ name: "device", storage: getRxStorageMemory() });
const { tasks } = await database.addCollections({ tasks: creator });
const refused: string[] = [];
let replication = replicate(todo, tasks, reject);
await replication.awaitInitialReplication();

function reject(problem: Result["problem"], edit: Task): void {
  refused.push(`${edit.title}: ${problem?.type.split(":").at(-1)}`);
  if (edit.title === "Put at the top") void tasks.incrementalUpsert({ ...edit, parent_id: null });
}

const child = (title: string, parent_id: string) => ({ ...newTask(title), parent_id });
const edit = async (id: string, changes: Partial<Task>) => void (await (await tasks.findOne(id).exec(true)).incrementalPatch(changes));

/** Makes edits without a network. RxDB sends the first one by itself, and the others together once it has been answered. */
async function offline(edits: () => Promise<unknown>): Promise<void> {
  let connected = () => {};
  network = new Promise((resolve) => (connected = resolve));
  await tasks.insert(newTask("First"));
  await sleep(100);
  await edits();
  connected();
}

const lines = (some: Task[]) => some.map((task) => JSON.stringify(Object.entries(task).sort())).sort();

/** Waits until the device has exactly the tasks that the server has, and returns them. */
async function inStep(): Promise<Map<string, Task>> {
  await replication.awaitInSync();
  for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
    const page = await server.changes(undefined, 1000);
    const [there, here] = [lines(page!.tasks), lines((await tasks.find().exec()).map((task) => task.toMutableJSON()))];
    if (JSON.stringify(there) === JSON.stringify(here)) return new Map(page!.tasks.map((task) => [task.id, task]));
    assert.ok(Date.now() < deadline, [...there.filter((task) => !here.includes(task)), "", ...here.filter((task) => !there.includes(task))].join("\n"));
  }
}

// Subtasks that were written before their parents, more of them than one request can have.
const top = newTask("Top");
const children = Array.from({ length: 120 }, (_, index) => child(`Child ${index}`, top.id));
const grandchild = child("Grandchild", children[0]!.id);
await offline(async () => {
  await tasks.bulkInsert([grandchild, ...children, top]);
  await edit(top.id, { description: "Written last" });
});
let now = await inStep();
for (const { id, parent_id } of [grandchild, ...children, top]) assert.equal(now.get(id)?.parent_id, parent_id);
assert.deepEqual(refused, []);

// A subtask that leaves its parent before that is deleted.
const [kept, gone] = [children[1]!.id, children[2]!.id];
await offline(async () => {
  await edit(kept, { parent_id: null });
  await (await tasks.findOne(top.id).exec(true)).incrementalRemove();
  await edit(kept, { title: "Kept" });
});
now = await inStep();
assert.deepEqual([now.get(kept)?.title, now.has(top.id), now.has(gone)], ["Kept", false, false]);
assert.deepEqual(refused, []);

// Edits that the server refuses.
for (const changes of [{ list_id: randomUUID() }, { due_time: "10:00" }]) {
  await edit(kept, changes);
  assert.deepEqual((await inStep()).get(kept), now.get(kept));
}
assert.deepEqual(refused.splice(0), ["Kept: no-such-list", "Kept: no-due-date"]);

// New tasks that the server refuses.
const [removed, again] = [child("Removed", randomUUID()), child("Put at the top", randomUUID())];
await tasks.insert(removed);
await tasks.insert(again);
now = await inStep();
assert.deepEqual([now.has(removed.id), now.get(again.id)?.parent_id], [false, null]);
assert.deepEqual(refused.splice(0), ["Removed: no-such-parent", "Put at the top: no-such-parent"]);

// A page that is closed when some of its new tasks are on the server, and opened again.
await replication.cancel();
const some = Array.from({ length: 120 }, (_, index) => newTask(`Sent by two pages ${index}`));
await tasks.bulkInsert(some);
const page = new AbortController();
const closing = connect({ ...session, signal: page.signal });
closing.api.use({ onResponse: ({ schemaPath }) => void (schemaPath.endsWith("/batch") && page.abort()) });
replicate(closing, tasks, reject);
await once(page.signal, "abort");
await sleep(100);
replication = replicate(todo, tasks, reject);
now = await inStep();
assert.ok(some.every(({ id }) => now.has(id)));
assert.deepEqual(refused, []);
assert.deepEqual([...statuses], [200], "a batch was sent that the server must refuse");
process.exit(0);
