/** What the load generator asks the upstream for. It travels in `user`, the one field that every proxy passes on. */
export interface StreamOrder {
  /** Events that carry content, the first at once; more events end the stream. */
  readonly events: number;
  /** Between events, in ms; 0 writes as fast as the reader reads. */
  readonly intervalMs: number;
  /** Stay open and silent after the first event until the reader goes away. */
  readonly idle: boolean;
}

const marker = "bench-stream";
const orderPattern = new RegExp(`${marker}-(\\d+)-(\\d+)-([01])`);

export function readOrder(body: string): StreamOrder | undefined {
  const found = orderPattern.exec(body);
  if (found === null) return undefined;
  return { events: Number(found[1]), intervalMs: Number(found[2]), idle: found[3] === "1" };
}

/** A chat request with a prompt of 1 KB. */
export function requestBody(model: string, order: StreamOrder | undefined): string {
  const content = "The strait is narrow and the current runs fast. ".repeat(22).slice(0, 1024);
  const request = { model, messages: [{ role: "user", content }], max_completion_tokens: 256, temperature: 0.2 };
  if (order === undefined) return JSON.stringify(request);
  return JSON.stringify({
    ...request,
    stream: true,
    user: `${marker}-${order.events}-${order.intervalMs}-${order.idle ? 1 : 0}`,
  });
}
