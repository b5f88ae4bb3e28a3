// Two devices with TanStack DB.
import { check } from "./random-edits.js";
import type { Task } from "./todo.js";
import { tasksCollection } from "./todo-tanstack.js";

await check(150, async (todo) => {
  const tasks = tasksCollection(todo);
  await tasks.preload();
  let rejected = 0;
  // A write that the server rejects is rolled back, and reported here.
  const settled = ({ isPersisted }: { isPersisted: { promise: Promise<unknown> } }) =>
    void isPersisted.promise.catch(() => (rejected += 1));
  return {
    // The members that TanStack DB adds begin with a dollar sign.
    tasks: async () => tasks.toArray.map((task) => Object.fromEntries(Object.entries(task).filter(([name]) => name[0] !== "$")) as Task),
    unsent: async () => tasks.toArray.filter(({ $synced }) => !$synced).length,
    rejected: () => rejected,
    create: async (task) => settled(tasks.insert(task)),
    edit: async (id, changes) => settled(tasks.update(id, (draft) => Object.assign(draft, changes))),
    remove: async (id) => settled(tasks.delete(id)),
  };
});
