import assert from "node:assert/strict";
import { parseRecord, replay, Worlds } from "../../src/bundle/replay.ts";
import type { RegionEntry, DeploymentEntry } from "../../src/region/region-file.ts";
import type { Transport } from "../../src/upstream/transport.ts";
import { ScriptedCall } from "../support/scripted-transport.ts";
import type { Ask, Step } from "./drawn-steps.ts";
import { dayMs, type DrawnWorld } from "./drawn-world.ts";
import { play, type Fault, type Played } from "./hostile-upstream.ts";
import { isCutOff, type NaiveOrder, type NaivePlace } from "./naive-orders.ts";
import {
  deploymentId,
  naiveDecision,
  placesOf,
  type NaiveDecision,
  type NaiveRequest,
  type WrittenWorld,
} from "./naive-policy.ts";
import { RecordedGateway, type Made, type RecordedTenant } from "./recorded-gateway.ts";

const paths = { "chat.completions": "/v1/chat/completions", responses: "/v1/responses", messages: "/v1/messages" };

/** The refusals that say that the policy said no. */
const refusalsOfPolicy = new Set([
  "model_not_found",
  "surface_not_served",
  "tenant_not_verified",
  "verification_expired",
  "policy_denied",
  "policy_review",
  "fact_unknown",
  "fact_stale",
  "fact_conflicting",
]);

interface Asked {
  readonly ask: Ask;
  readonly by: RecordedTenant;
  readonly request: NaiveRequest;
  readonly world: WrittenWorld;
  readonly decision: NaiveDecision;
  readonly decidedAtMs: number;
  /** The deployment that keeps the response that it goes on from. */
  readonly boundTo: string | undefined;
  readonly made: Made;
  /** Attempts so far. */
  attempts: number;
  /** What the client may read of content, and what it must not. */
  readonly fromWithin: string[];
  readonly fromElsewhere: string[];
}

/** One drawn world from its first request to its last. */
export class DrawnRun implements Transport {
  readonly #count: (what: string) => void;
  readonly #drawn: DrawnWorld;
  readonly #gateway: RecordedGateway;
  readonly #asked: Asked[] = [];
  #orders: NaiveOrder[] = [];
  #orderNumber = 0;
  readonly #found: unknown[] = [];

  /** `count` is told what was met. */
  constructor(drawn: DrawnWorld, count: (what: string) => void) {
    this.#drawn = drawn;
    this.#count = count;
    this.#gateway = new RecordedGateway(drawn, this);
  }

  /** Every request that leaves the gateway comes by here. */
  send(...[request, listener]: Parameters<Transport["send"]>): ScriptedCall {
    const call = new ScriptedCall(request, listener);
    this.#noting(() => {
      const body = JSON.parse(new TextDecoder().decode(request.body)) as Sent;
      const asked = this.#asked[Number(/prompt-(\d+)-/.exec(JSON.stringify(body))?.[1])];
      if (asked === undefined) throw new Error("nobody asked for this");
      asked.attempts += 1;
      const place = this.#placeAt(request.origin, body.model);
      this.#expectPermitted(asked, place, body);
      const fault = asked.ask.faults[asked.attempts - 1] ?? { kind: "none" };
      const meanwhile = asked.attempts === 1 ? asked.ask.meanwhile : undefined;
      const order = (): void => this.#orderMeanwhile(meanwhile?.cutsOff, fault, asked, place);
      queueMicrotask(() =>
        this.#noting(() => {
          if (call.over) return;
          if (meanwhile?.isMidway === false) order();
          if (!call.over) this.#play(call, fault, asked, place, meanwhile?.isMidway === true ? order : () => undefined);
        }),
      );
    });
    return call;
  }

  /** The gateway makes an error of its transport a refusal: what was found there is told by the step. */
  #noting(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#found.push(error);
    }
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case "order":
        return this.#order(step.scope, step.days);
      case "pass":
        return this.#gateway.clock.pass(step.days * dayMs);
      case "restore":
        this.#orders = [];
        for (const order of this.#gateway.revocations.list())
          await this.#gateway.revocations.issue({ ...order, restored: { atMs: this.#gateway.clock.nowMs(), by: "test" } });
        return;
      case "ask": {
        const first = this.#asked.length;
        for (const ask of step.together) this.#ask(ask);
        const together = this.#asked.slice(first);
        await this.#gateway.finish(together.map(({ made }) => made));
        for (const found of this.#found) throw found;
        for (const asked of together) this.#expectAnswered(asked);
      }
    }
  }

  /** Decides everything again that was recorded. */
  expectReplayed(): void {
    const { receipts, refusals, worlds: read } = this.#gateway;
    const all = new Worlds();
    for (const world of read) all.add(world);
    for (const record of [...receipts, ...refusals]) {
      const parsed = parseRecord(JSON.stringify(record));
      if (parsed === undefined) throw new Error("no receipt can be read");
      const { result, ...rest } = replay(parsed, all);
      const kind = record.refusal?.kind ?? "";
      assert.deepEqual({ result, ...rest, kind }, { result: "same", kind });
      this.#count(`replayed: ${record.end === "refused" ? "refusal" : "receipt"} ${result}`);
      if (record.end === "refused" && record.inputs?.boundTo !== undefined) this.#count("replayed: refusal where it is kept");
    }
  }

  #ask(ask: Ask): void {
    const by = this.#gateway.tenants[ask.tenant];
    if (by === undefined) throw new Error("no such tenant");
    const { tenant } = by;
    const decidedAtMs = this.#gateway.clock.nowMs();
    const policy = decidedAtMs < this.#drawn.secondFromMs ? this.#drawn.first : this.#drawn.second;
    const world: WrittenWorld = { models: this.#drawn.models, regions: this.#drawn.regions, policy };
    const { model, surface, hostedTools, logProbabilities, nationality } = ask;
    const request = { tenant, model, surface, hostedTools, logProbabilities, nationality };
    const kept = ask.goesOn
      ? this.#gateway.receipts.findLast((each) => each.tenantId === tenant.id && each.responseId)
      : undefined;
    const prompt = `prompt-${this.#asked.length}-`;
    const body = bodyOf(ask, prompt, kept?.responseId);
    const headers = {
      ...(surface === "messages" ? { "anthropic-version": "2023-06-01" } : {}),
      ...(nationality === undefined ? {} : { "x-strait-end-user-nationality": nationality }),
    };
    const made = this.#gateway.make(by, paths[surface], headers, body);
    const decision = naiveDecision(world, request, decidedAtMs);
    const boundTo = kept?.deployment;
    const rest = { made, attempts: 0, fromWithin: [], fromElsewhere: [] };
    this.#asked.push({ ask, by, request, world, decision, decidedAtMs, boundTo, ...rest });
  }

  #order(scope: NaiveOrder["scope"], days: number | undefined): void {
    const { clock, revocations } = this.#gateway;
    const nowMs = clock.nowMs();
    const expiresAtMs = days === undefined ? undefined : nowMs + days * dayMs;
    this.#orders.push({ scope, untilMs: expiresAtMs ?? Infinity });
    const id = `order-${(this.#orderNumber += 1)}`;
    revocations.learn(
      [{ id, scope, reason: "drawn", by: "operator", issuedAtMs: nowMs, expiresAtMs, restored: undefined }],
      "test",
    );
  }

  #orderMeanwhile(
    cutsOff: NonNullable<Ask["meanwhile"]>["cutsOff"] | undefined,
    fault: Fault,
    asked: Asked,
    place: NaivePlace,
  ): void {
    if (cutsOff === undefined) return;
    if (typeof cutsOff === "object") return this.#order(cutsOff, undefined);
    const tried = deploymentId(place.region, place.entry);
    const serving = this.#servedAt(fault, asked, place)?.place ?? place;
    if (cutsOff === "what serves") return this.#order({ deployment: deploymentId(serving.region, serving.entry) }, undefined);
    const left = asked.decision.permitted ? asked.decision.deployments.filter((id) => id !== tried) : [];
    for (const deployment of left.slice(1)) this.#order({ deployment }, undefined);
  }

  #placeAt(origin: string, upstreamName: string): NaivePlace {
    const region = this.#drawn.regions.find(({ endpoint }) => endpoint === origin);
    const entry = region?.deployments.find(({ upstream_name }) => upstream_name === upstreamName);
    if (region === undefined || entry === undefined) throw new Error(`a prompt left for ${origin}, which is declared nowhere`);
    return this.#place(region, entry);
  }

  #place(region: RegionEntry, entry: DeploymentEntry): NaivePlace {
    return { region, entry, places: placesOf(this.#drawn.first, region, entry) };
  }

  /** Whether the request may be answered there, now, by this model. */
  #isWithin(asked: Asked, decision: NaiveDecision, { region, entry, places }: NaivePlace): boolean {
    if (!decision.permitted || !decision.deployments.includes(deploymentId(region, entry))) return false;
    const model = this.#drawn.models.find(({ id }) => id === decision.model);
    if (model === undefined) return false;
    const nowMs = this.#gateway.clock.nowMs();
    return !this.#orders.some((order) => isCutOff(order, { ...asked.by, model }, { region, entry, places }, nowMs));
  }

  #expectPermitted(asked: Asked, place: NaivePlace, body: Sent): void {
    const id = deploymentId(place.region, place.entry);
    assert(this.#isWithin(asked, asked.decision, place), `a prompt left for ${id}, where it must not be`);
    if (asked.boundTo !== undefined) assert.equal(id, asked.boundTo);
    const isStripped = asked.decision.permitted && asked.decision.withoutLogProbabilities;
    const isAsked = asked.ask.logProbabilities !== "none";
    assert.equal(body.logprobs ?? false, isAsked && !isStripped);
    this.#expectNoLuck(asked, place);
    this.#count("attempts");
    if (asked.attempts > 1) this.#count("retries");
    if (asked.boundTo !== undefined) this.#count("attempts that go on");
    if (isAsked && isStripped) this.#count("attempts without log probabilities");
    if (asked.decision.permitted && !asked.request.model.startsWith(asked.decision.model))
      this.#count("attempts at a lesser model");
  }

  /** What nobody knows: whatever it turns out to be, this attempt must have been one that is permitted. */
  #expectNoLuck({ request, world, decidedAtMs }: Asked, { region, entry }: NaivePlace): void {
    const { tenant } = request;
    for (const [fact, values] of Object.entries(possible)) {
      if (tenant.facts[fact as keyof typeof possible] !== undefined) continue;
      for (const value of values) {
        const known = { ...request, tenant: { ...tenant, facts: { ...tenant.facts, [fact]: value } } };
        const decision = naiveDecision(world, known, decidedAtMs);
        const isPermitted = decision.permitted && decision.deployments.includes(deploymentId(region, entry));
        assert(isPermitted, `it was permitted though ${fact} may be ${value}`);
        this.#count("attempts whatever a fact is");
      }
    }
  }

  #play(call: ScriptedCall, fault: Fault, asked: Asked, place: NaivePlace, midway: () => void): void {
    const { region, entry } = place;
    const { surface, stream } = asked.ask;
    const content = `content-${this.#asked.indexOf(asked)}-${asked.attempts}-`;
    const isWithin = (): boolean => {
      const served = this.#servedAt(fault, asked, place);
      return served !== undefined && this.#isWithin(asked, served.decision, served.place);
    };
    const answers = fault.kind !== "status" && fault.kind !== "breaks";
    this.#count(answers ? `answers from ${isWithin() ? "within" : "elsewhere"}: ${fault.kind}` : "calls that failed");
    // What answers from elsewhere is out of use from the next turn on: others may be answered in this one before it is known.
    const quarantine = { scope: { deployment: deploymentId(region, entry) }, untilMs: Infinity };
    const isElsewhere = answers && !isWithin();
    // What only the body would have said is found out by nobody where the answer was cut off before it.
    const isSaidByHead = fault.kind === "says_elsewhere" || fault.kind === "spills";
    const told: Played = {
      content,
      id: `resp_${content}`,
      midway: () => {
        midway();
        if (isElsewhere && (isSaidByHead || !call.over)) setImmediate(() => this.#orders.push(quarantine));
        if (!isWithin()) asked.fromElsewhere.push(content);
        else if (!call.over) asked.fromWithin.push(content);
      },
    };
    const { upstream_name: upstreamName = entry.model, inference_geo: inferenceGeo } = entry;
    play(call, fault, { displayName: region.display_name, inferenceGeo, surface, stream, upstreamName }, told);
  }

  /** Where an answer comes from that says what `fault` says, and by which decision it may; `undefined`: it may not. */
  #servedAt(fault: Fault, asked: Asked, place: NaivePlace): { decision: NaiveDecision; place: NaivePlace } | undefined {
    const { region, entry } = place;
    const { decision } = asked;
    switch (fault.kind) {
      case "says_elsewhere":
        return undefined;
      case "says_geo":
      case "says_no_geo":
        return entry.inference_geo === undefined ? { decision, place } : undefined;
      case "spills": {
        if (fault.to === entry.upstream_name) return { decision, place };
        const other = region.deployments.find(({ upstream_name }) => upstream_name === fault.to);
        return other === undefined ? undefined : { decision, place: this.#place(region, other) };
      }
      case "routes": {
        if (fault.model === entry.model) return { decision, place };
        const routed = naiveDecision(asked.world, { ...asked.request, model: fault.model }, asked.decidedAtMs);
        if (!routed.permitted || routed.model !== fault.model) return undefined;
        const others = region.deployments.filter(({ model, sku }) => model === fault.model && sku === entry.sku);
        const places = others.map((other) => this.#place(region, other));
        const within = places.find((other) => this.#isWithin(asked, routed, other));
        return within === undefined ? undefined : { decision: routed, place: within };
      }
      default:
        return { decision, place };
    }
  }

  #expectAnswered({ ask, decision, boundTo, made, attempts, fromWithin, fromElsewhere }: Asked): void {
    const { text, violations } = made.outbound;
    assert.deepEqual(violations, []);
    for (const content of fromElsewhere) assert(!text.includes(content), `the client was given ${content}, from elsewhere`);
    if (fromWithin.some((content) => text.includes(content))) this.#count("answered");
    const requestId = made.outbound.header("x-request-id") ?? made.outbound.header("request-id");
    const { receipts, refusals } = this.#gateway;
    const receipt = receipts.find((each) => each.requestId === requestId);
    const refusal = refusals.find((each) => each.requestId === requestId);
    assert.equal([receipt, refusal].filter((each) => each !== undefined).length, 1);
    if (!decision.permitted) {
      assert.equal(attempts, 0);
      this.#count(`refused: ${refusal?.refusal.kind ?? ""}`);
    }
    // What goes on from a stored response may be refused for where that is kept, and what an order cut off for that.
    const kind = refusal?.refusal.kind ?? "";
    if (boundTo === undefined && kind !== "revoked" && kind !== "quarantined") {
      const told = { ask, decision, refusal: refusal?.refusal };
      assert.equal(refusalsOfPolicy.has(kind), !decision.permitted, JSON.stringify(told));
    }
    if (receipt !== undefined && decision.permitted && boundTo === undefined) {
      const refused = new Set(receipt.candidatesRefused?.flatMap(({ deployments }) => deployments));
      const candidates = this.#drawn.regions.flatMap((region) =>
        region.deployments.flatMap((entry) => (entry.model === decision.model ? [deploymentId(region, entry)] : [])),
      );
      assert.deepEqual(
        candidates.filter((id) => !refused.has(id)),
        decision.deployments,
      );
    }
  }
}

interface Sent {
  readonly model: string;
  readonly logprobs?: boolean | null;
}

const possible = {
  registeredCountry: ["CN", "HK", "SG", "JP", "US", "DE", "RU"],
  headquartersCountry: ["CN", "HK", "SG", "JP", "US", "DE", "RU"],
  ultimateParentCountry: ["CN", "HK", "SG", "JP", "US", "DE", "RU"],
  endUse: ["software", "military logistics"],
  audience: ["internal", "public-facing"],
} as const;

function bodyOf(ask: Ask, prompt: string, previous: string | undefined): unknown {
  const content = ask.surface === "responses" ? { input: prompt } : { messages: [{ role: "user", content: prompt }] };
  return {
    model: ask.model,
    stream: ask.stream,
    ...content,
    ...(ask.surface === "messages" ? { max_tokens: 20 } : {}),
    ...(ask.hostedTools.length === 0 ? {} : { tools: ask.hostedTools.map((type) => ({ type })) }),
    ...(ask.logProbabilities === "none" ? {} : { logprobs: true }),
    ...(ask.logProbabilities === "asked_with_logit_bias" ? { logit_bias: { "1": 1 } } : {}),
    ...(previous === undefined ? {} : { previous_response_id: previous }),
  };
}
