// Two devices that keep a Map, and write with the functions of todo-send.ts.
import { check } from "./random-edits.js";
import { keepInStep } from "./todo-map.js";
import { difference, send } from "./todo-send.js";
import type { Connection, Task } from "./todo.js";

await check(30, async (todo: Connection) => {
  const tasks = new Map<string, Task>();
  const pull = keepInStep(todo, tasks, () => {});
  await pull();
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
