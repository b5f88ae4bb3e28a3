// A typed client for the API: the types come from api.d.ts, the HTTP calls from openapi-fetch.
import createClient, { type Client } from "openapi-fetch";
import type { components, operations, paths } from "./api.js";

export type Task = components["schemas"]["Task"];
export type Filters = NonNullable<operations["list_tasks"]["parameters"]["query"]>;
export type Api = Client<paths>;

/** Return a client that sends this token with every request; without a token, an anonymous client. */
export function clientFor(token?: string): Api {
  return createClient<paths>({
    baseUrl: process.env.API ?? "http://127.0.0.1:7860",
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
}

/** Yield every matching task, page by page. Concurrent writes neither skip nor repeat a task. */
export async function* everyTask(api: Api, user_id: string, filters: Filters = {}): AsyncGenerator<Task> {
  let cursor: string | null = null;
  do {
    const query: Filters = cursor === null ? filters : { ...filters, cursor };
    const { data, error } = await api.GET("/api/{user_id}/tasks", { params: { path: { user_id }, query } });
    if (!data) throw new Error(error?.detail);
    yield* data.tasks;
    cursor = data.next_cursor;
  } while (cursor !== null);
}
