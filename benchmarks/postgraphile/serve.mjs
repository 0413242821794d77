// PostGraphile on the benchmark's plain tables: node serve.mjs DATABASE_URL PORT
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";
import { grafserv } from "postgraphile/grafserv/node";

const [, , connectionString, port] = process.argv;
const preset = {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString, schemas: ["bench"] })],
  grafserv: { port: Number(port), graphiql: false, watch: false },
  grafast: { explain: false },
};
const server = createServer();
server.on("error", (error) => { throw error; });
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(Number(port), "127.0.0.1", () => console.log("ready"));
