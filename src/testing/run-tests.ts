import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { position, renderError, StreamsqlError } from '../base/errors.ts';
import { refill, type Refill } from './expected-block.ts';
import { judge, type Verdict } from './judge.ts';
import { parseTestFile } from './parse-file.ts';
import { paint, type Paint } from './report.ts';
import { AS_WRITTEN, slicingName, type Slicing } from './slicing.ts';
import type { TestCase, TestFile } from './test-file.ts';

export interface TestOptions {
  /** Rewrites the expected blocks that differ, for review, and nothing else. */
  readonly update: boolean;
  readonly onLine: (text: string) => void;
  readonly color: boolean;
  /** The ways in which each case's epochs are cut, one run each; as written where absent. */
  readonly slicings?: readonly Slicing[];
}

/**
 * Runs the cases of `*.test.sql` files; a folder stands for all in it and below. Says by `onLine` how each file went
 * and shows each difference. Throws FILE_MISSING where a path is not there or holds no test.
 *
 * @example
 * const { failed } = await runTests(['test'], { update: false, onLine: console.log, color: true });
 */
export async function runTests(
  paths: readonly string[],
  options: TestOptions,
): Promise<{ passed: number; failed: number }> {
  const counts = { passed: 0, failed: 0 };
  const style = paint(options.color);
  for (const path of paths.flatMap(testFiles)) {
    const started = performance.now();
    const { passed, problems, updated } = await runFile(path, options, style);
    counts.passed += passed;
    counts.failed += problems.length;
    const ms = Math.round(performance.now() - started);
    const note = updated > 0 ? `, ${updated} ${updated === 1 ? 'expectation' : 'expectations'} refilled` : '';
    const mark = problems.length > 0 ? style.red('FAILED') : style.green('ok    ');
    options.onLine(`${mark} ${path}  ${style.dim(`${passed} passed${note}, ${ms} ms`)}`);
    for (const problem of problems) options.onLine(problem);
  }
  return counts;
}

interface FileOutcome {
  readonly passed: number;
  /** Rendered, one for each case that failed. */
  readonly problems: readonly string[];
  readonly updated: number;
}

async function runFile(path: string, options: TestOptions, style: Paint): Promise<FileOutcome> {
  const text = readFileSync(path, 'utf8');
  let file: TestFile;
  try {
    file = parseTestFile(resolve(path), text, path);
  } catch (error) {
    if (!(error instanceof StreamsqlError)) throw error;
    return { passed: 0, problems: [renderError(error, { name: path, text })], updated: 0 };
  }
  const problems: string[] = [];
  const refills: Refill[] = [];
  for (const test of file.cases) {
    const verdict = await runSlicings(file, test, options);
    if (verdict.problems.length > 0) problems.push(failure(file, test, verdict, style));
    refills.push(...verdict.refills);
  }
  if (refills.length > 0) writeFileSync(path, refill(text, refills));
  return { passed: file.cases.length - problems.length, problems, updated: refills.length };
}

/** The first slicing in which the case fails, or else the first; a case that says so is only run as written. */
async function runSlicings(file: TestFile, test: TestCase, options: TestOptions): Promise<Verdict> {
  const wanted = options.slicings ?? [AS_WRITTEN];
  const slicings = test.asWritten || options.update ? [AS_WRITTEN] : wanted;
  let first: Verdict | undefined;
  for (const slicing of slicings) {
    const verdict = await judge(file, test, slicing, options.update);
    if (verdict.problems.length > 0) return verdict;
    first ??= verdict;
    if (!verdict.sliceable) break;
  }
  if (first === undefined) throw new StreamsqlError('INTERNAL', 'a case was run in no slicing');
  return first;
}

function failure(file: TestFile, test: TestCase, verdict: Verdict, style: Paint): string {
  const { line } = position(file.text, test.span.start);
  const how = verdict.slicing.kind === 'as-written' ? '' : `, ${slicingName(verdict.slicing)}`;
  const lines = ['', style.bold(`${file.name}:${line}: TEST '${test.name}'${how}`)];
  for (const problem of verdict.problems) lines.push(...problem.lines(file, style));
  return [...lines, ''].join('\n');
}

const SUFFIX = '.test.sql';

function testFiles(path: string): readonly string[] {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (error) {
    throw new StreamsqlError('FILE_MISSING', `there is no ${path}`, { cause: error });
  }
  if (!folder) return [path];
  const found = readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(SUFFIX) && !name.split(/[\\/]/).includes('node_modules'))
    .sort()
    .map((name) => join(path, name));
  if (found.length > 0) return found;
  throw new StreamsqlError('FILE_MISSING', `${path} holds no *${SUFFIX} file`);
}
