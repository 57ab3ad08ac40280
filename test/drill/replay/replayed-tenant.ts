import type { ReceiptBasis } from "../../../src/ledger/make-receipt.ts";
import type { ModelRequest } from "../../../src/dialect/model-request.ts";
import { authorise } from "../../../src/policy/authorise.ts";
import type { Permit } from "../../../src/policy/permit.ts";
import type { Hold } from "../../../src/quota/estimate.ts";
import { appliedLimits, type AppliedLimit } from "../../../src/quota/limit.ts";
import type { LimitSetting } from "../../../src/tenant/limit-setting.ts";
import type { Tenant } from "../../../src/tenant/tenant.ts";
import { catalogueOf, deployment, model } from "../../support/catalogue.ts";
import { openPolicy, tenant as example } from "../../support/permits.ts";
import type { ReplaySetting } from "./settings.ts";
import type { TraceRequest } from "./trace.ts";

/** The ceiling on output of the figures in `settings.ts`. */
const maxOutputTokens = 4_096;

const served = deployment("replay", { model: { ...model, maxOutputTokens } });
const catalogue = catalogueOf([served]);

/** One tenant of a replay, with its limit a minute and one a day that is never reached, on which all use is counted. */
export class ReplayedTenant {
  readonly id: string;
  readonly permit: Permit;
  readonly #tenant: Tenant;
  readonly #limits: readonly LimitSetting[];

  constructor(id: string, tokensPerMinute: number, burst: number, atMs: number) {
    this.id = id;
    this.#tenant = { ...example, id };
    const wide = { key: undefined, model: undefined };
    this.#limits = [
      { name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: tokensPerMinute, burst, ...wide },
      { name: countingLimit, unit: "tokens", window: "day", ceiling: 1_000_000_000_000, burst: undefined, ...wide },
    ];
    const decision = authorise(
      { tenant: this.#tenant, modelName: model.id, surface: "chat.completions" },
      openPolicy,
      catalogue,
      atMs,
    );
    if (!decision.ok) throw new Error("the tenant of the replay has no permit");
    this.permit = decision.value;
  }

  limits(atMs: number): readonly AppliedLimit[] {
    const { id, tier } = this.permit.model;
    return appliedLimits(this.#limits, { keyId: "replay", model: id, tier, endUser: undefined, timeZone: undefined }, atMs);
  }

  basis(requestId: string, request: ModelRequest, hold: Hold, startedAtMs: number): ReceiptBasis {
    const entry = { revision: 1, tenant: this.#tenant, keys: [], limits: this.#limits };
    return {
      requestId,
      caller: {
        entry,
        tenant: this.#tenant,
        keyId: "replay",
        keyName: "replay",
        scopes: { models: undefined, surfaces: undefined },
      },
      dialect: "openai",
      request,
      permit: this.permit,
      hold,
      endUser: undefined,
      digestKeyId: "replay",
      gatewayPlace: "replay",
      traceId: undefined,
      startedAtMs,
    };
  }
}

export const countingLimit = "tokens-per-day";

/** Names the model's own ceiling, or none where what was learned is to be held. */
export function replayedRequest({ promptTokens }: TraceRequest, { learned, bytesPerToken }: ReplaySetting): ModelRequest {
  return {
    surface: "chat.completions",
    model: model.id,
    stream: true,
    includeUsage: true,
    maxOutputTokens: learned ? undefined : maxOutputTokens,
    choices: 1,
    previousResponseId: undefined,
    endUser: undefined,
    prompt: { asciiBytes: promptTokens * bytesPerToken, otherBytes: 0, images: 0 },
    extractsWeights: false,
    logProbabilities: false,
    hostedTools: [],
    bodyFor: () => new Uint8Array(),
    release: () => undefined,
  };
}

export { price as replayedPrice } from "../../support/catalogue.ts";
