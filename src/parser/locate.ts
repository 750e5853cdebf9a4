import type { Span } from '../base/errors.ts';
import type { MappedText } from './statements.ts';
import { tokenize, type Token } from './tokens.ts';

/** The span in the script of the token at a byte offset of `mapped.text` in UTF-8: DuckDB's binder counts so. */
export function fromBytes(mapped: MappedText, byteOffset: number): Span {
  return fromOffset(mapped, Buffer.from(mapped.text).subarray(0, byteOffset).toString().length);
}

/** The span in the script of the token at an offset of `mapped.text` in code points: DuckDB's parser counts so. */
export function fromCodePoints(mapped: MappedText, offset: number): Span {
  return fromOffset(mapped, Array.from(mapped.text).slice(0, offset).join('').length);
}

/** The span in the script of the token at an offset of `mapped.text` in UTF-16; a dotted name counts as one. */
function fromOffset(mapped: MappedText, offset: number): Span {
  if (offset >= mapped.text.length) return { start: mapped.span.end, end: mapped.span.end };
  const { start, end } = tokenSpan(mapped.text, offset);
  return toScript(mapped, { start, end });
}

/** The stretch of the script behind a stretch of `mapped.text`. */
export function toScript(mapped: MappedText, span: Span): Span {
  const start = mapped.origin(span.start);
  const last = mapped.origin(Math.max(span.start, span.end - 1));
  return { start, end: Math.max(last, start) + 1 };
}

function tokenSpan(text: string, offset: number): Span {
  const tokens = tokenize(text);
  const at = tokens.findIndex((token) => token.span.end > offset);
  const token = tokens[at];
  if (token === undefined) return { start: offset, end: offset + 1 };
  let end = token.span.end;
  for (let i = at; isName(tokens[i]) && tokens[i + 1]?.key === '.' && isName(tokens[i + 2]); i += 2) {
    end = tokens[i + 2]?.span.end ?? end;
  }
  return { start: token.span.start, end };
}

const isName = (token: Token | undefined): boolean => token?.kind === 'word' || token?.kind === 'quoted';
