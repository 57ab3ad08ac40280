import type { SimulatedEvent } from "./exchange.ts";

/** An event without a name, as chat completions stream. */
export function dataEvent(data: unknown, tokens: number = 0): SimulatedEvent {
  return { frame: `data: ${JSON.stringify(data)}\n\n`, tokens, terminal: false };
}

/** An event named after its `type`, as Anthropic and the Responses API stream. */
export function typedEvent(
  data: { readonly type: string; readonly [name: string]: unknown },
  tokens: number = 0,
): SimulatedEvent {
  return { frame: `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`, tokens, terminal: false };
}

export function terminal(event: SimulatedEvent): SimulatedEvent {
  return { ...event, terminal: true };
}

export const done: SimulatedEvent = { frame: "data: [DONE]\n\n", tokens: 0, terminal: true };

/** OpenAI pads every event so that its length does not betray the token; here the length alone decides. */
export function obfuscation(delta: string): string {
  return "xJ2kQp8vLm4Rt9Zw".slice(delta.length % 16);
}
