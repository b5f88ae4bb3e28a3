// Code that must not compile because the contract does not allow it. Each line after an "@ts-expect-error" contains one
// error, and the compiler reports a directive that has no error to suppress. Nothing here is ever called.
import { clientFor, type Task } from "./client.js";

const api = clientFor();
const path = { user_id: "ada" };
const task = { path: { ...path, task_id: "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41" } };

export const paths = [
  // @ts-expect-error there is no such path
  () => api.GET("/api/{user_id}/task", { params: { path } }),
  // @ts-expect-error the path does not have this method
  () => api.PUT("/api/{user_id}/tasks", { params: { path }, body: { title: "A task" } }),
  // @ts-expect-error the path needs its parameters
  () => api.GET("/api/{user_id}/tasks"),
  // @ts-expect-error the path needs the task's id too
  () => api.GET("/api/{user_id}/tasks/{task_id}", { params: { path } }),
];

export const parameters = [
  // @ts-expect-error there is no parameter "page"
  () => api.GET("/api/{user_id}/tasks", { params: { path, query: { page: 2 } } }),
  // @ts-expect-error a limit is a number
  () => api.GET("/api/{user_id}/tasks", { params: { path, query: { limit: "10" } } }),
  // @ts-expect-error there is no sort key "due"
  () => api.GET("/api/{user_id}/tasks", { params: { path, query: { sort_by: "due" } } }),
  // @ts-expect-error tags are a list
  () => api.GET("/api/{user_id}/tasks", { params: { path, query: { tags: "home" } } }),
  // @ts-expect-error a cursor may be omitted, but is never null
  () => api.GET("/api/{user_id}/tasks", { params: { path, query: { cursor: null } } }),
  // @ts-expect-error the list of tags takes no parameters
  () => api.GET("/api/{user_id}/tags", { params: { path, query: { limit: 10 } } }),
  // @ts-expect-error an entity tag is text
  () => api.DELETE("/api/{user_id}/tasks/{task_id}", { params: { ...task, header: { "If-Match": 1 } } }),
];

export const bodies = [
  // @ts-expect-error a new task needs a title
  () => api.POST("/api/{user_id}/tasks", { params: { path }, body: { priority: "High" } }),
  // @ts-expect-error a new task needs a body
  () => api.POST("/api/{user_id}/tasks", { params: { path } }),
  // @ts-expect-error a title is text
  () => api.POST("/api/{user_id}/tasks", { params: { path }, body: { title: null } }),
  // @ts-expect-error there are three priorities
  () => api.POST("/api/{user_id}/tasks", { params: { path }, body: { title: "A task", priority: "Urgent" } }),
  // @ts-expect-error a field may be omitted, but is never undefined
  () => api.PATCH("/api/{user_id}/tasks/{task_id}", { params: task, body: { due_date: undefined } }),
  // @ts-expect-error completed is true or false
  () => api.PATCH("/api/{user_id}/tasks/{task_id}", { params: task, body: { completed: "yes" } }),
  // @ts-expect-error a task is sent back as it was read: its revision is a number
  () => api.PATCH("/api/{user_id}/tasks/{task_id}", { params: task, body: { revision: "1" } }),
  // @ts-expect-error a task that is replaced needs a title
  () => api.PUT("/api/{user_id}/tasks/{task_id}", { params: task, body: { completed: true } }),
  // @ts-expect-error an operation of a batch has an op
  () => api.POST("/api/{user_id}/batch", { params: { path }, body: { mode: "atomic", operations: [{ id: "1" }] } }),
  // @ts-expect-error a deletion has no changes
  () => api.POST("/api/{user_id}/batch", { params: { path }, body: { mode: "atomic", operations: [{ op: "delete", id: "1", changes: {} }] } }),
  // @ts-expect-error tags are text
  () => api.PATCH("/api/{user_id}/tasks/{task_id}", { params: task, body: { tags: [1] } }),
];

export const nullable = [
  // @ts-expect-error the description may be null
  (one: Task) => one.description.length,
  // @ts-expect-error the due date may be null
  (one: Task) => one.due_date.length,
  // @ts-expect-error an open task has no time of completion
  (one: Task) => one.completed_at.length,
  async () => {
    const { data } = await api.GET("/api/{user_id}/tasks", { params: { path } });
    if (!data) return;
    // @ts-expect-error a page reached by a cursor has no total
    data.total.toFixed();
    // @ts-expect-error a page reached by a cursor has no offset
    data.offset.toFixed();
    // @ts-expect-error the last page has no next cursor
    data.next_cursor.length;
    // @ts-expect-error the page may be empty
    data.tasks[0].title;
  },
  async () => {
    const { data } = await api.POST("/api/auth/verify");
    if (!data) return;
    // @ts-expect-error the token may have no e-mail address
    data.email.length;
    // @ts-expect-error the token may have no name
    data.name.length;
    // @ts-expect-error the token may not say when it was issued
    data.issued_at.length;
  },
];

export const responses = [
  // @ts-expect-error a task has no such field
  (one: Task) => one.colour,
  async () => {
    const { data, error } = await api.PATCH("/api/{user_id}/tasks/{task_id}", { params: task, body: {} });
    // @ts-expect-error data is undefined if the request failed
    data.title;
    if (!error) return;
    // @ts-expect-error only invalid-input has a list of errors
    error.errors;
    // @ts-expect-error only precondition-failed contains the task
    error.task;
    if (error.type === "urn:problem-type:todo-api:precondition-failed") return error.task.title;
    // @ts-expect-error there is no such problem type
    return error.type === "urn:problem-type:todo-api:teapot";
  },
  async () => {
    const { error } = await api.POST("/api/{user_id}/tasks", { params: { path }, body: { title: "A task" } });
    // @ts-expect-error creating a task never returns not-found
    return error?.type === "urn:problem-type:todo-api:not-found";
  },
  async () => {
    const { data } = await api.DELETE("/api/{user_id}/tasks/{task_id}", { params: task });
    // @ts-expect-error the response to a deletion has no body
    return data?.title;
  },
];
