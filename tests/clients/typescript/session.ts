// What the programs share: a user who is signed in, clients that record their calls, and new tasks.
import { after, describe } from "node:test";
import type { operations } from "./api.js";
import { clientFor, type Api, type Task } from "./client.js";
import { signUp } from "./frontend.js";

const called = new Set<string>();
after(() => called.forEach((operation) => console.log(`called ${operation}`)));

function observed(api: Api): Api {
  api.use({ onRequest: ({ request }) => void called.add(`${request.method} ${new URL(request.url).pathname}`) });
  return api;
}

export const ada = await signUp("Ada");
export const api = observed(clientFor(ada.token));
export const anonymous = observed(clientFor());
export const user = { user_id: ada.id };
export const operation: (id: keyof operations, tests: () => void) => void = describe;

export async function newTask(title: string, tags: string[] = []): Promise<Task> {
  const { data, error } = await api.POST("/api/{user_id}/tasks", { params: { path: user }, body: { title, tags } });
  if (!data) throw new Error(error.detail);
  return data;
}

export function pathOf(task: Task) {
  return { ...user, task_id: task.id };
}
