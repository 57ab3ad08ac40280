import { describe, expect, it } from "vitest";
import { createEdge, type Edge } from "../../src/runtime/worker/edge.ts";

const address = "https://gateway.example/v1/chat/completions?api-version=1";

interface Client extends Edge {
  /** The client goes away. */
  readonly leave: () => void;
  hangUps: number;
}

function client(init: RequestInit = {}): Client {
  const leaving = new AbortController();
  const edge = createEdge(new Request(address, { method: "POST", ...init, signal: leaving.signal }));
  const made: Client = { ...edge, hangUps: 0, leave: () => leaving.abort() };
  edge.inbound.onHangUp(() => made.hangUps++);
  return made;
}

const kilobyte = new Uint8Array(1_024).fill(97);

describe("a request", () => {
  it("is seen by method, path, raw query and header", () => {
    const { inbound } = client({ headers: { "X-Api-Key": "secret" } });
    expect([inbound.method, inbound.path, inbound.query]).toEqual(["POST", "/v1/chat/completions", "api-version=1"]);
    expect(inbound.header("x-api-key")).toBe("secret");
    expect(inbound.header("authorization")).toBeUndefined();
  });

  it("is read whole up to the limit", async () => {
    expect(await client({ body: kilobyte }).inbound.body(1_024)).toEqual({ ok: true, bytes: kilobyte });
  });

  it("without a body is an empty one", async () => {
    expect(await client().inbound.body(10)).toEqual({ ok: true, bytes: new Uint8Array(0) });
  });

  it("past the limit is refused once what still comes is read away, for workerd would break an unread one off, answer and all", async () => {
    let pulled = 0;
    const long = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        if (++pulled > 1_000) controller.close();
        else controller.enqueue(kilobyte);
      },
    });
    const { inbound } = createEdge(new Request(address, { method: "POST", body: long }));
    expect(await inbound.body(3_000)).toEqual({ ok: false, reason: "too_large" });
    expect(pulled).toBe(1_001);
  });

  it("that says to be too large is not read at all", async () => {
    const { inbound } = client({ body: kilobyte, headers: { "content-length": "1024" } });
    expect(await inbound.body(1_023)).toEqual({ ok: false, reason: "too_large" });
  });

  it("that breaks off in its body is told apart from a short one", async () => {
    const broken = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(kilobyte);
        controller.error(new Error("gone"));
      },
    });
    expect(await client({ body: broken }).inbound.body(10_000)).toEqual({ ok: false, reason: "cut_off" });
  });
});

describe("an answer", () => {
  it("that is whole goes out as one piece with its headers", async () => {
    const { outbound, response } = client();
    outbound.head(403, ["content-type", "application/json", "x-request-id", "req_1"]);
    outbound.end(new TextEncoder().encode("{}"));
    const answer = await response;
    expect([answer.status, answer.headers.get("x-request-id"), await answer.text()]).toEqual([403, "req_1", "{}"]);
  });

  it("shows its head before its first piece", async () => {
    const { outbound, response } = client();
    outbound.head(200, ["content-type", "text/event-stream"]);
    expect((await response).status).toBe(200);
    outbound.write(kilobyte);
    outbound.end();
    expect((await (await response).bytes()).length).toBe(1_024);
  });

  it("tells a writer to wait while the client does not read, and to go on when it has", async () => {
    const { outbound, response } = client();
    let drained = 0;
    outbound.onDrain(() => {
      drained++;
      outbound.end(kilobyte);
    });
    outbound.head(200, []);
    let written = 1;
    while (outbound.write(kilobyte)) expect(++written).toBeLessThan(1_000);
    const answer = await response;
    expect(drained).toBe(0);
    expect((await answer.bytes()).length).toBe((written + 1) * 1_024);
    expect(drained).toBe(1);
  });

  it("that is cut off is no answer that ended well", async () => {
    const { outbound, response } = client();
    outbound.head(200, []);
    outbound.write(kilobyte);
    outbound.cut();
    await expect((await response).bytes()).rejects.toThrow("cut off");
  });

  it("with status 204 has no body", async () => {
    const { outbound, response } = client();
    outbound.head(204, []);
    outbound.end();
    expect((await response).body).toBeNull();
  });
});

describe("a hang-up", () => {
  it("before the head is told", () => {
    const left = client();
    left.leave();
    expect(left.hangUps).toBe(1);
  });

  it("before anybody listened is told as well", () => {
    const leaving = new AbortController();
    leaving.abort();
    let hangUps = 0;
    createEdge(new Request(address, { signal: leaving.signal })).inbound.onHangUp(() => hangUps++);
    expect(hangUps).toBe(1);
  });

  it("is told once, though the signal and the stream both report it", async () => {
    const left = client();
    left.outbound.head(200, []);
    left.outbound.write(kilobyte);
    await (await left.response).body?.cancel();
    left.leave();
    expect(left.hangUps).toBe(1);
  });

  it("leaves a writer that has not heard of it unharmed", async () => {
    const left = client();
    left.outbound.head(200, []);
    await (await left.response).body?.cancel();
    left.outbound.write(kilobyte);
    left.outbound.end(kilobyte);
    expect(left.hangUps).toBe(1);
  });

  it("after the end is none", async () => {
    const left = client();
    left.outbound.head(200, []);
    left.outbound.write(kilobyte);
    left.outbound.end(kilobyte);
    await (await left.response).bytes();
    left.leave();
    expect(left.hangUps).toBe(0);
  });
});
