// The end of a client of another backend. An example of the page comes before it, and defines its `fetch`.
const { METHOD: method, URL: url, BODY: body, TOKEN: token } = process.env;
const headers = { Authorization: `Bearer ${token}`, ...(body && { "Content-Type": "application/json" }) };
const response = await fetch(url, { method, headers, body });
console.log(JSON.stringify([response.status, response.status === 204 ? null : await response.json()]));
