// todo.ts
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";
export type Task = components["schemas"]["Task"];
export type List = components["schemas"]["TodoList"];
export type Changes = components["schemas"]["ChangeList"];
export type Connection = ReturnType<typeof connect>;
export type Session = { baseUrl: string; user_id: string; getToken: () => Promise<string>; signal: AbortSignal };
const pause = (time: number) => new Promise<undefined>((resolve) => setTimeout(resolve, time * (0.5 + Math.random())));

export function connect({ baseUrl, user_id, getToken, signal }: Session) {
  const api = createClient<paths>({ baseUrl });
  api.use({ onRequest: async ({ request }) => request.headers.set("Authorization", `Bearer ${await getToken()}`) });
  const path = { user_id };

  /** Repeats a request, with growing pauses, until it is answered. Throws when `until` is aborted. */
  async function answered<T extends { response: Response }>(request: (signal: AbortSignal) => Promise<T>, until = signal): Promise<T> {
    for (let time = 250; ; time = Math.min(2 * time, 30_000)) {
      const attempt = new AbortController();
      const timer = setTimeout(() => attempt.abort(), 30_000);
      const answer = await request(AbortSignal.any([until, attempt.signal])).catch(() => undefined);
      clearTimeout(timer);
      until.throwIfAborted();
      if (answer && ![401, 408, 429].includes(answer.response.status) && answer.response.status < 500) return answer;
      await pause(time);
    }
  }

  /** Returns one page of changes, or undefined if the token is too old. */
  async function changes(sync_token?: string, limit = 500): Promise<Changes | undefined> {
    const query = sync_token === undefined ? { limit } : { sync_token, limit };
    const { data, error } = await answered((signal) => api.GET("/api/{user_id}/changes", { params: { path, query }, signal }));
    if (error && error.status !== 410) throw new Error(error.detail);
    return data;
  }

  /** Calls `wake` whenever something may have changed. One tab reads the stream, and wakes the others. */
  function watch(wake: () => void, until = signal): void {
    const name = `todo ${baseUrl} ${user_id}`;
    const tabs = new BroadcastChannel(name);
    tabs.onmessage = wake;
    const open = (signal: AbortSignal) => api.GET("/api/{user_id}/events", { params: { path }, parseAs: "stream", signal });
    const read = async () => {
      const { data } = await answered(open, until);
      const reader = data?.pipeThrough(new TextDecoderStream()).getReader();
      // The server sends a comment every 15 seconds. A stream that is silent for longer has lost its connection.
      for (let chunk; reader && (chunk = await Promise.race([reader.read(), pause(40_000)])) && !chunk.done; ) {
        if (!/^[^:\n]/m.test(chunk.value)) continue; // only a comment
        tabs.postMessage("changed");
        wake();
      }
      await reader?.cancel();
    };
    const lead = navigator.locks.request(name, { signal: until }, async () => {
      for (; !until.aborted; await pause(3000)) await read().catch(() => {});
    });
    lead.catch(() => {}).finally(() => tabs.close());
  }

  return { api, path, signal, answered, changes, watch };
}
