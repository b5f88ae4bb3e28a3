// show-titles.ts
import { connect, type Task } from "./todo.js";
import { keepInStep } from "./todo-map.js";

const getToken = async () => (await (await fetch("/api/token")).json()).token;
const session = new AbortController(); // call session.abort() when the user signs out
const todo = connect({ baseUrl: "http://127.0.0.1:7860", user_id: "demo", getToken, signal: session.signal });
const tasks = new Map<string, Task>();
const pull = keepInStep(todo, tasks, () => console.log([...tasks.values()].map(({ title }) => title)));
await pull();
await todo.api.POST("/api/{user_id}/tasks", { params: { path: todo.path }, body: { title: "Buy milk" } });
await pull(); // the Map has the new task
