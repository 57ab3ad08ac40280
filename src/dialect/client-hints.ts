/** What of the client's request an upstream needs beside the body. Everything else stays here. */
export interface ClientHints {
  /** Azure's `api-version` as the client asked for it. */
  readonly apiVersion: string | undefined;
  readonly anthropicVersion: string | undefined;
  readonly anthropicBeta: string | undefined;
  readonly stream: boolean;
}
