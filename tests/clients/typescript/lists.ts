// Lists of tasks. Each block is named after an operationId of the contract.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { components } from "./api.js";
import { ada, api, operation, user } from "./session.js";

type List = components["schemas"]["TodoList"];
type Color = List["color"];

const pathTo = (list: List) => ({ ...user, list_id: list.id });

async function newList(name: string, color: Color = null): Promise<List> {
  const { data, error } = await api.POST("/api/{user_id}/lists", { params: { path: user }, body: { name, color } });
  if (!data) throw new Error(error.detail);
  return data;
}

operation("create_list", () => {
  test("returns the list, which tasks can be in", async () => {
    const list = await newList("Garden", "green");
    assert.deepEqual([list.user_id, list.name, list.color, list.archived], [ada.id, "Garden", "green", false]);
    const body = { title: "Sow", list_id: list.id };
    const { data: task } = await api.POST("/api/{user_id}/tasks", { params: { path: user }, body });
    assert.equal(task?.list_id, list.id);
    const query = { list_id: [list.id] };
    const { data } = await api.GET("/api/{user_id}/tasks", { params: { path: user, query } });
    assert.deepEqual(data?.tasks, [task]);
  });

  test("a list that is not there is a problem of its own", async () => {
    const body = { title: "Sow", list_id: randomUUID() };
    const { error } = await api.POST("/api/{user_id}/tasks", { params: { path: user }, body });
    assert.equal(error?.type, "urn:problem-type:todo-api:no-such-list");
  });
});

operation("list_lists", () => {
  test("leaves out archived lists unless they are asked for", async () => {
    const list = await newList("Old");
    await api.PATCH("/api/{user_id}/lists/{list_id}", { params: { path: pathTo(list) }, body: { archived: true } });
    const names = async (archived?: "include" | "only") => {
      const { data } = await api.GET("/api/{user_id}/lists", { params: { path: user, query: archived ? { archived } : {} } });
      return data?.lists.map(({ name }) => name) ?? [];
    };
    assert.deepEqual([(await names()).includes("Old"), (await names("include")).includes("Old")], [false, true]);
    assert.deepEqual(await names("only"), ["Old"]);
  });
});

operation("get_list", () => {
  test("returns 304 while the client's copy is current", async () => {
    const list = await newList("Read");
    const header = { "If-None-Match": `"${list.revision}"` };
    const { response } = await api.GET("/api/{user_id}/lists/{list_id}", { params: { path: pathTo(list), header } });
    assert.equal(response.status, 304);
    const { data } = await api.GET("/api/{user_id}/lists/{list_id}", { params: { path: pathTo(list) } });
    assert.deepEqual(data, list);
  });
});

operation("move_list", () => {
  test("puts a list before another one", async () => {
    const [first, second] = [await newList("Second"), await newList("First")];
    const body = { before: first.id };
    const { data } = await api.POST("/api/{user_id}/lists/{list_id}/move", { params: { path: pathTo(second) }, body });
    assert.ok(data && data.position < first.position);
  });
});

operation("put_list", () => {
  test("creates a list under an id that the client chose, and replaces it", async () => {
    const path = { ...user, list_id: randomUUID() };
    const put = (name: string) => api.PUT("/api/{user_id}/lists/{list_id}", { params: { path }, body: { name } });
    const made = await put("Mine");
    assert.deepEqual([made.response.status, made.data?.id], [201, path.list_id]);
    const replaced = await put("Changed");
    assert.deepEqual([replaced.response.status, replaced.data?.name], [200, "Changed"]);
  });
});

operation("update_list", () => {
  test("does not overwrite a newer revision, and returns it", async () => {
    const list = await newList("Errands", "red");
    const params = { path: pathTo(list), header: { "If-Match": `"${list.revision}"` } };
    const { data } = await api.PATCH("/api/{user_id}/lists/{list_id}", { params, body: { color: null } });
    assert.equal(data?.color, null);
    const { error } = await api.PATCH("/api/{user_id}/lists/{list_id}", { params, body: { name: "Late" } });
    assert.ok(error?.type === "urn:problem-type:todo-api:precondition-failed");
    assert.deepEqual(error.list, data);
  });
});

operation("restore_list", () => {
  test("brings back the list and the tasks that were deleted with it", async () => {
    const list = await newList("Trip");
    const body = { title: "Pack", list_id: list.id };
    const { data: task } = await api.POST("/api/{user_id}/tasks", { params: { path: user }, body });
    const params = { path: pathTo(list) };
    const { response } = await api.DELETE("/api/{user_id}/lists/{list_id}", { params });
    assert.equal(response.status, 204);
    const { data: trash } = await api.GET("/api/{user_id}/trash", { params: { path: user } });
    assert.equal(trash?.lists.find(({ id }) => id === list.id)?.name, "Trip");
    const { data } = await api.POST("/api/{user_id}/lists/{list_id}/restore", { params });
    assert.equal(data?.id, list.id);
    const query = { list_id: [list.id] };
    const found = await api.GET("/api/{user_id}/tasks", { params: { path: user, query } });
    assert.deepEqual(found.data?.tasks.map(({ id }) => id), [task?.id]);
  });
});
