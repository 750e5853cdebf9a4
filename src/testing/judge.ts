import { position } from '../base/errors.ts';
import { compare, foundLines, type Found } from './compare.ts';
import type { DiffLine } from './diff.ts';
import type { Refill } from './expected-block.ts';
import type { Paint } from './report.ts';
import { runCase } from './run-case.ts';
import type { Slicing } from './slicing.ts';
import type { Expect, TestCase, TestFile } from './test-file.ts';

/** What became of a case in one slicing. */
export interface Verdict {
  readonly slicing: Slicing;
  readonly problems: readonly Problem[];
  /** Blocks to be written, where that was asked for. */
  readonly refills: readonly Refill[];
  /** Whether another slicing could change anything: the case feeds rows, or changes a table. */
  readonly sliceable: boolean;
}

export interface Problem {
  lines(file: TestFile, style: Paint): readonly string[];
}

/** Runs the case and holds what its expectations found against their blocks. */
export async function judge(file: TestFile, test: TestCase, slicing: Slicing, update: boolean): Promise<Verdict> {
  const { found, problem } = await runCase(file, test, slicing);
  const problems: Problem[] = [];
  const refills: Refill[] = [];
  for (const { expect, found: what } of found) {
    const lines = compare(expect.block.lines ?? [], what);
    if (lines === undefined && expect.block.lines !== undefined) continue;
    if (update) refills.push({ block: expect.block, lines: foundLines(what) });
    else problems.push(expect.block.lines === undefined ? unwritten(expect, what) : difference(expect, lines ?? []));
  }
  if (problem !== undefined)
    problems.push({ lines: () => problem.text.split('\n').map((line) => printable(`  ${line}`)) });
  return {
    slicing,
    problems,
    refills,
    sliceable: test.steps.some((step) => step.kind === 'feed' || step.kind === 'change'),
  };
}

function unwritten(expect: Expect, found: Found): Problem {
  const lines = foundLines(found).map((text): DiffLine => ({ mark: '+', text }));
  return shown(expect, 'nothing is written below this EXPECT; --update fills it in', lines);
}

const difference = (expect: Expect, lines: readonly DiffLine[]): Problem => shown(expect, '- expected, + found', lines);

function shown(expect: Expect, about: string, diff: readonly DiffLine[]): Problem {
  return {
    lines: (file, style) => {
      const { line } = position(file.text, expect.span.start);
      const first = file.text.slice(expect.span.start, expect.span.end).split('\n')[0] ?? '';
      return [
        `  ${file.name}:${line}: ${first}`,
        `  ${style.dim(about)}`,
        ...diff.map(({ mark, text }) => {
          const whole = printable(`    ${mark} ${text}`.trimEnd());
          return mark === '-' ? style.red(whole) : mark === '+' ? style.green(whole) : whole;
        }),
      ];
    },
  };
}

/** Data may stand in a message: nothing of it is to steer a terminal. */
const printable = (line: string): string => line.replaceAll(/\p{Cc}/gu, '\u{FFFD}');
