// graphql-http's audits of the GraphQL-over-HTTP specification: node audits.mjs URL TOKEN. One line for each: id, status, name, reason.
import { serverAudits } from "graphql-http";

const [, , url, token] = process.argv;
const fetchFn = (input, init = {}) =>
  fetch(input, { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } });

let failed = 0;
for (const audit of serverAudits({ url, fetchFn })) {
  const result = await audit.fn();
  if (result.status !== "ok") failed += 1;
  console.log([audit.id, result.status, audit.name, result.reason ?? ""].join("\t"));
}
process.exit(failed ? 1 : 0);
