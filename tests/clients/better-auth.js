// A frontend's server for the tests: a real Better Auth at /api/auth, a route at /api/token that mints tokens for the
// API, and at /sent the verification e-mails sent so far. The environment sets PORT, BETTER_AUTH_SECRET, JWT_ALG (the
// algorithm of the plugin `jwt`) and COOKIE_CACHE (how the session cookie is encoded).
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";
import { betterAuth } from "better-auth/minimal";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { bearer } from "better-auth/plugins/bearer";
import { jwt } from "better-auth/plugins/jwt";
import { SignJWT } from "jose";

const { PORT, BETTER_AUTH_SECRET, JWT_ALG = "EdDSA", COOKIE_CACHE = "compact" } = process.env;
// Node.js 18 does not expose it as a global.
globalThis.crypto ??= webcrypto;
const key = new TextEncoder().encode(BETTER_AUTH_SECRET);
const sent = [];

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${PORT}`,
  database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
  emailAndPassword: { enabled: true },
  emailVerification: {
    sendOnSignUp: true,
    sendVerificationEmail: async ({ user, token }) => void sent.push({ to: user.email, token }),
  },
  session: { cookieCache: { enabled: true, strategy: COOKIE_CACHE } },
  plugins: [jwt({ jwks: { keyPairConfig: { alg: JWT_ALG } } }), bearer()],
});

// The route of README.md, with an issuer and an audience added.
async function mint(request) {
  const session = await auth.api.getSession({ headers: request.headers });
  if (!session) return new Response(null, { status: 401 });
  const { id, email, name } = session.user;
  const token = await new SignJWT({ email, name })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(id)
    .setIssuedAt()
    .setExpirationTime("15m")
    .setIssuer("nextjs-frontend")
    .setAudience("fastapi-backend")
    .sign(key);
  return Response.json({ token }, { headers: { "Cache-Control": "no-store" } });
}

async function respond(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/api/token") return mint(request);
  if (pathname === "/sent") return Response.json(sent);
  return auth.handler(request);
}

createServer(toNodeHandler(respond)).listen(Number(PORT), "127.0.0.1");
