/** What the drawn upstreams do: answer as they should, fail, and answer from elsewhere than declared. */
import fc from "fast-check";
import { eventStream, json, type ScriptedCall } from "../support/scripted-transport.ts";
import { messages, namedSse, sse } from "../upstream/streams.ts";
import { modelIds } from "./drawn-world.ts";

export type Fault =
  | { readonly kind: "none" | "says_region" | "says_elsewhere" | "says_geo" | "says_no_geo" }
  /** Another deployment of the region answers, by the name that the upstream has for it. */
  | { readonly kind: "spills"; readonly to: string }
  /** Another model answers. */
  | { readonly kind: "routes"; readonly model: string }
  | { readonly kind: "status"; readonly status: number }
  | { readonly kind: "breaks"; readonly phase: "connect" | "refused" | "response" };

export const faults: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fault>({ kind: "none" }) },
  { weight: 2, arbitrary: fc.constantFrom<Fault>({ kind: "says_region" }, { kind: "says_elsewhere" }) },
  { weight: 1, arbitrary: fc.constantFrom<Fault>({ kind: "says_geo" }, { kind: "says_no_geo" }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom("up-a1", "up-a2", "up-b1", "up-nobody").map((to): Fault => ({ kind: "spills", to })),
  },
  { weight: 2, arbitrary: fc.constantFrom(...modelIds).map((model): Fault => ({ kind: "routes", model })) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(301, 302, 307, 308, 401, 429, 500, 503).map((status): Fault => ({ kind: "status", status })),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom("connect", "refused", "response").map((phase): Fault => ({ kind: "breaks", phase })),
  },
);

/** Of the deployment that was asked, as far as its upstream knows it. */
export interface Asked {
  readonly upstreamName: string;
  readonly displayName: string;
  /** What its answers attest where they tell the truth. */
  readonly inferenceGeo: string | undefined;
  readonly surface: string;
  readonly stream: boolean;
}

export const elsewhere = "https://elsewhere.test";

export interface Played {
  /** What the client gets to read where the answer is let through. */
  readonly content: string;
  /** The answer's own. */
  readonly id: string;
  /** Called between the head of an answer and its body. */
  readonly midway: () => void;
}

/** Plays one call. */
export function play(call: ScriptedCall, fault: Fault, asked: Asked, { content, id, midway }: Played): void {
  switch (fault.kind) {
    case "status": {
      const retry = fault.status === 429 || fault.status === 503 ? ["retry-after-ms", "200"] : [];
      call.answer(fault.status, [...json, "location", `${elsewhere}${call.request.path}`, ...retry], "{}");
      return;
    }
    case "breaks":
      if (fault.phase === "response") call.connected();
      call.fail(fault.phase);
      return;
    default: {
      const { headers, model, geo } = sayings(fault, asked);
      const whole = wholeAnswer(asked.surface, content, id, model, geo);
      const body = asked.stream ? streamed(asked.surface, whole, content) : JSON.stringify(whole);
      call.connected().head(200, [...(asked.stream ? eventStream : json), ...headers]);
      midway();
      call.data(body).end();
    }
  }
}

function sayings(fault: Fault, asked: Asked): { headers: readonly string[]; model: string; geo: string | undefined } {
  const said = { headers: [] as readonly string[], model: asked.upstreamName, geo: asked.inferenceGeo };
  switch (fault.kind) {
    case "says_region":
      return { ...said, headers: ["x-ms-region", asked.displayName] };
    case "says_elsewhere":
      return { ...said, headers: ["x-ms-region", "Region elsewhere"] };
    case "says_geo":
      return { ...said, geo: "global" };
    case "says_no_geo":
      return { ...said, geo: undefined };
    case "spills": {
      if (fault.to === asked.upstreamName) return said;
      // The model is not said again: which deployment answered tells it.
      const headers = ["x-ms-deployment-name", fault.to, "x-ms-spillover-from-deployment", asked.upstreamName];
      return { ...said, headers, model: "" };
    }
    case "routes":
      return { ...said, model: fault.model };
    default:
      return said;
  }
}

type Whole = Readonly<Record<string, unknown>>;

function wholeAnswer(surface: string, content: string, id: string, model: string, geo: string | undefined): Whole {
  const named = model === "" ? {} : { model };
  switch (surface) {
    case "messages": {
      const usage = { input_tokens: 3, output_tokens: 2, ...(geo === undefined ? {} : { inference_geo: geo }) };
      return {
        id,
        type: "message",
        role: "assistant",
        ...named,
        content: [{ type: "text", text: content }],
        stop_reason: "end_turn",
        usage,
      };
    }
    case "responses": {
      const output = [{ id: "msg_1", type: "message", content: [{ type: "output_text", text: content, annotations: [] }] }];
      const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
      return { id, object: "response", status: "completed", ...named, output, usage };
    }
    default: {
      const choices = [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }];
      const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
      return { id, object: "chat.completion", ...named, choices, usage };
    }
  }
}

/** The same answer event by event; the first one says the model and, of a message, the place. */
function streamed(surface: string, whole: Whole, content: string): string {
  const { id, model, usage } = whole;
  const named = model === undefined ? {} : { model };
  switch (surface) {
    case "messages": {
      const events = messages(usage as Whole, { output_tokens: 2 });
      const [start, ...rest] = JSON.parse(JSON.stringify(events).replace("Uhu message", content)) as typeof events;
      const message = { id, type: "message", role: "assistant", content: [], usage, ...named };
      return namedSse([{ ...(start as { type: string }), message } as (typeof events)[number], ...rest]);
    }
    case "responses": {
      const events = [
        { type: "response.created", response: { ...whole, status: "in_progress", output: [], usage: null } },
        { type: "response.output_text.delta", output_index: 0, delta: content },
        { type: "response.completed", response: whole },
      ];
      return namedSse(events);
    }
    default: {
      const chunk = (parts: Whole): Whole => ({ id, object: "chat.completion.chunk", ...named, ...parts });
      return sse([
        chunk({ choices: [{ index: 0, delta: { role: "assistant", content } }] }),
        chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
        chunk({ choices: [], usage }),
        "[DONE]",
      ]);
    }
  }
}
