// todo-tanstack.ts
import { createCollection } from "@tanstack/db";
import { difference, send, type Operation } from "./todo-send.js";
import { follow } from "./todo-map.js";
import type { Connection, Task } from "./todo.js";

/** Returns a collection of the user's tasks. A write that the server rejects is rolled back. */
export function tasksCollection(todo: Connection) {
  let pull = async () => {};
  let sending: Promise<unknown> = Promise.resolve();

  /** Sends operations after those that the user made before, and waits until the feed contains their result. */
  async function write(operations: (Operation | undefined)[]) {
    const given = operations.filter((operation) => operation !== undefined);
    const sent = sending.then(() => (given.length > 0 ? send(todo, given) : []));
    sending = sent;
    const problem = (await sent).find((result) => result.problem)?.problem;
    await pull(); // It begins now, so it delivers the revision of this write. Afterwards, the optimistic state is dropped.
    if (problem) throw new Error(problem.detail, { cause: problem });
  }

  return createCollection<Task, string>({
    id: `tasks of ${todo.path.user_id}`,
    getKey: (task) => task.id,
    sync: {
      rowUpdateMode: "full",
      sync({ begin, write, commit, truncate, markReady }) {
        pull = follow(todo, (page, isFirst) => {
          begin();
          if (isFirst) truncate();
          for (const task of page.tasks) write({ type: "update", value: task });
          for (const { id } of page.deleted) write({ type: "delete", key: id });
          commit();
        });
        const stopped = new AbortController();
        todo.watch(() => void pull().catch(() => {}), AbortSignal.any([todo.signal, stopped.signal]));
        pull().then(markReady, () => {});
        return () => stopped.abort();
      },
    },
    onInsert: ({ transaction }) => write(transaction.mutations.map(({ modified }) => difference(undefined, modified))),
    onUpdate: ({ transaction }) => write(transaction.mutations.map(({ original, modified }) => difference(original, modified))),
    onDelete: ({ transaction }) => write(transaction.mutations.map(({ original }) => difference(original, undefined))),
  });
}
