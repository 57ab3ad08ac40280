import { sleep, type Clock, type Entropy } from "../clock.ts";
import type { Surface as SurfaceName } from "../region/catalogue.ts";
import { countTokens, messages } from "./anthropic-messages.ts";
import type { SimulatedAnswer, SimulatedCall } from "./call.ts";
import { Capacity, type CapacityLeft } from "./capacity.ts";
import { credentialError } from "./credential.ts";
import { embeddings } from "./embeddings.ts";
import {
  errorBody,
  errorOfStatus,
  missingParameter,
  notAnObject,
  surfaceNotServed,
  unknownDeployment,
  unknownPath,
  unknownResponse,
  wrongMethod,
  type UpstreamError,
} from "./errors.ts";
import { isError, type Reply, type SimulatedEvent, type SimulatedExchange, type Surface } from "./exchange.ts";
import { FaultQueue, type FaultPlan } from "./faults.ts";
import { garbageAnswer, redirectAnswer, refusalError, retryHeaders } from "./fault-answers.ts";
import { answerHeaders } from "./headers.ts";
import { identifier, requestIdOf } from "./identifier.ts";
import { parseObject, textIn, type JsonObject } from "./json.ts";
import { chatCompletions } from "./openai-chat.ts";
import { completions } from "./openai-completions.ts";
import { responses } from "./openai-responses.ts";
import { ConnectionReset, eventsBefore, PacedBody, silence, SplitBody } from "./paced-body.ts";
import type { Pace, ProfileDeployment, RegionProfile } from "./profile.ts";
import { PromptCache } from "./prompt-cache.ts";
import { ResponseStore } from "./response-store.ts";
import { routeOf, type Route } from "./routes.ts";
import { StatsCounter, type AnswerEnd } from "./stats.ts";

const surfaces: Readonly<Record<SurfaceName, Surface>> = {
  "chat.completions": chatCompletions,
  completions,
  embeddings,
  responses,
  messages,
  count_tokens: countTokens,
};

const defaultTokensPerMinute = 1_000_000;
const encoder = new TextEncoder();

/** What is known of one request while it is answered. */
interface Visit {
  readonly call: SimulatedCall;
  readonly plan: FaultPlan;
  readonly startMs: number;
  readonly requestId: string;
  readonly end: (end: AnswerEnd) => void;
  readonly deployment: ProfileDeployment | undefined;
}

/** One region's upstream: everything that it remembers, and how it answers a path behind its own prefix. */
export class SimulatedUpstream {
  readonly stats: StatsCounter = new StatsCounter();
  readonly faults: FaultQueue = new FaultQueue();
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #capacity: Capacity;
  readonly #promptCache = new PromptCache();
  readonly #responses = new ResponseStore();
  #profile: RegionProfile;
  #deployments: ReadonlyMap<string, ProfileDeployment>;
  pace: Pace;

  constructor(profile: RegionProfile, pace: Pace, clock: Clock, entropy: Entropy) {
    this.#clock = clock;
    this.#entropy = entropy;
    this.#capacity = new Capacity(clock);
    this.pace = { ...pace, ...profile.pace };
    this.#profile = profile;
    this.#deployments = byName(profile);
    this.faults.set(profile.faults ?? []);
  }

  /** Takes over what a changed catalogue says; stored responses, faults and counters stay. */
  set profile(profile: RegionProfile) {
    this.#profile = profile;
    this.#deployments = byName(profile);
  }

  /** `path` is the one behind the region's prefix. Rejects with `ConnectionReset` where the connection shall be destroyed before a head was sent. */
  async answer(call: SimulatedCall, path: string): Promise<SimulatedAnswer> {
    const end = this.stats.begin();
    try {
      const answer = await this.#answer(call, path, end);
      this.stats.status(answer.status);
      return answer;
    } catch (error) {
      end(call.signal.aborted ? "cancelled" : "cut");
      throw error;
    }
  }

  async #answer(call: SimulatedCall, path: string, end: (end: AnswerEnd) => void): Promise<SimulatedAnswer> {
    const { wire } = this.#profile;
    const route = routeOf(wire, call.method, path, call.query);
    const text = call.method === "POST" ? await call.text() : "";
    const body = parseObject(text);
    const name = route.kind === "call" ? (route.name ?? textIn(body?.["model"])) : undefined;
    const stream = body?.["stream"] === true;
    const visit: Visit = {
      call,
      plan: this.faults.take({ stream, deployment: name }),
      startMs: this.#clock.nowMs(),
      requestId: requestIdOf(wire, this.#entropy),
      end,
      deployment: name === undefined ? undefined : this.#deployments.get(name),
    };
    const broken = await this.#beforeHead(visit, stream);
    if (broken !== undefined) return broken;
    const denied = this.#denied(route, call, path);
    if (denied !== undefined) return this.#error(denied, visit);
    if (route.kind === "stored_response") return this.#storedResponse(route.id, visit);
    if (route.kind !== "call") return this.#error(unknownPath(wire, call.method, path), visit);
    if (body === undefined) return this.#error(notAnObject(wire), visit);
    if (name === undefined) return this.#error(missingParameter(wire, "model"), visit);
    const { deployment } = visit;
    if (deployment === undefined) return this.#error(unknownDeployment(wire, name), visit);
    if (deployment.surfaces?.has(route.surface) === false) return this.#error(surfaceNotServed(wire, name, route.surface), visit);
    return this.#reply(route.surface, deployment, body, visit);
  }

  /** The latency, and the faults that act before anything is answered. */
  async #beforeHead({ call, plan, ...visit }: Visit, stream: boolean): Promise<SimulatedAnswer | undefined> {
    const { breaking } = plan;
    const atHead = breaking !== undefined && eventsBefore(breaking, stream) === Infinity;
    const delayMs = this.pace.latencyMs + (plan.altering("slow")?.afterMs ?? 0) + (atHead ? (breaking.afterMs ?? 0) : 0);
    if (delayMs > 0) {
      await sleep(this.#clock, delayMs, call.signal);
      if (call.signal.aborted) throw new ConnectionReset();
    }
    if (!atHead) return undefined;
    switch (breaking.kind) {
      case "status": {
        const error = errorOfStatus(this.#profile.wire, breaking.status, breaking.code, breaking.message);
        return this.#error({ ...error, headers: retryHeaders(breaking) }, { call, plan, ...visit });
      }
      case "redirect":
        visit.end("completed");
        return redirectAnswer(breaking, this.#profile.id);
      case "garbage":
        visit.end("completed");
        return garbageAnswer(stream, this.#profile.id, this.#entropy);
      case "reset":
        throw new ConnectionReset();
      case "stall":
        await silence(this.#clock, call.signal);
        throw new ConnectionReset();
      default:
        return undefined;
    }
  }

  #denied(route: Route, call: SimulatedCall, path: string): UpstreamError | undefined {
    const { wire } = this.#profile;
    // The path first: Azure's front end says that a path does not exist before it looks at the key.
    if (route.kind === "unknown") return unknownPath(wire, call.method, path);
    if (route.kind === "wrong_method") return wrongMethod(wire, call.method);
    return credentialError(this.#profile, call);
  }

  #reply(surface: SurfaceName, deployment: ProfileDeployment, body: JsonObject, visit: Visit): SimulatedAnswer {
    const { plan } = visit;
    const servedModel = plan.altering("served-model")?.model ?? deployment.model;
    const exchange: SimulatedExchange = {
      region: this.#profile,
      wire: this.#profile.wire,
      deployment,
      servedModel,
      inferenceGeo: plan.altering("wrong-region")?.region ?? deployment.inferenceGeo ?? "not_available",
      body,
      stream: body["stream"] === true && surface !== "embeddings" && surface !== "count_tokens",
      nowSeconds: Math.floor(visit.startMs / 1000),
      answerTokens: this.pace.answerTokens,
      promptCache: this.#promptCache,
      responses: this.#responses,
      identifier: (prefix) => identifier(prefix, this.#entropy),
    };
    const reply = surfaces[surface](exchange);
    if (isError(reply)) return this.#error(reply, visit);
    this.stats.inputTokens += reply.inputTokens;
    const capacity = this.#capacity.take(
      reply.inputTokens + reply.outputTokens,
      deployment.tokensPerMinute ?? defaultTokensPerMinute,
    );
    const headers = this.#headers(visit, exchange.stream, capacity, surface === "responses" ? servedModel : undefined);
    return exchange.stream ? this.#streamed(reply, headers, visit) : this.#whole(reply.json(), reply, headers, visit);
  }

  #streamed(reply: Reply, headers: string[], visit: Visit): SimulatedAnswer {
    const { breaking } = visit.plan;
    if (breaking?.kind !== "refusal-200")
      return { status: 200, headers, body: this.#body(reply.events(), reply.failure.bind(reply), true, visit) };
    headers.push(...retryHeaders(breaking, 10));
    const refusal = reply.refusal(refusalError(breaking));
    return { status: 200, headers, body: this.#body(refusal, reply.failure.bind(reply), true, visit) };
  }

  #whole(
    json: JsonObject,
    { outputTokens, ...reply }: Pick<Reply, "outputTokens" | "failure">,
    headers: string[],
    visit: Visit,
  ): SimulatedAnswer {
    const text = JSON.stringify(json);
    if (touchesBody(visit.plan)) {
      return { status: 200, headers, body: this.#body(halves(text, outputTokens), reply.failure, false, visit) };
    }
    this.stats.outputTokens += outputTokens;
    return this.#bytes(200, headers, text, visit);
  }

  #body(
    events: Iterable<SimulatedEvent>,
    failure: Reply["failure"],
    stream: boolean,
    { plan, end }: Visit,
  ): PacedBody | SplitBody {
    const body = new PacedBody(events, {
      clock: this.#clock,
      plan,
      tokensPerSecond: stream ? this.pace.tokensPerSecond : 0,
      stats: this.stats,
      end,
      failure,
      stream,
    });
    const split = plan.altering("split");
    return split === undefined ? body : new SplitBody(body, this.#clock, this.#entropy, split.maxBytes);
  }

  #storedResponse(id: string, visit: Visit): SimulatedAnswer {
    const stored = this.#responses.get(id);
    if (stored === undefined) return this.#error(unknownResponse(id), visit);
    const headers = this.#headers(visit, false, undefined, undefined);
    if (visit.call.method === "GET") return this.#bytes(200, headers, JSON.stringify(stored.response), visit);
    this.#responses.delete(id);
    return this.#bytes(200, headers, JSON.stringify({ id, object: "response", deleted: true }), visit);
  }

  #error(error: UpstreamError, visit: Visit): SimulatedAnswer {
    const headers = this.#headers(visit, false, undefined, undefined);
    headers.push(...error.headers);
    return this.#bytes(error.status, headers, errorBody(this.#profile.wire, error, visit.requestId), visit);
  }

  /** A whole body counts as completed once it is handed over: from there on it is the socket's. */
  #bytes(status: number, headers: string[], text: string, { end }: Visit): SimulatedAnswer {
    const body = encoder.encode(text);
    headers.push("content-length", String(body.length));
    this.stats.bytes += body.length;
    end("completed");
    return { status, headers, body };
  }

  #headers(visit: Visit, stream: boolean, capacity: CapacityLeft | undefined, servedModel: string | undefined): string[] {
    const { plan, deployment } = visit;
    const nowMs = this.#clock.nowMs();
    const spillover = plan.altering("spillover");
    const headers = answerHeaders({
      region: this.#profile,
      requestId: visit.requestId,
      contentType: stream ? "text/event-stream; charset=utf-8" : "application/json",
      deployment: spillover?.to ?? deployment?.name,
      capacity,
      processingMs: nowMs - visit.startMs,
      nowMs,
      placeName: plan.altering("wrong-region")?.region ?? this.#profile.displayName,
      servedModel,
    });
    if (spillover !== undefined) headers.push("x-ms-spillover-from-deployment", spillover.from ?? deployment?.name ?? "");
    return headers;
  }
}

function byName({ deployments }: RegionProfile): ReadonlyMap<string, ProfileDeployment> {
  return new Map(deployments.map((deployment) => [deployment.name, deployment]));
}

function touchesBody(plan: FaultPlan): boolean {
  const { breaking } = plan;
  return (
    (breaking !== undefined && eventsBefore(breaking, false) < Infinity) ||
    plan.altering("split") !== undefined ||
    plan.altering("huge-event") !== undefined ||
    (plan.altering("slow")?.delayMs ?? 0) > 0
  );
}

/** A body of JSON as the two pieces between which a fault can fall. */
function halves(text: string, tokens: number): readonly SimulatedEvent[] {
  const middle = Math.floor(text.length / 2);
  return [
    { frame: text.slice(0, middle), tokens: 0, terminal: false },
    { frame: text.slice(middle), tokens, terminal: true },
  ];
}
