import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import type { Refusal } from "./refusal.ts";
import { attribute } from "./trace-names.ts";

/** One step of an exchange, as a child span; or nothing at all under a root that is not recorded. */
export interface Step {
  set(attributes: Attributes): void;
  end(refusal?: Refusal): void;
  fail(errorType: string): void;
}

const unrecorded: Step = { set() {}, end() {}, fail() {} };

/**
 * The spans of one exchange: a server span that lives as long as the answer's body, and its steps.
 *
 * The trust boundary starts a new trace: a client's `traceparent` becomes a link, and its baggage goes nowhere. Under an
 * unsampled root no child is made: that alone was a fifth of a bare proxy's cost.
 */
export class ExchangeTrace {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #context: Context;
  readonly recording: boolean;
  /** `undefined` where no SDK is installed. */
  readonly traceId: string | undefined;

  private constructor(tracer: Tracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    this.recording = span.isRecording();
    this.#context = this.recording ? trace.setSpan(ROOT_CONTEXT, span) : ROOT_CONTEXT;
    const { traceId } = span.spanContext();
    this.traceId = /^0*$/.test(traceId) ? undefined : traceId;
  }

  static start(tracer: Tracer, method: string, route: string, traceparent: string | undefined): ExchangeTrace {
    const link = traceparent === undefined ? undefined : linkTo(traceparent);
    const span = tracer.startSpan(
      `${method} ${route}`,
      { kind: SpanKind.SERVER, root: true, ...(link === undefined ? {} : { links: [link] }) },
      ROOT_CONTEXT,
    );
    const exchange = new ExchangeTrace(tracer, span);
    if (exchange.recording) span.setAttributes({ [attribute.httpMethod]: method, [attribute.httpRoute]: route });
    return exchange;
  }

  set(attributes: () => Attributes): void {
    if (this.recording) this.#span.setAttributes(attributes());
  }

  event(name: string, attributes: Attributes): void {
    if (this.recording) this.#span.addEvent(name, attributes);
  }

  step(name: string, kind: SpanKind = SpanKind.INTERNAL): Step {
    if (!this.recording) return unrecorded;
    const span = this.#tracer.startSpan(name, { kind }, this.#context);
    return {
      set: (attributes) => span.setAttributes(attributes),
      end: (refusal) => {
        if (refusal !== undefined) span.setAttributes({ [attribute.refusal]: refusal.kind });
        span.end();
      },
      fail: (errorType) => {
        span.setAttributes({ [attribute.errorType]: errorType });
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
      },
    };
  }

  /** A refused request is no error of a server's; a status of 500 and above is, and so is an answer cut short. */
  end(status: number | undefined, errorType: string | undefined): void {
    if (this.recording) {
      if (status !== undefined) this.#span.setAttributes({ [attribute.httpStatus]: status });
      if (errorType !== undefined) {
        this.#span.setAttributes({ [attribute.errorType]: errorType });
        if (status === undefined || status >= 500 || status < 400) this.#span.setStatus({ code: SpanStatusCode.ERROR });
      }
    }
    this.#span.end();
  }
}

const traceparentPattern = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

function linkTo(traceparent: string): Link | undefined {
  const [, traceId, spanId, flags] = traceparentPattern.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { context: { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true } };
}
