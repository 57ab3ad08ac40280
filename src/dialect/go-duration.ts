/**
 * A duration as Go's `time.Duration` prints it, which is what OpenAI's reset headers hold: `547ms`, `1s`, `6m0s`,
 * `2m52.8s`. Whole milliseconds, rounded up: a client that comes back at the time it was told must not be early.
 */
export function goDuration(durationMs: number): string {
  const ms = Math.max(0, Math.ceil(durationMs));
  if (ms === 0) return "0s";
  if (ms < 1_000) return `${ms}ms`;
  const wholeSeconds = Math.floor(ms / 1_000);
  const hours = Math.floor(wholeSeconds / 3_600);
  const minutes = Math.floor(wholeSeconds / 60) % 60;
  const fraction = ms % 1_000;
  const decimals = fraction === 0 ? "" : `.${String(fraction).padStart(3, "0").replace(/0+$/, "")}`;
  const seconds = `${wholeSeconds % 60}${decimals}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
