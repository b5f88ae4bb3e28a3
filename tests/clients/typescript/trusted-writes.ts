// Writes that can be repeated, batched and undone. Each block is named after an operationId of the contract.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { components } from "./api.js";
import { api, newTask, operation, pathOf, user } from "./session.js";

type Results = components["schemas"]["BatchOperationResults"];
const statuses = (results: Results | undefined) => results?.map(({ status }) => status);

operation("create_task", () => {
  test("takes effect once for each Idempotency-Key", async () => {
    const create = (title: string, key: string) =>
      api.POST("/api/{user_id}/tasks", {
        params: { path: user, header: { "Idempotency-Key": key } },
        body: { title },
      });
    const key = randomUUID();
    const first = await create("Once", key);
    const again = await create("Once", `"${key}"`);
    assert.ok(first.data);
    assert.deepEqual([again.response.status, again.data], [201, first.data]);
    assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
    const other = await create("Twice", key);
    assert.equal(other.error?.type, "urn:problem-type:todo-api:idempotency-mismatch");
  });
});

operation("put_task", () => {
  test("creates a task under an id that the client chose, and replaces it", async () => {
    const path = { ...user, task_id: randomUUID() };
    const put = (title: string) => api.PUT("/api/{user_id}/tasks/{task_id}", { params: { path }, body: { title } });
    const made = await put("Mine");
    assert.deepEqual([made.response.status, made.data?.id], [201, path.task_id]);
    const again = await put("Mine");
    assert.deepEqual([again.response.status, again.data], [200, made.data]);
    assert.ok(made.data);
    const body = { ...made.data, title: "Changed" };
    const replaced = await api.PUT("/api/{user_id}/tasks/{task_id}", { params: { path }, body });
    assert.equal(replaced.data?.title, "Changed");
  });

  test("only creates with If-None-Match, and only replaces with If-Match", async () => {
    const task = await newTask("Taken");
    const taken = await api.PUT("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(task), header: { "If-None-Match": "*" } },
      body: { title: "Mine" },
    });
    assert.ok(taken.error?.type === "urn:problem-type:todo-api:precondition-failed");
    assert.equal(taken.error.task?.title, "Taken");
    const absent = await api.PUT("/api/{user_id}/tasks/{task_id}", {
      params: { path: { ...user, task_id: randomUUID() }, header: { "If-Match": '"1"' } },
      body: { title: "Mine" },
    });
    assert.ok(absent.error?.type === "urn:problem-type:todo-api:precondition-failed");
    assert.equal(absent.error.task, null);
  });
});

operation("run_batch", () => {
  const id = randomUUID();
  const operations: components["schemas"]["BatchOperation"][] = [
    { op: "create", id, task: { title: "Batched", tags: ["batch"] } },
    { op: "delete", id: randomUUID() },
  ];

  test("writes nothing if one operation fails, and reports which", async () => {
    const { error } = await api.POST("/api/{user_id}/batch", { params: { path: user }, body: { mode: "atomic", operations } });
    assert.ok(error?.type === "urn:problem-type:todo-api:batch-failed");
    assert.deepEqual(statuses(error.results), [424, 404]);
    assert.equal(error.results[1]?.problem?.type, "urn:problem-type:todo-api:not-found");
  });

  test("does what can be done, and merges changes of different members", async () => {
    const done = await api.POST("/api/{user_id}/batch", { params: { path: user }, body: { mode: "independent", operations } });
    assert.deepEqual(statuses(done.data?.results), [201, 404]);
    const merged = await api.POST("/api/{user_id}/batch", {
      params: { path: user },
      body: { mode: "atomic", operations: [{ op: "update", id, changes: { completed: true }, base: { completed: false } }] },
    });
    assert.equal(merged.data?.results[0]?.task?.completed, true);
  });
});

operation("update_tasks", () => {
  test("changes every task that matches", async () => {
    await newTask("Sow", ["spring"]);
    await newTask("Rake", ["spring"]);
    const { data } = await api.PATCH("/api/{user_id}/tasks", {
      params: { path: user, query: { tags: ["spring"] } },
      body: { completed: true, add_tags: ["done"] },
    });
    assert.deepEqual([data?.matched, data?.changed], [2, 2]);
  });
});

operation("delete_tasks", () => {
  test("moves every task that matches to the trash, and restore_deletion brings them back", async () => {
    for (const title of ["Rake", "Sweep"]) await newTask(title, ["autumn"]);
    const params = { path: user, query: { tags: ["autumn"] } };
    const counted = await api.DELETE("/api/{user_id}/tasks", { params: { ...params, query: { ...params.query, dry_run: true } } });
    assert.deepEqual([counted.data?.changed, counted.data?.deletion_id], [2, null]);
    const { data } = await api.DELETE("/api/{user_id}/tasks", { params });
    assert.ok(data?.deletion_id);
    const undone = await api.POST("/api/{user_id}/trash/restore", {
      params: { path: user },
      body: { deletion_id: data.deletion_id },
    });
    assert.deepEqual([undone.data?.changed, undone.data?.has_more], [2, false]);
  });
});

operation("list_trash", () => {
  test("shows deleted tasks, which restore_task brings back and erase_task removes for good", async () => {
    const task = await newTask("Old news");
    const params = { path: pathOf(task) };
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params });
    const { data } = await api.GET("/api/{user_id}/trash", { params: { path: user } });
    assert.deepEqual([data?.tasks[0]?.id, data?.tasks[0]?.deleted_at], [task.id, data?.tasks[0]?.updated_at]);
    const restored = await api.POST("/api/{user_id}/trash/{task_id}/restore", { params });
    assert.equal(restored.data?.revision, task.revision + 2);
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params });
    const erased = await api.DELETE("/api/{user_id}/trash/{task_id}", { params });
    assert.equal(erased.response.status, 204);
    const late = await api.POST("/api/{user_id}/trash/{task_id}/restore", { params });
    assert.equal(late.error?.type, "urn:problem-type:todo-api:not-found");
  });
});

operation("empty_trash", () => {
  test("erases what is in it", async () => {
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: { path: pathOf(await newTask("Rubbish")) } });
    const { response } = await api.DELETE("/api/{user_id}/trash", { params: { path: user } });
    assert.equal(response.status, 204);
    const { data } = await api.GET("/api/{user_id}/trash", { params: { path: user } });
    assert.deepEqual(data, { tasks: [], lists: [], next_cursor: null });
  });
});

operation("rename_tag", () => {
  test("renames a tag on every task, and remove_tag removes it", async () => {
    await newTask("Water the ferns", ["plants"]);
    const renamed = await api.PATCH("/api/{user_id}/tags", {
      params: { path: user, query: { name: "plants" } },
      body: { name: "a/b & c" },
    });
    assert.equal(renamed.data?.changed, 1);
    const params = { path: user, query: { name: "a/b & c" } };
    const removed = await api.DELETE("/api/{user_id}/tags", { params });
    assert.equal(removed.data?.changed, 1);
    const again = await api.DELETE("/api/{user_id}/tags", { params });
    assert.equal(again.error?.type, "urn:problem-type:todo-api:not-found");
  });
});
