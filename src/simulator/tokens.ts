/**
 * The simulated tokenizer: one token for every four bytes of UTF-8, rounded up over the whole text. Anybody can work out
 * what a simulated answer must have cost, which is what tests of metering need.
 */
export const bytesPerToken = 4;

export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    // A surrogate pair is two units and four bytes, so each half adds one to its own unit.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

export function tokensOf(text: string): number {
  return Math.ceil(utf8Length(text) / bytesPerToken);
}

/** The longest beginning of `text` that costs no more than `tokens`; no character is cut in two. */
export function firstTokens(text: string, tokens: number): string {
  const limitBytes = tokens * bytesPerToken;
  if (text.length * 3 <= limitBytes) return text;
  let bytes = 0;
  let end = 0;
  for (const character of text) {
    bytes += utf8Length(character);
    if (bytes > limitBytes) return text.slice(0, end);
    end += character.length;
  }
  return text;
}

/** The text in the pieces in which it is streamed: about a token each, never splitting a character. */
export function* pieces(text: string): Generator<string> {
  let start = 0;
  let end = 0;
  let bytes = 0;
  for (const character of text) {
    end += character.length;
    bytes += utf8Length(character);
    if (bytes < bytesPerToken) continue;
    yield text.slice(start, end);
    start = end;
    bytes = 0;
  }
  if (start < end) yield text.slice(start, end);
}
