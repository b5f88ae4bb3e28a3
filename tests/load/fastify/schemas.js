// JSON schemas: Ajv validates requests by them, and fast-json-stringify serialises responses.
export const PRIORITIES = { Low: 1, Medium: 2, High: 3 };

const changeable = {
  title: { type: "string", minLength: 1, maxLength: 200, pattern: "\\S" },
  description: { type: "string", maxLength: 10_000, nullable: true },
  completed: { type: "boolean" },
  priority: { type: "string", enum: Object.keys(PRIORITIES) },
  due_date: { type: "string", format: "date", nullable: true },
  tags: {
    type: "array",
    maxItems: 20,
    uniqueItems: true,
    items: { type: "string", minLength: 1, maxLength: 50, pattern: "^\\S(.*\\S)?$" },
  },
  list_id: { type: "string", format: "uuid", nullable: true },
};

export const taskUpdate = { type: "object", additionalProperties: false, properties: changeable };

export const taskCreate = {
  ...taskUpdate,
  required: ["title"],
  properties: {
    ...changeable,
    description: { ...changeable.description, default: null },
    completed: { ...changeable.completed, default: false },
    priority: { ...changeable.priority, default: "Medium" },
    due_date: { ...changeable.due_date, default: null },
    tags: { ...changeable.tags, default: [] },
    list_id: { ...changeable.list_id, default: null },
  },
};

export const params = { type: "object", properties: { task_id: { type: "string", format: "uuid" } } };

export const querystring = {
  type: "object",
  properties: {
    search: { type: "string", maxLength: 200 },
    completed: { type: "boolean" },
    limit: { type: "integer", minimum: 1, maximum: 100, default: 50 },
    offset: { type: "integer", minimum: 0, maximum: 100_000, default: 0 },
  },
};

const time = { type: "string", format: "date-time" };

export const task = record({
  id: { type: "string" },
  user_id: { type: "string" },
  title: { type: "string" },
  description: { type: "string", nullable: true },
  completed: { type: "boolean" },
  completed_at: { ...time, nullable: true },
  priority: { type: "string" },
  due_date: { type: "string", format: "date", nullable: true },
  due_time: { type: "string", nullable: true },
  time_zone: { type: "string", nullable: true },
  due_at: { ...time, nullable: true },
  recurrence: { type: "object", nullable: true },
  rrule: { type: "string", nullable: true },
  series_id: { type: "string", nullable: true },
  occurrence_date: { type: "string", format: "date", nullable: true },
  next_task_id: { type: "string", nullable: true },
  tags: { type: "array", items: { type: "string" } },
  list_id: { type: "string", nullable: true },
  parent_id: { type: "string", nullable: true },
  position: { type: "string" },
  created_at: time,
  updated_at: time,
  revision: { type: "integer" },
});

export const taskList = record({
  tasks: { type: "array", items: task },
  total: { type: "integer" },
  limit: { type: "integer" },
  offset: { type: "integer" },
  next_cursor: { type: "string", nullable: true },
});

export const tagList = { type: "array", items: record({ name: { type: "string" }, usage_count: { type: "integer" } }) };

function record(properties) {
  return { type: "object", properties, required: Object.keys(properties) };
}
