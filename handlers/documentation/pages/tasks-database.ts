// tasks-database.ts
import { addRxPlugin, createRxDatabase, type RxJsonSchema } from "rxdb/plugins/core";
import { RxDBMigrationSchemaPlugin } from "rxdb/plugins/migration-schema";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import type { Connection, Task } from "./todo.js";
import { replicate } from "./todo-rxdb.js";

addRxPlugin(RxDBMigrationSchemaPlugin);
const nullable = { type: ["string", "null"], default: null };
const schema = {
  version: 1, // Raise it whenever you change the members.
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
    recurrence: { type: ["object", "null"], default: null },
    rrule: nullable,
    series_id: nullable,
    occurrence_date: nullable,
    next_task_id: nullable,
    tags: { type: "array", items: { type: "string" }, default: [] },
    list_id: nullable,
    parent_id: nullable,
    position: { type: "string", default: "" },
    created_at: { type: "string", default: "" },
    updated_at: { type: "string", default: "" },
    revision: { type: "integer", default: 0 }, // 0 until the task has come back from the server
  },
  required: ["id", "title"],
} as const;
const defaults = Object.fromEntries(Object.entries(schema.properties).map(([name, of]) => [name, "default" in of ? of.default : null]));
// A device that kept tasks before the server was 0.6.0 has version 0, without the members that are newer.
const migrationStrategies = { 1: (task: Partial<Task>) => ({ ...defaults, ...task }) };
export const creator = { schema: schema as unknown as RxJsonSchema<Task>, migrationStrategies };

export async function open(todo: Connection) {
  const database = await createRxDatabase({ name: `todo-${todo.path.user_id.toLowerCase()}`, storage: getRxStorageDexie() });
  const { tasks } = await database.addCollections({ tasks: creator });
  replicate(todo, tasks, (problem, edit) => console.warn(`${edit.title}: ${problem?.detail}`));
  return tasks;
}
