/** One request of a drill. Its marker travels as `user`, so that client, upstream and receipt can be told to be the same. */
export interface DrillRequest {
  readonly marker: string;
  readonly stream: boolean;
  /** The client's own ceiling on output. */
  readonly maxOutputTokens: number;
}

const prompt = "The strait is narrow and the current runs fast. ".repeat(8);
/** Less than any hold for this prompt. */
const mostPromptTokens = Math.floor(prompt.length / 4);

/** Every other one streams, and their ceilings differ. Markers are equally long, so that holds differ by the ceilings alone. */
export function drillRequest(name: string, number: number): DrillRequest {
  return {
    marker: `${name}-${String(number).padStart(7, "0")}`,
    stream: number % 2 === 0,
    maxOutputTokens: 100 + ((number * 37) % 400),
  };
}

export function requestBody({ marker, stream, maxOutputTokens }: DrillRequest, model: string): string {
  return JSON.stringify({
    model,
    stream,
    messages: [{ role: "user", content: prompt }],
    max_completion_tokens: maxOutputTokens,
    user: marker,
  });
}

/** As the upstream gets it: with the name by which it is to answer, since a gateway takes one that answers by another out of use. */
export interface ReceivedRequest extends DrillRequest {
  readonly model: string;
}

export function readDrillRequest(body: string): ReceivedRequest {
  const {
    model = "",
    user,
    stream,
    max_completion_tokens: maxOutputTokens,
  } = JSON.parse(body) as {
    model?: string;
    user?: string;
    stream?: boolean;
    max_completion_tokens?: number;
  };
  if (user === undefined || maxOutputTokens === undefined) throw new Error("this is no request of a drill");
  return { model, marker: user, stream: stream === true, maxOutputTokens };
}

/** What an upstream says that it used: different from one request to the next, the same whoever asks, within any hold. */
export function usageOf({ marker, maxOutputTokens }: DrillRequest): {
  readonly promptTokens: number;
  readonly outputTokens: number;
} {
  const number = Number(marker.slice(marker.lastIndexOf("-") + 1));
  return { promptTokens: mostPromptTokens - (number % 37), outputTokens: 1 + ((number * 7_919) % maxOutputTokens) };
}
