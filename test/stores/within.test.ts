import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { within } from "../../src/runtime/node/within.ts";

const late = (): Error => new Error("late");

it("calls late what does not come in time, and nothing that has", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  await expect(within(promise, 5, late)).rejects.toThrow("late");
  resolve("came after all");
  expect(await within(promise, 5, late)).toBe("came after all");
  await expect(within(Promise.reject(new Error("its own")), 5, late)).rejects.toThrow("its own");
});

/** Answers over a socket while this thread is busy. */
const answerer = `
  const { createServer } = require("node:net");
  const server = createServer((socket) => socket.on("data", () => socket.write("answer")));
  server.listen(0, "127.0.0.1", () => require("node:worker_threads").parentPort.postMessage(server.address().port));
`;

it("reads an answer that lies in the socket before it calls it late, however long this process was busy", async () => {
  const thread = new Worker(answerer, { eval: true });
  const [port] = (await once(thread, "message")) as [number];
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const answered = within(once(socket, "data"), 20, late);
  socket.write("question");
  const untilMs = performance.now() + 200;
  while (performance.now() < untilMs);
  expect(String((await answered)[0])).toBe("answer");
  socket.destroy();
  await thread.terminate();
});
