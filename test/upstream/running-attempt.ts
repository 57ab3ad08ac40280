import type { HeaderList } from "../../src/edge.ts";
import { Lifetime } from "../../src/lifetime.ts";
import type { Deployment, Surface } from "../../src/region/catalogue.ts";
import type { Answer } from "../../src/upstream/answer.ts";
import type { AttemptResult } from "../../src/upstream/attempt-result.ts";
import { attempt } from "../../src/upstream/attempt.ts";
import type { BodyEnd } from "../../src/upstream/body.ts";
import { ServedPlace } from "../../src/upstream/served-place.ts";
import type { UpstreamRequest } from "../../src/upstream/transport.ts";
import { deployment } from "../support/catalogue.ts";
import { permitFor } from "../support/permits.ts";
import { bytesOf } from "../support/chunks.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { RecordingOutbound } from "../support/recording-outbound.ts";
import { ScriptedTransport, type ScriptedCall } from "../support/scripted-transport.ts";

export const deadlines = { connectMs: 100, firstByteMs: 1_000, idleMs: 2_000, totalMs: 60_000, holdMs: 500 };
export const bounds = { holdBytes: 4_096, maxEventBytes: 8_192 };
export const keepAlive: Uint8Array = bytesOf(": keep-alive\n\n");
export const keepAliveMs = 300;
export const lingerMs = 200;

const request: UpstreamRequest = {
  method: "POST",
  origin: "https://up.test",
  path: "/v1/chat/completions",
  headers: [],
  body: bytesOf("{}"),
};

export interface RunOptions {
  readonly surface?: Surface;
  readonly showUsage?: boolean;
  readonly method?: UpstreamRequest["method"];
  /** The deployment that is asked. */
  readonly tried?: Deployment;
}

/** One attempt with both of its ends in a test's hands, its answer relayed as an exchange does. */
export class RunningAttempt {
  readonly clock: FakeClock = new FakeClock();
  readonly transport: ScriptedTransport = new ScriptedTransport();
  readonly life: Lifetime = new Lifetime();
  readonly outbound: RecordingOutbound = new RecordingOutbound();
  readonly results: AttemptResult[] = [];
  readonly ends: BodyEnd[] = [];
  answer: Answer | undefined;
  readonly place: ServedPlace;

  constructor({ surface = "chat.completions", showUsage = true, method = "POST", tried = deployment("one") }: RunOptions = {}) {
    this.place = new ServedPlace(tried, surface, {
      standing: () => permitFor([tried]),
      permitOf: () => undefined,
      serving: () => undefined,
    });
    void this.#run(surface, showUsage, method);
  }

  get call(): ScriptedCall {
    return this.transport.last;
  }

  get result(): AttemptResult | undefined {
    return this.results[0];
  }

  get end(): BodyEnd | undefined {
    return this.ends[0];
  }

  /** Head and first pieces, with promises settled between them. */
  async begin(status: number, headers: HeaderList, ...pieces: readonly string[]): Promise<this> {
    this.call.connected().head(status, headers);
    for (const piece of pieces) this.call.data(piece);
    await settled();
    return this;
  }

  async #run(surface: Surface, showUsage: boolean, method: UpstreamRequest["method"]): Promise<void> {
    const settings = { clock: this.clock, transport: this.transport, deadlines, bounds };
    const result = await attempt({ ...request, method }, surface, showUsage, this.place, this.life, settings);
    this.results.push(result);
    if (result.kind === "answering") await this.#relay(result.answer);
  }

  async #relay(answer: Answer): Promise<void> {
    this.answer = answer;
    if (!answer.whole) this.outbound.head(answer.status, []);
    const end = await answer.relay(this.outbound, this.life, {
      clock: this.clock,
      idleMs: deadlines.idleMs,
      keepAliveMs,
      lingerMs,
      keepAlive,
    });
    this.ends.push(end);
    this.outbound.finishing = true;
    if (this.outbound.status === undefined) this.outbound.head(answer.status, []);
    for (const piece of answer.remainder()) this.outbound.write(piece);
    if (end.end === "completed") this.outbound.end();
    else this.outbound.cut();
  }
}
