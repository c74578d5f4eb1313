/** The least that an HTTP/2 server can do with a stream: every message goes back as it came. The peer of the measurements. */
import { createServer } from "node:http2";
import { answerUsage } from "../measured-program.fixture.ts";

const server = createServer({}, (request, response) => {
  response.writeHead(200, { "content-type": request.headers["content-type"] ?? "" });
  request.on("data", (chunk: Buffer) => void response.write(chunk));
  request.on("end", () => response.end());
});
server.on("session", (session) => session.on("error", () => {}));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot tell the port of the echo");
  void answerUsage({ port: address.port, grpcPort: address.port }).then(() => process.exit());
});
