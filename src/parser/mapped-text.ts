import type { Span } from '../base/errors.ts';
import type { Token } from './tokens.ts';
import type { MappedText } from './statements.ts';

/** `length` characters of a text from `at` on, made from the stretch `origin` of another. */
interface Segment {
  readonly at: number;
  readonly length: number;
  readonly origin: Span;
}

/**
 * Where the character at `offset` comes from. Within a segment of equal length the mapping is exact; in any other its
 * first character maps to the first of the origin and its last to the last, so that a span over it covers it all.
 */
function originIn(segments: readonly Segment[], offset: number): number | undefined {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle]?.at ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  const segment = segments[low - 1];
  if (segment === undefined || offset >= segment.at + segment.length) return undefined;
  const { start, end } = segment.origin;
  const into = offset - segment.at;
  if (end - start === segment.length) return start + into;
  const last = Math.max(start, end - 1);
  return into > 0 && into === segment.length - 1 ? last : Math.min(start + into, last);
}

class Builder {
  private readonly parts: string[] = [];
  private readonly segments: Segment[] = [];
  private length = 0;

  add(text: string, origin: Span): void {
    if (text === '') return;
    this.segments.push({ at: this.length, length: text.length, origin });
    this.parts.push(text);
    this.length += text.length;
  }

  build(span: Span, end: number, through: (offset: number) => number): MappedText {
    const { segments } = this;
    const text = this.parts.join('');
    return { text, span, origin: (offset) => through(originIn(segments, offset) ?? end) };
  }
}

/** DuckDB text of tokens, in their order, each with the gap that the script has before it. */
export function renderTokens(script: string, tokens: readonly Token[], span: Span): MappedText {
  const builder = new Builder();
  let previous: Token | undefined;
  for (const token of tokens) {
    if (previous !== undefined) {
      const gap = plainSpaces(script.slice(token.gap.start, token.gap.end));
      if (gap !== '') builder.add(gap, token.gap);
      else if (wouldGlue(previous, token)) builder.add(' ', { start: token.span.start, end: token.span.start });
    }
    builder.add(token.text, token.span);
    previous = token;
  }
  return builder.build(span, span.end, (offset) => offset);
}

/** DuckDB reads typographic spaces as one byte less each, which shifts the positions it reports. */
const plainSpaces = (gap: string): string => gap.replaceAll(/[^\S \t\n\r\f]/g, ' ');

function wouldGlue(left: Token, right: Token): boolean {
  if (left.span.end === right.span.start) return false;
  const wordy = /[\w$"'\u0080-\uFFFF]/;
  const symbolic = /[-+*/%^&|~<>=!@#:.]/;
  const a = left.text.at(-1) ?? '';
  const b = right.text.charAt(0);
  return (wordy.test(a) && wordy.test(b)) || (symbolic.test(a) && symbolic.test(b));
}

/** A stretch of a text and what goes in its place. */
export interface Replacement extends Span {
  readonly text: string;
}

/** The text with stretches of it replaced; they may not overlap. What replaces a stretch points to all of it. */
export function replaceSpans(mapped: MappedText, replacements: readonly Replacement[]): MappedText {
  const builder = new Builder();
  let at = 0;
  for (const { start, end, text } of [...replacements].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start < at) throw new RangeError(`replacements overlap at ${start}`);
    builder.add(mapped.text.slice(at, start), { start: at, end: start });
    builder.add(text, { start, end });
    at = end;
  }
  builder.add(mapped.text.slice(at), { start: at, end: mapped.text.length });
  return builder.build(mapped.span, mapped.text.length, (offset) => mapped.origin(offset));
}

/** Text that stands for itself: each offset maps to itself. For SQL that has no script around it. */
export function plainText(text: string): MappedText {
  return { text, span: { start: 0, end: text.length }, origin: (offset) => Math.min(offset, text.length) };
}
