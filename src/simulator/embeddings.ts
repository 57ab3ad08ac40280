import { invalidRequest, missingParameter, type UpstreamError } from "./errors.ts";
import type { Reply, SimulatedExchange, StreamError } from "./exchange.ts";
import { countIn } from "./json.ts";
import { measurePrompt } from "./prompt.ts";
import { dataEvent } from "./sse.ts";

const greatestBatch = 2048;

/** `POST …/embeddings`: equal inputs have equal vectors of length 1, and that is all they mean. */
export function embeddings(exchange: SimulatedExchange): Reply | UpstreamError {
  const { body, servedModel } = exchange;
  const inputs = inputsOf(body["input"]);
  if (inputs === undefined) return missingParameter(exchange.wire, "input");
  if (inputs.length > greatestBatch) return invalidRequest(`'input' holds more than ${greatestBatch} items.`, "input");
  const prompt = measurePrompt({ input: body["input"] });
  const dimensions = countIn(body["dimensions"]) ?? (servedModel.includes("large") ? 3072 : 1536);
  const base64 = body["encoding_format"] === "base64";
  return {
    inputTokens: prompt.tokens,
    outputTokens: 0,
    json: () => ({
      object: "list",
      data: inputs.map((input, index) => {
        const vector = vectorOf(input, dimensions);
        return { object: "embedding", index, embedding: base64 ? base64Of(vector) : [...vector] };
      }),
      model: servedModel,
      usage: { prompt_tokens: prompt.tokens, total_tokens: prompt.tokens },
    }),
    events: () => [],
    failure: ({ type, code, message }: StreamError) => dataEvent({ error: { message, type, param: null, code } }),
    refusal: () => [],
  };
}

/** A text, a list of texts, a list of token numbers (one input), or a list of such lists. */
function inputsOf(input: unknown): readonly string[] | undefined {
  if (typeof input === "string") return [input];
  if (!Array.isArray(input) || input.length === 0) return undefined;
  return typeof input[0] === "number"
    ? [JSON.stringify(input)]
    : input.map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
}

function vectorOf(text: string, dimensions: number): Float32Array {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  const vector = new Float32Array(dimensions);
  let squares = 0;
  // Xorshift stays at 0 for ever once there.
  state = state === 0 ? 1 : state;
  for (let index = 0; index < dimensions; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = state / 0x80000000;
    vector[index] = value;
    squares += value * value;
  }
  const length = Math.sqrt(squares);
  return vector.map((value) => value / length);
}

/** Little-endian whatever the machine: that is what the SDKs decode. */
function base64Of(vector: Float32Array): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [index, value] of vector.entries()) view.setFloat32(index * 4, value, true);
  let binary = "";
  for (let index = 0; index < view.byteLength; index++) binary += String.fromCharCode(view.getUint8(index));
  return btoa(binary);
}
