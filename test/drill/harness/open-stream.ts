import { request, type Agent } from "undici";
import { requestBody, type DrillRequest } from "./drill-request.ts";

/** One streamed answer, as its client sees it while it runs. Times by `performance.now()`. */
export interface OpenStream {
  status: number | undefined;
  /** When it was asked for. */
  readonly beganMs: number;
  /** When the last piece with content came. */
  lastContentMs: number | undefined;
  /** When its connection ended, well or not. */
  endedMs: number | undefined;
  /** The tail of what came. */
  tail: string;
  readonly over: Promise<void>;
}

const tailLength = 600;

export function openStream(agent: Agent, url: string, key: string, model: string, asked: DrillRequest): OpenStream {
  const read = async (): Promise<void> => {
    try {
      const answer = await request(`${url}/v1/chat/completions`, {
        method: "POST",
        dispatcher: agent,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: requestBody({ ...asked, stream: true }, model),
      });
      stream.status = answer.statusCode;
      for await (const piece of answer.body) {
        const text = String(piece);
        stream.tail = `${stream.tail}${text}`.slice(-tailLength);
        if (text.includes('"content":" pass"')) stream.lastContentMs = performance.now();
      }
    } catch (error) {
      stream.tail = `${stream.tail}\n${String(error)}`.slice(-tailLength);
    } finally {
      stream.endedMs = performance.now();
    }
  };
  const stream: OpenStream = {
    status: undefined,
    beganMs: performance.now(),
    lastContentMs: undefined,
    endedMs: undefined,
    tail: "",
    over: Promise.resolve(),
  };
  return Object.assign(stream, { over: read() });
}
