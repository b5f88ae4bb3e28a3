// Every operation of the API, called as a frontend calls it. Each block is named after an operationId of the contract.
import assert from "node:assert/strict";
import { test } from "node:test";
import { everyTask, type Filters, type Task } from "./client.js";
import { ada, anonymous, api, newTask, operation, pathOf, user } from "./session.js";
import "./changes.js";
import "./lists.js";
import "./trusted-writes.js";

operation("verify_token", () => {
  test("returns the user that the token identifies, and when it expires", async () => {
    const { data } = await api.POST("/api/auth/verify");
    assert.ok(data);
    const { expires_at, issued_at, ...principal } = data;
    assert.deepEqual(principal, { valid: true, user_id: ada.id, email: ada.email, name: ada.name });
    assert.ok(Date.parse(issued_at ?? "") <= Date.now() && Date.now() < Date.parse(expires_at));
  });

  test("rejects a request without a token", async () => {
    const { error, response } = await anonymous.POST("/api/auth/verify");
    assert.equal(error?.type, "urn:problem-type:todo-api:unauthorized");
    assert.equal(response.headers.get("WWW-Authenticate"), "Bearer");
  });
});

operation("create_task", () => {
  test("needs only a title, and returns the whole task, its location and its ETag", async () => {
    const { data: task, response } = await api.POST("/api/{user_id}/tasks", {
      params: { path: user },
      body: { title: "Water the plants" },
    });
    assert.ok(task);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get("Location"), `/api/${ada.id}/tasks/${task.id}`);
    assert.equal(response.headers.get("ETag"), `"${task.revision}"`);
    const { id, revision, position, created_at, updated_at, ...rest } = task;
    assert.ok(id && position && revision > 0 && created_at === updated_at);
    assert.deepEqual(rest, {
      user_id: ada.id,
      title: "Water the plants",
      description: null,
      completed: false,
      completed_at: null,
      priority: "Medium",
      due_date: null,
      due_time: null,
      time_zone: null,
      due_at: null,
      recurrence: null,
      rrule: null,
      series_id: null,
      occurrence_date: null,
      next_task_id: null,
      tags: [],
      list_id: null,
      parent_id: null,
    });
  });

  test("returns every error, each with a pointer to its place", async () => {
    const { error } = await api.POST("/api/{user_id}/tasks", {
      params: { path: user },
      body: { title: "", due_date: "tomorrow" },
    });
    assert.ok(error?.type === "urn:problem-type:todo-api:invalid-input");
    assert.deepEqual(error.errors.map(({ pointer }) => pointer).sort(), ["/due_date", "/title"]);
  });

  test("rejects the path of another user", async () => {
    const { error } = await api.POST("/api/{user_id}/tasks", {
      params: { path: { user_id: "grace" } },
      body: { title: "Not mine" },
    });
    assert.equal(error?.type, "urn:problem-type:todo-api:forbidden");
  });
});

operation("get_task", () => {
  test("returns 304 while the client's copy of the task is current", async () => {
    const task = await newTask("Read a book");
    const { data, response } = await api.GET("/api/{user_id}/tasks/{task_id}", { params: { path: pathOf(task) } });
    assert.deepEqual(data, task);
    const again = await api.GET("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(task), header: { "If-None-Match": response.headers.get("ETag") ?? "" } },
    });
    assert.equal(again.response.status, 304);
    assert.equal(again.data, undefined);
  });

  test("returns not-found for a task that does not exist", async () => {
    const { error } = await api.GET("/api/{user_id}/tasks/{task_id}", {
      params: { path: { ...user, task_id: "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41" } },
    });
    assert.equal(error?.type, "urn:problem-type:todo-api:not-found");
  });
});

operation("update_task", () => {
  test("changes the given fields, and clears those that are null", async () => {
    const task = await newTask("Call grandma", ["family"]);
    const due = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(task), header: { "If-Match": `"${task.revision}"` } },
      body: { due_date: "2026-12-24", completed: true },
    });
    assert.ok(due.data?.completed_at);
    assert.equal(due.data.due_date, "2026-12-24");
    const { data } = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(task) },
      headers: { "Content-Type": "application/merge-patch+json" },
      body: { due_date: null },
    });
    assert.ok(data);
    assert.deepEqual([data.due_date, data.completed, data.tags], [null, true, ["family"]]);
  });

  test("takes a task as it was read, with some fields changed", async () => {
    const task = await newTask("Sweep the floor");
    const { data } = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(task) },
      body: { ...task, completed: true },
    });
    assert.deepEqual([data?.id, data?.title, data?.completed], [task.id, task.title, true]);
  });

  test("does not overwrite a newer revision, and returns it", async () => {
    const task = await newTask("Buy milk");
    assert.equal(await rename(task, "Buy oat milk"), "It is now: Buy oat milk");
    assert.equal(await rename(task, "Buy no milk"), "Somebody wrote: Buy oat milk");
    assert.equal(await rename({ ...task, revision: task.revision + 1 }, " "), "/title must be text that is not blank, without U+0000");
  });
});

/** Rename a task unless its revision has changed, and describe the outcome. The compiler requires every case. */
async function rename(task: Task, title: string): Promise<string> {
  const { data, error } = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
    params: { path: pathOf(task), header: { "If-Match": `"${task.revision}"` } },
    body: { title },
  });
  if (data) return `It is now: ${data.title}`;
  switch (error.type) {
    case "urn:problem-type:todo-api:precondition-failed":
      return `Somebody wrote: ${error.task.title}`;
    case "urn:problem-type:todo-api:invalid-input":
      return error.errors.map(({ pointer, detail }) => `${pointer} ${detail}`).join(", ");
    case "urn:problem-type:todo-api:unauthorized":
    case "urn:problem-type:todo-api:forbidden":
    case "urn:problem-type:todo-api:not-found":
    case "urn:problem-type:todo-api:no-due-date":
    case "urn:problem-type:todo-api:series-moved-on":
    case "urn:problem-type:todo-api:no-such-list":
    case "urn:problem-type:todo-api:no-such-parent":
    case "urn:problem-type:todo-api:parent-cycle":
    case "urn:problem-type:todo-api:too-deep":
    case "urn:problem-type:todo-api:list-of-parent":
    case "urn:problem-type:todo-api:recurring-subtask":
    case "urn:problem-type:todo-api:open-subtasks":
    case "urn:problem-type:todo-api:content-too-large":
    case "urn:problem-type:todo-api:unsupported-media-type":
    case "urn:problem-type:todo-api:service-unavailable":
      return error.detail;
  }
}

operation("list_tasks", () => {
  test("filters, sorts and paginates, and the pages together contain every task once", async () => {
    for (const title of ["d", "b", "a", "e", "c"]) await newTask(title, ["alphabet"]);
    await newTask("f", ["another"]);
    const titles: string[] = [];
    const filters: Filters = { tags: ["alphabet", "none"], sort_by: "title", sort_direction: "asc", limit: 2 };
    for await (const task of everyTask(api, ada.id, filters)) titles.push(task.title);
    assert.deepEqual(titles, ["a", "b", "c", "d", "e"]);
  });

  test("counts matching tasks, and returns 304 while nothing has changed", async () => {
    await newTask("Sow the beans", ["garden"]);
    const { data, response } = await api.GET("/api/{user_id}/tasks", {
      params: { path: user, query: { search: "BEANS", priority: ["High", "Medium"], completed: false } },
    });
    assert.ok(data);
    const [task, ...others] = data.tasks;
    assert.equal(task?.title, "Sow the beans");
    assert.deepEqual([others, data.total, data.limit, data.offset, data.next_cursor], [[], 1, 50, 0, null]);
    const again = await api.GET("/api/{user_id}/tasks", {
      params: { path: user, header: { "If-None-Match": response.headers.get("ETag") ?? "" } },
    });
    assert.equal(again.response.status, 304);
  });

  test("rejects a cursor from a list with other filters", async () => {
    await newTask("One", ["cursor"]);
    await newTask("Two", ["cursor"]);
    const { data } = await api.GET("/api/{user_id}/tasks", {
      params: { path: user, query: { tags: ["cursor"], limit: 1 } },
    });
    assert.ok(data?.next_cursor);
    const { error } = await api.GET("/api/{user_id}/tasks", {
      params: { path: user, query: { cursor: data.next_cursor } },
    });
    assert.ok(error?.type === "urn:problem-type:todo-api:invalid-input");
    assert.deepEqual(error.errors.map((one) => [one.in, one.name]), [["query", "cursor"]]);
  });
});

operation("move_task", () => {
  test("puts a task before another one, and changes no other task", async () => {
    const [first, second] = [await newTask("Second"), await newTask("First")];
    const { data } = await api.POST("/api/{user_id}/tasks/{task_id}/move", {
      params: { path: pathOf(second) },
      body: { before: first.id },
    });
    assert.ok(data && data.position < first.position);
    const other = await api.GET("/api/{user_id}/tasks/{task_id}", { params: { path: pathOf(first) } });
    assert.deepEqual(other.data, first);
  });

  test("makes a task a subtask, with which its parent is not completed if the request refuses that", async () => {
    const [parent, child] = [await newTask("Garden"), await newTask("Sow")];
    const { data } = await api.POST("/api/{user_id}/tasks/{task_id}/move", {
      params: { path: pathOf(child) },
      body: { parent_id: parent.id },
    });
    assert.equal(data?.parent_id, parent.id);
    const refused = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
      params: { path: pathOf(parent), query: { subtasks: "refuse" } },
      body: { completed: true },
    });
    assert.ok(refused.error?.type === "urn:problem-type:todo-api:open-subtasks");
    assert.equal(refused.error.open_subtasks, 1);
  });

  test("returns no-such-anchor for a task that does not exist", async () => {
    const { error } = await api.POST("/api/{user_id}/tasks/{task_id}/move", {
      params: { path: pathOf(await newTask("Third")) },
      body: { after: "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41" },
    });
    assert.equal(error?.type, "urn:problem-type:todo-api:no-such-anchor");
  });
});

operation("delete_task", () => {
  test("deletes only the revision that If-Match names", async () => {
    const task = await newTask("Old news");
    const params = (revision: number) => ({ path: pathOf(task), header: { "If-Match": `"${revision}"` } });
    const rejected = await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: params(task.revision + 1) });
    assert.ok(rejected.error?.type === "urn:problem-type:todo-api:precondition-failed");
    assert.deepEqual(rejected.error.task, task);
    const { response } = await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: params(task.revision) });
    assert.equal(response.status, 204);
    const again = await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: params(task.revision) });
    assert.equal(again.error?.type, "urn:problem-type:todo-api:not-found");
  });
});

operation("list_tags", () => {
  test("counts the tasks of each tag", async () => {
    await newTask("Paint the door", ["house"]);
    await newTask("Paint the wall", ["house"]);
    const { data } = await api.GET("/api/{user_id}/tags", { params: { path: user } });
    assert.deepEqual(data?.find(({ name }) => name === "house"), { name: "house", usage_count: 2 });
  });
});

operation("skip_occurrence", () => {
  test("moves a task that recurs to its next day, and completing it creates the next one", async () => {
    const body = { title: "Pay the rent", due_date: "2096-01-31", recurrence: { frequency: "monthly" as const } };
    const { data: task } = await api.POST("/api/{user_id}/tasks", { params: { path: user }, body });
    assert.ok(task);
    assert.deepEqual([task.recurrence?.month_day, task.rrule?.slice(0, 12)], [31, "FREQ=MONTHLY"]);
    const path = { ...user, task_id: task.id };
    const { data: skipped } = await api.POST("/api/{user_id}/tasks/{task_id}/skip", { params: { path } });
    assert.deepEqual([skipped?.due_date, skipped?.occurrence_date], ["2096-02-29", "2096-02-29"]);
    const { data: done } = await api.PATCH("/api/{user_id}/tasks/{task_id}", {
      params: { path },
      body: { completed: true },
      headers: { "Content-Type": "application/merge-patch+json" },
    });
    assert.ok(done?.next_task_id);
    const { error } = await api.POST("/api/{user_id}/tasks/{task_id}/skip", { params: { path } });
    assert.equal(error?.type, "urn:problem-type:todo-api:no-next-occurrence");
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: { path } });
    await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: { path: { ...user, task_id: done.next_task_id } } });
  });
});

operation("get_preferences", () => {
  test("returns the defaults of a user who has set none", async () => {
    const { data } = await api.GET("/api/{user_id}/preferences", { params: { path: user } });
    assert.equal(data?.week_start, "monday");
  });
});

operation("update_preferences", () => {
  test("changes what is sent, and returns all", async () => {
    const params = { path: user };
    const { data } = await api.PATCH("/api/{user_id}/preferences", { params, body: { time_zone: "Europe/Berlin" } });
    assert.deepEqual([data?.time_zone, data?.week_start], ["Europe/Berlin", "monday"]);
  });
});

operation("get_health", () => {
  test("needs no token", async () => {
    const { data } = await anonymous.GET("/health");
    assert.deepEqual([data?.status, data?.database], ["healthy", "up"]);
  });
});

operation("get_liveness", () => {
  test("reports that the process is alive", async () => {
    const { data } = await anonymous.GET("/health/live");
    assert.equal(data?.status, "alive");
  });
});

operation("get_readiness", () => {
  test("reports that the service is ready for requests", async () => {
    const { data } = await anonymous.GET("/health/ready");
    assert.deepEqual([data?.status, data?.migrations], ["ready", "applied"]);
  });
});
