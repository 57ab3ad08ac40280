import { controlPath } from "../../../control/control-path.ts";
import type { ProblemDocument } from "../../../control/problem.ts";
import { exitCodes, Failure } from "./failure.ts";

const answerMs = 30_000;

export interface ClientAnswer<Shape> {
  readonly document: Shape;
  readonly etag: string | undefined;
}

export interface ClientRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below `/control/v1`, parts already encoded. */
  readonly path: string;
  readonly body?: unknown;
  readonly ifMatch?: string | undefined;
  /** How long the answer is waited for, where it may take long. */
  readonly waitMs?: number;
}

/** The operators' API over `fetch`. Whatever is not a success is a `Failure` with its exit code. */
export class ControlClient {
  readonly #url: string;
  readonly #operatorKey: string;

  constructor(url: string, operatorKey: string) {
    this.#url = url;
    this.#operatorKey = operatorKey;
  }

  /** The document is what the API's own schema says; this client is of the same version and does not check it again. */
  async send<Shape>({ method, path, body, ifMatch, waitMs = answerMs }: ClientRequest): Promise<ClientAnswer<Shape>> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.#operatorKey}`, accept: "application/json" };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (ifMatch !== undefined) headers["if-match"] = ifMatch;
    const init: RequestInit = { method, headers, redirect: "manual", signal: AbortSignal.timeout(waitMs) };
    if (body !== undefined) init.body = JSON.stringify(body);
    const { response, text } = await this.#fetch(`${this.#url}${controlPath}${path}`, init);
    const document = parsed(text);
    if (!response.ok || document === undefined) throw refused(response.status, document, this.#url);
    return { document: document as Shape, etag: response.headers.get("etag") ?? undefined };
  }

  /** A long answer, piece by piece as it comes and only as fast as it is taken. Breaks off with a `Failure`. */
  async *stream(path: string): AsyncGenerator<Uint8Array, void> {
    const headers = { authorization: `Bearer ${this.#operatorKey}` };
    const response = await this.#reach(() => fetch(`${this.#url}${controlPath}${path}`, { headers, redirect: "manual" }));
    if (!response.ok || response.body === null)
      throw refused(response.status, parsed(await this.#reach(() => response.text())), this.#url);
    try {
      yield* response.body;
    } catch (error) {
      throw new Failure(exitCodes.unreachable, `The answer broke off (${reason(error)}).`);
    }
  }

  #fetch(url: string, init: RequestInit): Promise<{ response: Response; text: string }> {
    return this.#reach(async () => {
      const response = await fetch(url, init);
      return { response, text: await response.text() };
    });
  }

  async #reach<Result>(call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (error) {
      const message = `Strait cannot be reached at ${this.#url} (${reason(error)}). Is it started? Another address goes in --url or STRAIT_URL.`;
      throw new Failure(exitCodes.unreachable, message);
    }
  }
}

function refused(status: number, document: unknown, url: string): Failure {
  if (!isProblem(document)) {
    return new Failure(
      exitCodes.failed,
      `${url} answered ${status}, and not as Strait's operators' API does. Does --url point at Strait?`,
    );
  }
  const lines = [`${document.title}: ${document.detail}`];
  for (const { pointer, parameter, detail } of document.problems ?? []) {
    const where = pointer ?? parameter ?? "";
    // What is wrong with all of the body has no place in it.
    lines.push(where === "" ? `  ${detail}` : `  ${where}: ${detail}`);
  }
  if (status === 401)
    lines.push("The key was read from --operator-key-file, STRAIT_OPERATOR_KEY or STRAIT_DATA_DIR/operator-key, in this order.");
  return new Failure(exitCodes.failed, lines.join("\n"), document);
}

function isProblem(document: unknown): document is ProblemDocument {
  return typeof document === "object" && document !== null && "title" in document && "detail" in document;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The code under `fetch failed`, which alone says nothing. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${answerMs / 1_000} s`;
  const { cause } = error;
  if (cause instanceof Error && "code" in cause) return String(cause.code);
  return cause instanceof Error ? cause.message : error.message;
}
