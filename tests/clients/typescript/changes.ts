// What has changed since the client last asked, and the moment it changes.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { components } from "./api.js";
import { api, newTask, operation, pathOf, user } from "./session.js";

type Event = components["schemas"]["ReadyEvent"] | components["schemas"]["ChangedEvent"] | components["schemas"]["ByeEvent"];

async function changes(query: { sync_token?: string; limit?: number; wait?: number }) {
  const { data } = await api.GET("/api/{user_id}/changes", { params: { path: user, query } });
  assert.ok(data);
  return data;
}

/** Yield the data of each event of a stream. */
async function* eventsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}

operation("list_changes", () => {
  test("returns what was changed and deleted since the token", async () => {
    const [kept, deleted] = [await newTask("Keep"), await newTask("Delete")];
    let page = await changes({ limit: 1000 });
    assert.ok(!page.has_more && page.tasks.some(({ id }) => id === kept.id));
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: { path: pathOf(deleted) } });
    page = await changes({ sync_token: page.sync_token });
    assert.deepEqual([page.tasks, page.deleted.map(({ id }) => id)], [[], [deleted.id]]);
    page = await changes({ sync_token: page.sync_token });
    assert.deepEqual([page.tasks, page.deleted], [[], []]);
  });

  test("returns sync-reset for a token of another epoch", async () => {
    const params = { path: user, query: { sync_token: "1.1.0" } };
    const { error } = await api.GET("/api/{user_id}/changes", { params });
    assert.equal(error?.type, "urn:problem-type:todo-api:sync-reset");
  });
});

operation("stream_events", () => {
  test("says when it is ready, and when a task has changed", async () => {
    const { data } = await api.GET("/api/{user_id}/events", { params: { path: user }, parseAs: "stream" });
    assert.ok(data);
    const events = eventsOf(data);
    const ready = (await events.next()).value;
    assert.ok(ready?.type === "ready");
    const task = await newTask("Ring the bell");
    const changed = (await events.next()).value;
    assert.ok(changed?.type === "changed" && changed.revision >= task.revision);
    assert.deepEqual((await changes({ sync_token: ready.sync_token })).tasks, [task]);
    await events.return(undefined);
  });
});
