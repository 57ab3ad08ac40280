import type { SimulatedAnswer, SimulatedCall } from "./call.ts";

export function callOf(request: Request): SimulatedCall {
  const { pathname, search } = new URL(request.url);
  return {
    method: request.method,
    path: pathname,
    query: search.slice(1),
    header: (name) => request.headers.get(name) ?? undefined,
    text: () => request.text(),
    signal: request.signal,
  };
}

/** A client's hang-up shows as the request's signal on one runtime and as the stream's cancel on another: both count. */
export function responseOf({ status, headers, body }: SimulatedAnswer, signal: AbortSignal): Response {
  const shown = new Headers();
  for (let index = 0; index + 1 < headers.length; index += 2) shown.append(headers[index] ?? "", headers[index + 1] ?? "");
  if (body instanceof Uint8Array)
    return new Response(body.length === 0 ? null : new Uint8Array(body), { status, headers: shown });
  const cancel = (): void => body.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener("abort", cancel, { once: true });
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await body.next();
        if (piece !== undefined) return controller.enqueue(piece);
        signal.removeEventListener("abort", cancel);
        controller.close();
      },
      cancel,
    },
    // Nothing is made before it is asked for, so that a slow reader is noticed at once.
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, headers: shown });
}
