// Two devices that keep a Map, and write with the functions of todo-send.ts.
import { check, server } from "./random-edits.js";
import { keepInStep } from "./todo-map.js";
import { difference, send } from "./todo-send.js";
import assert from "node:assert/strict";
import type { Connection, List, Task } from "./todo.js";

/** Checks that a list that is created is in the Map, and that it is gone when it is deleted. */
async function checkLists(todo: Connection, lists: Map<string, List>, pull: () => Promise<void>): Promise<void> {
  const { data: list } = await server.api.POST("/api/{user_id}/lists", { params: { path: todo.path }, body: { name: "Home" } });
  assert.ok(list);
  await pull();
  assert.deepEqual(lists.get(list.id), list);
  await server.api.DELETE("/api/{user_id}/lists/{list_id}", { params: { path: { ...todo.path, list_id: list.id } } });
  await pull();
  assert.equal(lists.size, 0);
}

await check(30, async (todo: Connection) => {
  const tasks = new Map<string, Task>();
  const lists = new Map<string, List>();
  const pull = keepInStep(todo, tasks, () => {}, lists);
  await pull();
  await checkLists(todo, lists, pull);
  let [unsent, rejected] = [0, 0];
  const write = async (seen: Task | undefined, wanted: Task | undefined) => {
    const operation = difference(seen, wanted);
    if (!operation) return;
    unsent += 1;
    const [result] = await send(todo, [operation]);
    await pull();
    unsent -= 1;
    if (result?.problem) rejected += 1;
  };
  return {
    tasks: async () => [...tasks.values()],
    unsent: async () => unsent,
    rejected: () => rejected,
    create: (task) => write(undefined, task),
    edit: (id, changes) => write(tasks.get(id), { ...tasks.get(id)!, ...changes }),
    remove: (id) => write(tasks.get(id), undefined),
  };
});
