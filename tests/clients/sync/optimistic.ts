// What TanStack DB shows between a user's edit and the server's answer, and after it.
import assert from "node:assert/strict";
import { newTask, server } from "./random-edits.js";
import { tasksCollection } from "./todo-tanstack.js";

const tasks = tasksCollection(server);
await tasks.preload();
const shown: (string | undefined)[] = [];
tasks.subscribeChanges((changes) => shown.push(...changes.map(({ value }) => value.title)));

// An edit is shown until the feed has it: the earlier value never comes back in between.
const { id, title } = newTask("First");
await tasks.insert({ ...newTask(title), id }).isPersisted.promise;
for (const next of ["Second", "Third", "Fourth"]) {
  const before = tasks.get(id)!.revision;
  await tasks.update(id, (draft) => void (draft.title = next)).isPersisted.promise;
  assert.ok(tasks.get(id)!.revision > before, "the optimistic state was dropped before the feed had the write");
}
const order = ["First", "Second", "Third", "Fourth"];
assert.deepEqual(shown, shown.toSorted((one, other) => order.indexOf(one!) - order.indexOf(other!)));

// An edit of a value that somebody else has changed is rolled back, and says why.
const params = { path: { ...server.path, task_id: id } };
const [edited] = await Promise.allSettled([
  server.api.PATCH("/api/{user_id}/tasks/{task_id}", { params, body: { title: "Theirs" } }).then(() => {
    return tasks.update(id, (draft) => void (draft.title = "Mine")).isPersisted.promise;
  }),
]);
assert.ok(edited.status === "rejected");
assert.deepEqual(edited.reason.cause.members, ["title"]);
assert.equal(tasks.get(id)!.title, "Theirs");
process.exit(0);
