/** What happens in a drawn world: requests, some at once; orders that come before them and in their midst; days that pass. */
import fc from "fast-check";
import type { RevocationScope } from "../../src/revocation/order.ts";
import { modelIds } from "./drawn-world.ts";
import { faults, type Fault } from "./hostile-upstream.ts";

export interface Ask {
  /** Which of the world's tenants. */
  readonly tenant: number;
  readonly model: string;
  readonly surface: "chat.completions" | "responses" | "messages";
  readonly stream: boolean;
  readonly hostedTools: readonly ("mcp" | "web_search")[];
  readonly logProbabilities: "none" | "asked" | "asked_with_logit_bias";
  readonly nationality: string | undefined;
  /** Of the first attempt, the second, and so on. */
  readonly faults: readonly Fault[];
  /** An order that comes while the first attempt is under way: before its answer, or between the answer's head and body. */
  readonly meanwhile:
    | { readonly cutsOff: "what serves" | "what is left" | RevocationScope; readonly isMidway: boolean }
    | undefined;
  /** Whether it goes on from the last response of its tenant that an upstream keeps. */
  readonly goesOn: boolean;
}

export type Step =
  | { readonly kind: "ask"; readonly together: readonly Ask[] }
  | { readonly kind: "order"; readonly scope: RevocationScope; readonly days: number | undefined }
  /** Takes every order back, quarantines among them. */
  | { readonly kind: "restore" }
  | { readonly kind: "pass"; readonly days: number };

const scope: fc.Arbitrary<RevocationScope> = fc.oneof(
  fc.constantFrom(...modelIds).map((model) => ({ model })),
  fc.constantFrom("one", "two", "three").map((region) => ({ region })),
  fc.constantFrom("SG", "JP", "US", "DE").map((country) => ({ country })),
  fc.constantFrom("SG", "US", "CN").map((tenantCountry) => ({ tenantCountry, model: "gpt-a" })),
  fc.constantFrom("one/a1", "two/a2", "three/b1").map((deployment) => ({ deployment })),
  fc.constant({ tenant: "tenant_1", tier: "frontier" }),
);

const ask: fc.Arbitrary<Ask> = fc
  .record({
    tenant: fc.nat(1),
    model: fc.constantFrom(...modelIds, "gpt-a", "gpt-a-alias", "claude-a"),
    stored: fc.boolean(),
    stream: fc.boolean(),
    hostedTools: fc.constantFrom<Ask["hostedTools"]>([], [], [], [], [], [], [], [], ["web_search"], ["mcp"]),
    logProbabilities: fc
      .tuple(fc.nat(2), fc.nat(3))
      .map(([asks, shifts]) => (asks > 0 ? "none" : shifts > 0 ? "asked" : "asked_with_logit_bias")),
    nationality: fc.constantFrom(undefined, "SG", "US", "RU", "XX"),
    faults: fc.array(faults, { minLength: 3, maxLength: 3 }),
    meanwhile: fc.oneof(
      { weight: 3, arbitrary: fc.constant(undefined) },
      {
        weight: 1,
        arbitrary: fc.record({
          cutsOff: fc.oneof(scope, fc.constantFrom("what serves" as const, "what is left" as const)),
          isMidway: fc.boolean(),
        }),
      },
    ),
    goesOn: fc.nat(3).map((number) => number === 0),
    odd: fc.nat(11).map((number) => number === 0),
  })
  .map(({ stored, odd, ...rest }) => {
    const ofMaker = rest.model.startsWith("claude") !== odd ? "messages" : stored ? "responses" : "chat.completions";
    return { ...rest, surface: ofMaker, goesOn: rest.goesOn && ofMaker === "responses" };
  });

export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.array(ask, { minLength: 1, maxLength: 2 }).map((together): Step => ({ kind: "ask", together })) },
    {
      weight: 1,
      arbitrary: fc.tuple(scope, fc.constantFrom(undefined, 1)).map(([of, days]): Step => ({ kind: "order", scope: of, days })),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "restore" }) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }).map((days): Step => ({ kind: "pass", days })) },
  ),
  { minLength: 4, maxLength: 12 },
);
