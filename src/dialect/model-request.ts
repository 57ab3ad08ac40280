import type { Surface } from "../region/catalogue.ts";
import type { HostedTool } from "../region/policy.ts";

/** The few fields of a body that a decision needs, and the means to send it on with only the model name changed. */
export interface ModelRequest {
  readonly surface: Surface;
  /** The name as the client wrote it; from the path where the path names a deployment. */
  readonly model: string;
  readonly stream: boolean;
  /** Set for a call to an answer that was made before. */
  readonly stored?: boolean;
  /**
   * Whether the client is to see the usage in its stream: asked for by `stream_options.include_usage` in chat and
   * completions, always there in the other surfaces.
   */
  readonly includeUsage: boolean;
  /** The client's own ceiling on output tokens per choice; `undefined` where it names none, 0 where the surface makes none. */
  readonly maxOutputTokens: number | undefined;
  /** How many answers are generated: the larger of `n` and `best_of`, times the prompts of a batch for completions. */
  readonly choices: number;
  readonly previousResponseId: string | undefined;
  /** The end user as the client names it (`safety_identifier`, `user`, `metadata.user_id`). */
  readonly endUser: string | undefined;
  /** The tier of service asked for, which may have rates of its own. */
  readonly serviceTier?: string | undefined;
  /** Measures of the prompt for the estimate; no text. */
  readonly prompt: PromptMeasure;
  /** Set where a combination of fields would extract the model: `logit_bias` with `logprobs`. */
  readonly extractsWeights: boolean;
  /** Whether it asks for the probabilities of tokens. */
  readonly logProbabilities: boolean;
  /** Tools that the upstream would run itself, in alphabetical order, each once. */
  readonly hostedTools: readonly HostedTool[];
  /**
   * The body for an upstream that calls the model `upstreamModel`, on request without what asks for log probabilities; the
   * client's own bytes where nothing changes.
   */
  bodyFor(upstreamModel: string, withoutLogProbabilities?: boolean): Uint8Array;
  /** Lets go of the body: `bodyFor` must not be called any more. */
  release(): void;
}

export interface PromptMeasure {
  readonly asciiBytes: number;
  /** Bytes of characters outside ASCII, as UTF-8. */
  readonly otherBytes: number;
  /** The part of `otherBytes` that is Chinese, Japanese or Korean. */
  readonly cjkBytes?: number;
  readonly images: number;
  /** Bytes of recorded speech, in Base64; they are in none of the above. */
  readonly audioBytes?: number;
  /**
   * Set where the body does not bound the input: it refers to documents elsewhere, continues a stored answer, or lets
   * the upstream run tools of its own. Only the model's context bounds it then.
   */
  readonly unbounded?: boolean;
}
