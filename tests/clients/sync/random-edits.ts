// Two devices of one user make random edits over a network that loses and doubles answers. In the end they agree.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import "./locks.js";
import { connect, type Connection, type Task } from "./todo.js";

export interface Device {
  tasks(): Promise<Task[]>;
  /** Returns how many tasks show an edit that the server has not answered. */
  unsent(): Promise<number>;
  /** Returns how many edits the server has rejected. */
  rejected(): number;
  create(task: Task): Promise<void>;
  edit(id: string, changes: Partial<Task>): Promise<void>;
  remove(id: string): Promise<void>;
}

const { API = "", NETWORK = "", USER_ID = "", TOKEN = "", SEED = "0" } = process.env;
const signal = new AbortController().signal;
export const open = (baseUrl: string) => connect({ baseUrl, user_id: USER_ID, getToken: async () => TOKEN, signal });
export const server = open(API);

let state = Number(SEED);
/** Returns a number from 0 to below `end` (Numerical Recipes, a linear congruential generator). */
function below(end: number): number {
  state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
  return Math.floor((state / 2 ** 32) * end);
}

export function newTask(title: string): Task {
  const now = new Date().toISOString();
  const empty = { description: null, completed: false, completed_at: null, priority: "Medium" as const, due_date: null, due_time: null, time_zone: null, due_at: null, recurrence: null, rrule: null, series_id: null, occurrence_date: null, next_task_id: null, tags: [], list_id: null, parent_id: null, position: "" };
  return { id: randomUUID(), user_id: USER_ID, title, ...empty, created_at: now, updated_at: now, revision: 0 };
}

async function onServer(): Promise<Task[]> {
  const page = await server.changes(undefined, 1000);
  assert.ok(page && !page.has_more);
  return page.tasks;
}

const sorted = (tasks: Task[]) => tasks.toSorted((one, other) => one.id.localeCompare(other.id));

/** Returns the tasks that only one of two lists has. */
function differing(some: Task[], others: Task[]): string[] {
  const [one, other] = [some, others].map((tasks) => tasks.map((task) => JSON.stringify(Object.entries(task).sort())));
  return [...one!.filter((task) => !other!.includes(task)), ...other!.filter((task) => !one!.includes(task))];
}

/** Waits until all devices show what the server has, to the last revision. */
async function agree(devices: readonly Device[]): Promise<Task[]> {
  for (const deadline = Date.now() + 60_000; ; await sleep(100)) {
    const expected = await onServer();
    const shown = await Promise.all(devices.map((device) => device.tasks()));
    const faults = shown.flatMap((tasks) => differing(tasks, expected));
    if (faults.length === 0) return sorted(expected);
    assert.ok(Date.now() < deadline, faults.join("\n"));
  }
}

const CHANGES: (() => Partial<Task>)[] = [
  () => ({ title: `Title ${below(1000)}` }),
  () => ({ completed: below(2) === 1 }),
  () => ({ priority: (["High", "Medium", "Low"] as const)[below(3)]! }),
  () => ({ tags: [`tag ${below(10)}`] }),
];

/** Runs random edits on two devices, and checks that nothing is lost, doubled or left over. */
export async function check(steps: number, start: (todo: Connection) => Promise<Device>): Promise<void> {
  const devices = [await start(open(NETWORK)), await start(open(NETWORK))] as const;
  const alone = steps / 3;
  const created = new Set<string>();
  const deleted = new Set<string>();
  for (let step = 0; step < steps; step += 1) {
    if (step === alone) {
      await agree(devices);
      assert.equal(devices[0].rejected(), 0, "a device that edits alone has no conflicts");
    }
    const device = devices[step < alone ? 0 : below(2)]!;
    const there = sorted(await device.tasks());
    const task = there[below(there.length)];
    const choice = below(10);
    if (!task || choice < 3) {
      const one = newTask(`Task ${step}`);
      created.add(one.id);
      await device.create(one);
    } else if (choice < 4) {
      deleted.add(task.id);
      await device.remove(task.id);
    } else {
      await device.edit(task.id, CHANGES[below(CHANGES.length)]!());
    }
    if (below(3) === 0) await sleep(below(60));
  }
  const tasks = await agree(devices);
  assert.deepEqual(tasks.map(({ id }) => id), [...created].filter((id) => !deleted.has(id)).toSorted((a, b) => a.localeCompare(b)));

  // What a device still holds of its own edits would hide this change.
  const params = { path: { user_id: USER_ID }, query: { completed: false } };
  await server.api.PATCH("/api/{user_id}/tasks", { params, body: { completed: true, title: "Done" } });
  const done = await agree(devices);
  assert.ok(done.length > 0 && done.every(({ completed }) => completed));
  for (const device of devices) assert.equal(await device.unsent(), 0);
  const rejected = devices.map((device) => device.rejected());
  console.log(`${rejected.join(" and ")} edits rejected, ${done.length} tasks, the last revision ${Math.max(...done.map(({ revision }) => revision))}`);
  process.exit(0);
}
