// Three stores while the server is restored from a backup that lacks one of their tasks.
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { createRxDatabase } from "rxdb/plugins/core";
import { getRxStorageMemory } from "rxdb/plugins/storage-memory";
import { newTask, open, server } from "./random-edits.js";
import { creator } from "./tasks-database.js";
import { keepInStep } from "./todo-map.js";
import { replicate } from "./todo-rxdb.js";
import { tasksCollection } from "./todo-tanstack.js";
import type { Task } from "./todo.js";

const api = process.env.API ?? "";
const map = new Map<string, Task>();
await keepInStep(open(api), map, () => {})();
const collection = tasksCollection(open(api));
await collection.preload();
const database = await createRxDatabase({ name: "device", storage: getRxStorageMemory() });
const { tasks } = await database.addCollections({ tasks: creator });
await replicate(open(api), tasks, () => {}).awaitInitialReplication();

async function show(...titles: string[]): Promise<void> {
  for (const deadline = Date.now() + 20_000; ; await sleep(50)) {
    const stores = [[...map.values()], collection.toArray, await tasks.find().exec()];
    const shown = stores.map((store) => store.map(({ title }) => title).sort());
    if (JSON.stringify(shown) === JSON.stringify([titles, titles, titles])) return;
    assert.ok(Date.now() < deadline, JSON.stringify(shown));
  }
}

collection.insert(newTask("Kept"));
collection.insert(newTask("Lost"));
await show("Kept", "Lost");
console.log("ready");
await once(process.stdin, "data");
// The first edit after the backup was restored.
await tasks.insert(newTask("New"));
await show("Kept", "New");
const { data } = await server.api.GET("/api/{user_id}/tasks", { params: { path: server.path } });
assert.equal(data?.total, 2);
process.exit(0);
