// What a frontend does before it calls the API: sign in with Better Auth, then fetch a token that its own server mints.
const frontend = process.env.FRONTEND ?? "http://127.0.0.1:3000";

export interface User {
  id: string;
  name: string;
  email: string;
  /** The bearer token for the API. */
  token: string;
}

async function post(path: string, body: object): Promise<Response> {
  const response = await fetch(frontend + path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Origin: frontend },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

/** Sign a new user up, sign them in, and fetch their token for the API. */
export async function signUp(name: string): Promise<User> {
  const credentials = { email: `${name.toLowerCase()}@example.com`, password: "correct horse battery" };
  await post("/api/auth/sign-up/email", { name, ...credentials });
  const signedIn = await post("/api/auth/sign-in/email", credentials);
  const { user }: { user: { id: string } } = await signedIn.json();
  const cookie = signedIn.headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  const minted = await fetch(`${frontend}/api/token`, { headers: { Cookie: cookie } });
  const { token }: { token: string } = await minted.json();
  return { id: user.id, name, email: credentials.email, token };
}
