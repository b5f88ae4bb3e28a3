// The statements, in named prepared statements on pg's pool.
import pg from "pg";
import { PRIORITIES, task, taskUpdate } from "./schemas.js";

const PRIORITY_NAMES = Object.fromEntries(Object.entries(PRIORITIES).map(([name, number]) => [number, name]));
// No task of the bench recurs, so `rrule` is always null. No column has it.
const COLUMNS = Object.keys(task.properties).filter((name) => name !== "rrule").join(", ");
const OWN = "user_id = $1 AND deleted_at IS NULL";
// The expression of the index.
const SEARCHED = "lower(title) || 'X' || lower(coalesce(description, ''))";
const REVISION = "SELECT revision FROM accounts WHERE user_id = $1";
const GET = `SELECT ${COLUMNS} FROM tasks WHERE ${OWN} AND id = $2`;
const DELETE = `DELETE FROM tasks WHERE ${OWN} AND id = $2`;
const CREATE = `
  INSERT INTO tasks (id, revision, created_at, updated_at, completed_at,
                     user_id, title, description, completed, priority, due_date, tags, list_id, position)
  VALUES (uuidv7(), 1, now(), now(), CASE WHEN $4 THEN now() END, $1, $2, $3, $4, $5, $6, $7, $8,
          'm' || to_hex((extract(epoch FROM now()) * 1000000)::bigint))
  RETURNING ${COLUMNS}`;
const TAGS = `
  SELECT name, count(*) AS usage_count FROM tasks, unnest(tags) AS name
  WHERE ${OWN} GROUP BY name ORDER BY name COLLATE "C"`;

// By default, pg returns a bigint as a string, and a date or a time as a Date, which has only milliseconds.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
pg.types.setTypeParser(pg.types.builtins.DATE, String);
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, rfc3339);

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  options: "-c timezone=UTC",
  max: 10,
  // The pools of the other servers keep their connections between rounds. By default, pg closes them after ten seconds.
  idleTimeoutMillis: 0,
});

export const close = () => pool.end();

export async function getRevision(userId) {
  const { rows } = await pool.query({ name: "revision", text: REVISION, values: [userId] });
  return rows[0]?.revision ?? 0;
}

export async function listTasks(userId, { search, completed, limit, offset }) {
  const values = [userId];
  let [name, where] = ["list", OWN];
  if (search) {
    name += "-search";
    where += ` AND ${SEARCHED} LIKE lower($${values.push(`%${search.replace(/[\\%_]/g, "\\$&")}%`)})`;
  }
  if (completed !== undefined) {
    name += "-completed";
    where += ` AND completed = $${values.push(completed)}`;
  }
  // One more task than the page has shows whether there is a next page.
  const cut = `LIMIT $${values.push(limit + 1)} OFFSET $${values.push(offset)}`;
  const count = `SELECT count(*) AS total FROM tasks WHERE ${where}`;
  const page = `SELECT ${COLUMNS} FROM tasks WHERE ${where} ORDER BY created_at DESC, id DESC ${cut}`;
  // The outer join returns the total even if the page is empty.
  const joined = `(${count}) AS counted LEFT JOIN (${page}) AS page ON true`;
  const text = `SELECT * FROM ${joined} ORDER BY created_at DESC, id DESC`;
  const { rows } = await pool.query({ name, text, values });
  const tasks = rows[0].id === null ? [] : rows.slice(0, limit).map(resource);
  return { tasks, total: rows[0].total, limit, offset, next_cursor: rows.length > limit ? tasks.at(-1).id : null };
}

export async function createTask(userId, { title, description, completed, priority, due_date, tags, list_id }) {
  const values = [userId, title, description, completed, PRIORITIES[priority], due_date, tags, list_id];
  const { rows } = await pool.query({ name: "create", text: CREATE, values });
  return resource(rows[0]);
}

export async function getTask(userId, taskId) {
  const { rows } = await pool.query({ name: "get", text: GET, values: [userId, taskId] });
  return rows.length ? resource(rows[0]) : null;
}

export async function updateTask(userId, taskId, body) {
  const names = Object.keys(taskUpdate.properties).filter((name) => name in body);
  const changes = names.map((name, index) => `${name} = $${index + 3}`);
  const completed = names.indexOf("completed");
  if (completed >= 0) changes.push(`completed_at = CASE WHEN $${completed + 3} THEN coalesce(completed_at, now()) END`);
  const set = [...changes, "updated_at = now()"].join(", ");
  const text = `UPDATE tasks SET ${set} WHERE ${OWN} AND id = $2 RETURNING ${COLUMNS}`;
  const values = names.map((name) => (name === "priority" ? PRIORITIES[body.priority] : body[name]));
  const { rows } = await pool.query({ name: `update-${names.join("-")}`, text, values: [userId, taskId, ...values] });
  return rows.length ? resource(rows[0]) : null;
}

export async function deleteTask(userId, taskId) {
  const { rowCount } = await pool.query({ name: "delete", text: DELETE, values: [userId, taskId] });
  return rowCount === 1;
}

export async function listTags(userId) {
  const { rows } = await pool.query({ name: "tags", text: TAGS, values: [userId] });
  return rows;
}

function resource(row) {
  return { ...row, priority: PRIORITY_NAMES[row.priority], rrule: null };
}

function rfc3339(text) {
  const time = text.replace(" ", "T").slice(0, -"+00".length);
  // PostgreSQL leaves out the zeros at the end of a fraction.
  return `${time.includes(".") ? time.padEnd("2026-01-01T00:00:00.000000".length, "0") : time}Z`;
}
