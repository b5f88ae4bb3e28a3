// todo-send.ts
import type { components } from "./api.js";
import type { Connection, Task } from "./todo.js";

export type Operation = components["schemas"]["BatchOperation"];
export type Result = { task?: Task; problem?: components["schemas"]["BatchOperationProblem"] };

const DUE = ["due_date", "due_time", "time_zone", "recurrence"] as const;
const MEMBERS = ["title", "description", "completed", "priority", ...DUE, "tags", "list_id", "parent_id", "position"] as const;

function pick(task: Task, names: readonly (keyof Task)[]) {
  return Object.fromEntries(names.map((name) => [name, task[name]])) as Pick<Task, (typeof MEMBERS)[number]>;
}

/** Returns the members to send. A task has no position until it is set or the server puts it where the user prefers. */
function chosen(task: Task) {
  return MEMBERS.filter((name) => name !== "position" || task.position);
}

/** Returns the operation that makes the task which the user saw into the one that the user wants, if they differ. */
export function difference(seen: Task | undefined, wanted: Task | undefined): Operation | undefined {
  if (!wanted) return seen && { op: "delete", id: seen.id };
  if (!seen) return { op: "create", id: wanted.id, task: pick(wanted, chosen(wanted)) };
  const names = chosen(wanted).filter((name) => JSON.stringify(seen[name]) !== JSON.stringify(wanted[name]));
  if (names.length > 0) return { op: "update", id: seen.id, changes: pick(wanted, names), base: pick(seen, chosen(seen).filter((name) => names.includes(name))) };
  return undefined;
}

/** Runs operations, each once, and returns what became of each. A `problem` says why it was rejected. */
export async function send(todo: Connection, operations: Operation[]): Promise<Result[]> {
  if (operations.length <= 100) {
    const params = { path: todo.path, header: { "Idempotency-Key": crypto.randomUUID() } };
    const body = { mode: "independent" as const, operations };
    const { data, error } = await todo.answered((signal) => todo.api.POST("/api/{user_id}/batch", { params, body, signal }));
    if (data) return data.results;
    if (operations.length === 1) return [{ problem: error }];
  }
  // They are too many or too large, or one is invalid: it must not hold up the others.
  const half = operations.length >> 1;
  return [...(await send(todo, operations.slice(0, half))), ...(await send(todo, operations.slice(half)))];
}
