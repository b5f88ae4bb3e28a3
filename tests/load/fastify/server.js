// What a frontend team would otherwise write: Fastify, @fastify/jwt and pg, used as their documentation recommends. It
// does less than this service: it assigns no revisions, sends no ETag, and has no CORS or security headers. The
// environment sets PORT, DATABASE_URL and BETTER_AUTH_SECRET.
import jwt from "@fastify/jwt";
import Fastify from "fastify";
import { params, querystring, tagList, task, taskCreate, taskList, taskUpdate } from "./schemas.js";
import * as storage from "./storage.js";

const { BETTER_AUTH_SECRET, PORT } = process.env;

async function authorize(request, reply) {
  await request.jwtVerify();
  if (request.user.sub !== request.params.user_id) {
    return reply.code(403).send({ message: "The token is another user's." });
  }
}

async function isUnchanged({ headers, params }) {
  const tag = headers["if-none-match"];
  return tag !== undefined && tag === `W/"${await storage.getRevision(params.user_id)}"`;
}

function noSuchTask(reply) {
  return reply.code(404).send({ message: "There is no such task." });
}

async function routes(api) {
  api.addHook("onRequest", authorize);

  api.get("/tasks", { schema: { querystring, response: { 200: taskList } } }, async (request, reply) => {
    if (await isUnchanged(request)) return reply.code(304).send();
    return storage.listTasks(request.params.user_id, request.query);
  });

  api.post("/tasks", { schema: { body: taskCreate, response: { 201: task } } }, async (request, reply) => {
    reply.code(201);
    return storage.createTask(request.params.user_id, request.body);
  });

  api.get("/tasks/:task_id", { schema: { params, response: { 200: task } } }, async (request, reply) => {
    const found = await storage.getTask(request.params.user_id, request.params.task_id);
    if (found === null) return noSuchTask(reply);
    if (request.headers["if-none-match"] === `"${found.revision}"`) return reply.code(304).send();
    return found;
  });

  const patch = { schema: { params, body: taskUpdate, response: { 200: task } } };
  api.patch("/tasks/:task_id", patch, async (request, reply) => {
    const changed = await storage.updateTask(request.params.user_id, request.params.task_id, request.body);
    return changed ?? noSuchTask(reply);
  });

  api.delete("/tasks/:task_id", { schema: { params } }, async (request, reply) => {
    const isDeleted = await storage.deleteTask(request.params.user_id, request.params.task_id);
    return isDeleted ? reply.code(204).send() : noSuchTask(reply);
  });

  api.get("/tags", { schema: { response: { 200: tagList } } }, async (request, reply) => {
    if (await isUnchanged(request)) return reply.code(304).send();
    return storage.listTags(request.params.user_id);
  });
}

// By default, Fastify drops members that the schema does not allow.
const app = Fastify({ logger: true, ajv: { customOptions: { removeAdditional: false } } });
app.register(jwt, { secret: BETTER_AUTH_SECRET, verify: { algorithms: ["HS256"], cache: true } });
app.register(routes, { prefix: "/api/:user_id" });
app.addHook("onClose", storage.close);
process.once("SIGTERM", () => app.close());
await app.listen({ host: "127.0.0.1", port: Number(PORT) });
