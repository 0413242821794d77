// graphql-ws and graphql-sse follow the ledger: node clients.mjs URL TOKEN AFTER COUNT. Each prints its name and the positions it saw.
import { createClient as createSse } from "graphql-sse";
import { createClient as createWs } from "graphql-ws";
import WebSocket from "ws";

const [, , url, token, after, count] = process.argv;
const query = "subscription Follow($after: Position) { ledgerEvents(after: $after) { position } }";
const Authorization = `Bearer ${token}`;

async function followed(name, client) {
  const seen = [];
  const found = client.iterate({ query, variables: { after } });
  for await (const { data, errors } of found) {
    if (errors) throw new Error(`${name}: ${JSON.stringify(errors)}`);
    seen.push(data.ledgerEvents.position);
    if (seen.length === Number(count)) break;
  }
  await client.dispose();
  console.log([name, seen.join(",")].join("\t"));
}

await followed(
  "graphql-ws",
  createWs({ url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams: { Authorization } }),
);
await followed("graphql-sse", createSse({ url: `${url}/stream`, headers: { Authorization } }));

// What is no token is told so, and ends.
const refused = createWs({ url: url.replace("http", "ws"), webSocketImpl: WebSocket, connectionParams: {}, retryAttempts: 0 });
try {
  for await (const _ of refused.iterate({ query, variables: { after } })) throw new Error("let in without a token");
} catch (error) {
  console.log(["refused", error.code ?? error.message].join("\t"));
}
process.exit(0);
