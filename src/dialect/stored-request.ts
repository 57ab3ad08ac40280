import type { Surface } from "../region/catalogue.ts";
import type { ModelRequest } from "./model-request.ts";

/** A call to a stored response has no body: it asks for nothing that costs. */
export function storedRequest(surface: Surface, query: string): ModelRequest {
  return {
    surface,
    stored: true,
    model: "",
    stream: new URLSearchParams(query).get("stream") === "true",
    includeUsage: true,
    maxOutputTokens: 0,
    choices: 0,
    previousResponseId: undefined,
    endUser: undefined,
    prompt: { asciiBytes: 0, otherBytes: 0, images: 0 },
    extractsWeights: false,
    logProbabilities: false,
    hostedTools: [],
    bodyFor: () => new Uint8Array(0),
    release: () => undefined,
  };
}
