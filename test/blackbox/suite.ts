import { afterAll, afterEach, beforeAll, describe } from "vitest";
import { anthropicCalls } from "./calls/anthropic.ts";
import { azureCalls } from "./calls/azure.ts";
import { audited } from "./calls/audited.ts";
import { bodies, bodyLimitBytes } from "./calls/bodies.ts";
import { brokenAnswers } from "./calls/broken-answers.ts";
import type { Context, Guarantees } from "./calls/context.ts";
import { control } from "./calls/control.ts";
import { digestKeys } from "./calls/digest-keys.ts";
import { keyHeaders } from "./calls/keys.ts";
import { faults, shortDeadlines } from "./calls/faults.ts";
import { hangUps } from "./calls/hang-up.ts";
import { limits } from "./calls/limits.ts";
import { receiptLog } from "./calls/log.ts";
import { openaiCalls } from "./calls/openai.ts";
import { paths } from "./calls/paths.ts";
import { places } from "./calls/places.ts";
import { policies } from "./calls/policies.ts";
import { receipts } from "./calls/receipts.ts";
import { refusals } from "./calls/refusals.ts";
import { responsesCalls } from "./calls/responses.ts";
import { retention } from "./calls/retention.ts";
import { revocation } from "./calls/revocation.ts";
import { secrets } from "./calls/secrets.ts";
import { usage } from "./calls/usage.ts";
import { catalogue } from "./harness/catalogue.ts";
import type { GatewaySettings, StartGateway } from "./harness/gateway-under-test.ts";
import { Operator } from "./harness/operator.ts";

const startMs = 90_000;

/** What every gateway does for its clients, whatever it runs on: the official SDKs over sockets against a process. */
export function blackBoxSuite(runtime: string, start: StartGateway, guarantees: Guarantees): void {
  // On a machine that does other things as well, a test is slow; what must be fast says so itself.
  describe(`Strait on ${runtime}`, { timeout: 20_000 }, () => {
    describe("with its ordinary settings", () => {
      const context = running(start);
      openaiCalls(context);
      azureCalls(context);
      anthropicCalls(context);
      responsesCalls(context);
      keyHeaders(context);
      paths(context);
      places(context, guarantees);
      receipts(context);
      receiptLog(context);
      digestKeys(context);
      audited(context);
      control(context);
      limits(context);
      usage(context);
      refusals(context);
      revocation(context);
      hangUps(context, guarantees.noticesEarlyHangUp);
    });

    describe("with short deadlines", () => {
      const context = running(start, { environment: shortDeadlines });
      faults(context);
      brokenAnswers(context);
    });

    describe("with real credentials", () => {
      secrets(start, startMs);
    });

    describe("with signed policies", () => {
      policies(start, startMs);
    });

    describe("started again after years", () => {
      retention(start, startMs);
    });

    describe("with a small limit on bodies", () => {
      bodies(running(start, { environment: { STRAIT_BODY_LIMIT_BYTES: String(bodyLimitBytes) } }));
    });
  });
}

/** One gateway for the tests of a `describe`, stopped whatever happens. */
function running(start: StartGateway, settings?: GatewaySettings): () => Context {
  let context: Context | undefined;
  beforeAll(async () => {
    const gateway = await start(settings);
    const operator = new Operator(gateway);
    context = { gateway, operator, tenant: await operator.addTenant() };
  }, startMs);
  afterEach(() => {
    for (const id of catalogue.regions.keys()) context?.gateway.faults(id, []);
  });
  afterAll(() => context?.gateway.stop(), startMs);
  return () => {
    if (context === undefined) throw new Error("the gateway was not started");
    return context;
  };
}
