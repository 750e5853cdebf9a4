import type { Span } from '../base/errors.ts';
import type { ExpectedBlock } from './test-file.ts';

/** Reads the comment lines that follow the statement which ends at `end`, from the next line on up to one that is none. */
export function readBlock(text: string, end: number): ExpectedBlock {
  const lineEnd = endOfLine(text, end);
  const lines: string[] = [];
  let at = lineEnd;
  while (text.startsWith('--', at + 1)) {
    const close = endOfLine(text, at + 1);
    lines.push(contentOf(text.slice(at + 1, close)));
    at = close;
  }
  const start = Math.min(lineEnd + 1, text.length);
  return lines.length === 0
    ? { lines: undefined, span: { start: lineEnd, end: lineEnd } }
    : { lines, span: { start, end: at } };
}

const contentOf = (line: string): string => line.replace(/^-- ?/, '').trimEnd();

function endOfLine(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found === -1 ? text.length : found;
}

/** A block to be put in the place of another. */
export interface Refill {
  readonly block: ExpectedBlock;
  readonly lines: readonly string[];
}

/** The text with the blocks refilled, and everything else as it was. */
export function refill(text: string, refills: readonly Refill[]): string {
  const byPlace = [...refills].sort((a, b) => b.block.span.start - a.block.span.start);
  return byPlace.reduce((result, { block, lines }) => splice(result, block, lines), text);
}

function splice(text: string, block: ExpectedBlock, lines: readonly string[]): string {
  const { start, end }: Span = block.span;
  const written = lines.map((line) => (line === '' ? '--' : `-- ${line}`)).join('\n');
  return text.slice(0, start) + (block.lines === undefined ? `\n${written}` : written) + text.slice(end);
}
