// tasks-database.ts
import { createRxDatabase, type RxJsonSchema } from "rxdb/plugins/core";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import type { Connection, Task } from "./todo.js";
import { replicate } from "./todo-rxdb.js";

const nullable = { type: ["string", "null"], default: null };
export const schema = {
  version: 0,
  primaryKey: "id",
  type: "object",
  properties: {
    id: { type: "string", maxLength: 36 },
    user_id: { type: "string", default: "" },
    title: { type: "string" },
    description: nullable,
    completed: { type: "boolean", default: false },
    completed_at: nullable,
    priority: { type: "string", default: "Medium" },
    due_date: nullable,
    due_time: nullable,
    time_zone: nullable,
    due_at: nullable,
    tags: { type: "array", items: { type: "string" }, default: [] },
    list_id: nullable,
    created_at: { type: "string", default: "" },
    updated_at: { type: "string", default: "" },
    revision: { type: "integer", default: 0 }, // 0 until the task has come back from the server
  },
  required: ["id", "title"],
} as unknown as RxJsonSchema<Task>;

export async function open(todo: Connection) {
  const database = await createRxDatabase({ name: `todo-${todo.path.user_id.toLowerCase()}`, storage: getRxStorageDexie() });
  const { tasks } = await database.addCollections({ tasks: { schema } });
  replicate(todo, tasks, (problem, edit) => console.warn(`${edit.title}: ${problem?.detail}`));
  return tasks;
}
