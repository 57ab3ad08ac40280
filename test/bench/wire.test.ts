import { describe, expect, test } from "vitest";
import { readOrder, requestBody } from "../../bench/wire.ts";

describe("the order for a stream", () => {
  test("comes out of the request's body as it went in, also after a proxy wrote the JSON anew", () => {
    const order = { events: 200, intervalMs: 10, idle: true };
    const body = requestBody("m", order);
    expect(readOrder(body)).toEqual(order);
    expect(readOrder(JSON.stringify(JSON.parse(body), undefined, 2))).toEqual(order);
  });

  test("is absent from a request that wants no stream", () => {
    expect(readOrder(requestBody("m", undefined))).toBeUndefined();
  });

  test("goes with a prompt of 1 KB", () => {
    const { messages } = JSON.parse(requestBody("m", undefined)) as { messages: { content: string }[] };
    expect(messages[0]?.content).toHaveLength(1024);
  });
});
