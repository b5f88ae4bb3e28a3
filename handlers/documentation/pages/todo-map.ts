// todo-map.ts
import type { Changes, Connection, List, Task } from "./todo.js";

/** Returns a function that downloads what is new, and resolves when everything before the call has been applied. */
export function follow({ changes }: Connection, apply: (page: Changes, isFirst: boolean) => void): () => Promise<void> {
  let token: string | undefined;
  let last = Promise.resolve();
  let next: Promise<void> | undefined; // it has not begun yet, so it is enough for every call until it does
  async function pull() {
    next = undefined;
    for (let page: Changes | undefined; !page || page.has_more; token = page?.sync_token) {
      page = await changes(token);
      if (page) apply(page, token === undefined);
    }
  }
  return () => (next ??= last = last.catch(() => {}).then(pull));
}

/** Keeps Maps in step with the server, and calls `show` after each change. Await the function that it returns after a write. */
export function keepInStep(todo: Connection, tasks: Map<string, Task>, show: () => void, lists = new Map<string, List>()): () => Promise<void> {
  const pull = follow(todo, (page, isFirst) => {
    if (isFirst) [tasks, lists].forEach((map) => map.clear());
    for (const task of page.tasks) tasks.set(task.id, task);
    for (const { id } of page.deleted) tasks.delete(id);
    for (const list of page.lists) lists.set(list.id, list);
    for (const { id } of page.deleted_lists) lists.delete(id);
    show();
  });
  todo.watch(() => void pull().catch(() => {}));
  return pull;
}
