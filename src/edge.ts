/**
 * What a runtime's edge hands to the core, and what the core hands back. The core never sees a runtime's request or
 * response object: on Node a Web `Response` costs more than half of what the whole proxying does, so there the edge
 * writes straight to the socket, and in workerd it fills a stream.
 */

/** Header names (lower case) and values in turn: `[name, value, name, value]`. The form that both Node and undici take as it is. */
export type HeaderList = readonly string[];

export type BodyRead =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: "too_large" | "cut_off" };

export interface Inbound {
  readonly method: string;
  /** The path as the client sent it, without the query. */
  readonly path: string;
  /** The raw query without `?`; empty where there is none. */
  readonly query: string;
  /** A header by its lower-case name; repeated ones joined by `, `. */
  header(name: string): string | undefined;
  /**
   * The whole body, counted while it is read: past `limitBytes` reading stops and the rest is never buffered. Where
   * the client waits for `100 Continue`, it is told to go on only now.
   */
  body(limitBytes: number): Promise<BodyRead>;
  /** Calls back once if the client goes away before the answer has ended. */
  onHangUp(callback: () => void): void;
}

export interface Outbound {
  /** Status and headers; called exactly once, before any `write`. */
  head(status: number, headers: HeaderList): void;
  /** False where the client reads slower than this is written: wait for `onDrain` before the next write. */
  write(bytes: Uint8Array): boolean;
  /** Calls back each time the client has caught up after a `write` that returned false. */
  onDrain(callback: () => void): void;
  /** Ends the answer in good order, with a last piece where there is one: one system call instead of two. */
  end(last?: Uint8Array): void;
  /** Breaks the connection off, so that a client cannot take what it has for the whole answer. */
  cut(): void;
}

/** Looks a name up in a header list; the first value wins. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index] === name) return headers[index + 1];
  }
  return undefined;
}
