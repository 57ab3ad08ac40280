import type { ModelRequest } from "../dialect/model-request.ts";
import { PromptCalibration } from "./calibration.ts";
import type { Learned } from "./estimate.ts";
import { RecentOutputs } from "./recent-outputs.ts";

/** As far as the upstream reported it. */
export interface ReportedTokens {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

/**
 * What this process has learnt from the requests that it settled. Kept nowhere: a new process begins with the worst case,
 * and after some hundred requests a model it knows as much as the one before.
 */
export class Learning implements Learned {
  readonly prompts: PromptCalibration = new PromptCalibration();
  readonly outputs: RecentOutputs = new RecentOutputs();

  /** Takes in a settled request's usage, of an answer that the upstream completed and counted itself. */
  learn(tenantId: string, model: string, request: ModelRequest, usage: ReportedTokens): void {
    const { prompt } = request;
    const isTextAlone =
      prompt.images === 0 &&
      (prompt.audioBytes ?? 0) === 0 &&
      prompt.unbounded !== true &&
      request.previousResponseId === undefined;
    if (isTextAlone && usage.inputTokens !== undefined) this.prompts.learn(model, prompt, usage.inputTokens);
    // An answer that a ceiling of the client's may have cut says nothing of those that have none.
    if (request.maxOutputTokens === undefined && usage.outputTokens !== undefined) {
      this.outputs.learn(tenantId, model, Math.ceil(usage.outputTokens / Math.max(1, request.choices)));
    }
  }
}
