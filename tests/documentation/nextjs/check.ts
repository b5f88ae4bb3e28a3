// Signs a user up, as Better Auth does in the frontend, and calls the API as the page does.
import assert from "node:assert/strict";
import { auth } from "@/lib/auth";
import { GET } from "@/app/api/token/route";
import { api, forgetToken } from "@/lib/todo-api";

const signedOut = await GET(new Request("http://localhost:3000/api/token"));
assert.equal(signedOut.status, 401);

const { headers, response } = await auth.api.signUpEmail({
  body: { name: "Ada", email: "ada@example.com", password: "correct horse" },
  returnHeaders: true,
});
const cookie = headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");

// The page's fetch of /api/token goes to the route with the browser's cookie; all else to the network.
const network = globalThis.fetch;
let minted = 0;
globalThis.fetch = (input, init) => {
  if (input !== "/api/token") return network(input, init);
  minted += 1;
  return GET(new Request("http://localhost:3000/api/token", { headers: { cookie } }));
};

const path = { user_id: response.user.id };
const created = await api.POST("/api/{user_id}/tasks", { params: { path }, body: { title: "Buy milk" } });
assert.equal(created.response.status, 201);
const listed = await api.GET("/api/{user_id}/tasks", { params: { path } });
assert.deepEqual(listed.data?.tasks, [created.data]);
assert.equal(minted, 1);
forgetToken();
const verified = await api.POST("/api/auth/verify");
assert.deepEqual([verified.data?.user_id, verified.data?.email, verified.data?.name], [path.user_id, "ada@example.com", "Ada"]);
assert.equal(minted, 2);
const strangers = await api.GET("/api/{user_id}/tasks", { params: { path: { user_id: "grace" } } });
assert.equal(strangers.response.status, 403);
console.log(verified.data);
