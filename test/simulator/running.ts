import { onTestFinished } from "vitest";
import type { Entropy } from "../../src/clock.ts";
import { startSimulator, type RunningSimulator, type SimulatorOptions } from "../../src/runtime/node/simulator-server.ts";
import type { RegionProfile } from "../../src/simulator/profile.ts";
import type { Fault } from "../../src/simulator/faults.ts";

export const azureRegion: RegionProfile = {
  id: "swedencentral",
  wire: "azure",
  displayName: "Sweden Central",
  country: "SE",
  deployments: [
    { name: "our-gpt", model: "gpt-4.1", tokensPerMinute: 10_000 },
    { name: "our-embedding", model: "text-embedding-3-large", surfaces: new Set(["embeddings"]) },
  ],
};

export const openaiRegion: RegionProfile = {
  id: "openai-eu",
  wire: "openai",
  displayName: "OpenAI EU",
  country: "IE",
  deployments: [
    { name: "gpt-4.1", model: "gpt-4.1" },
    { name: "text-embedding-3-small", model: "text-embedding-3-small" },
  ],
};

export const secondOpenaiRegion: RegionProfile = { ...openaiRegion, id: "openai-us", country: "US", displayName: "OpenAI US" };

export const anthropicRegion: RegionProfile = {
  id: "anthropic-us",
  wire: "anthropic",
  displayName: "Anthropic US",
  country: "US",
  credential: "the-right-key",
  deployments: [{ name: "claude-simulated", model: "claude-simulated", inferenceGeo: "us" }],
};

export const allRegions: readonly RegionProfile[] = [azureRegion, openaiRegion, secondOpenaiRegion, anthropicRegion];

/** Bytes that look random and are the same in every run. */
export function seededEntropy(seed: number): Entropy {
  let state = seed;
  return {
    bytes(count) {
      return Uint8Array.from({ length: count }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state >>> 24;
      });
    },
  };
}

/** A simulator on a real socket for the length of one test. */
export async function running(options: Partial<SimulatorOptions> = {}): Promise<RunningSimulator> {
  const simulator = await startSimulator({ profiles: allRegions, entropy: seededEntropy(1), ...options });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** A chat request to the OpenAI region, without an SDK in between. */
export function chat(url: string, fields: Readonly<Record<string, unknown>> = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}/openai-eu/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: "Bearer any" },
    body: JSON.stringify({ model: "gpt-4.1", messages: [{ role: "user", content: "hello" }], ...fields }),
    redirect: "manual",
    ...init,
  });
}

export function putFaults(url: string, regionId: string, faults: readonly Fault[]): Promise<Response> {
  return fetch(`${url}/${regionId}/_faults`, { method: "PUT", body: JSON.stringify({ faults }) });
}

/** The data of every complete event; `[DONE]` stays text. */
export function eventsOf(text: string): readonly unknown[] {
  return text
    .split("\n\n")
    .filter((block) => block !== "")
    .map((block) => {
      const data = block.replace(/^event: .*\n/, "").replace(/^data: /, "");
      return data === "[DONE]" ? data : (JSON.parse(data) as unknown);
    });
}
