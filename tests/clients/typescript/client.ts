// The API as TypeScript sees it: api.d.ts has the types, openapi-fetch the calls.
import createClient, { type Client } from "openapi-fetch";
import type { components, operations, paths } from "./api.js";

export type Task = components["schemas"]["Task"];
export type Filters = NonNullable<operations["list_tasks"]["parameters"]["query"]>;
export type Api = Client<paths>;

/** A client that speaks for whom the token speaks for; without one, for nobody. */
export function clientFor(token?: string): Api {
  return createClient<paths>({
    baseUrl: process.env.API ?? "http://127.0.0.1:7860",
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
}

/** Every task that matches, page after page: none is skipped or repeated, whatever is written meanwhile. */
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
