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

/** Puts parents before their subtasks, and deletions last: they take along the subtasks that have yet to leave. */
export function inOrder<Edit>(edits: Edit[], wanted: (edit: Edit) => Task & { _deleted: boolean }): Edit[] {
  const tasks = new Map(edits.map((edit) => [wanted(edit).id, wanted(edit)]));
  // The server accepts three levels. Where these end, so does a circle.
  const level = (task?: Task, above = 0): number => (task && above < 3 ? level(tasks.get(task.parent_id ?? ""), above + 1) : above);
  const place = (edit: Edit) => (wanted(edit)._deleted ? 4 : level(wanted(edit)));
  return [...edits].sort((one, other) => place(one) - place(other));
}

/** Returns whether an edit was rejected, without the task in the problem, because the task is not there any more. */
export function isGone(problem: NonNullable<Result["problem"]>): boolean {
  return problem.status === 404 || problem.type === "urn:problem-type:todo-api:conflict";
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
