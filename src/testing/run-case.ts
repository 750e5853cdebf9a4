import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { renderError, StreamsqlError, type SourceText, type Span } from '../base/errors.ts';
import { open, type Engine } from '../engine.ts';
import type { Found } from './compare.ts';
import { cellText } from './expected-table.ts';
import { answerFound, Printed } from './printed.ts';
import { slice, type Action, type Change, type Delivery, type Slicing } from './slicing.ts';
import { Stage } from './stage.ts';
import { textsUnderTest } from './subject.ts';
import { TestError } from './test-error.ts';
import type { Expect, TestCase, TestFile } from './test-file.ts';

/** What a case came to in one slicing: what its expectations found, until something went wrong. */
export interface CaseRun {
  readonly found: readonly { readonly expect: Expect; readonly found: Found }[];
  /** What went wrong besides, rendered, and the part of the test file that it is about. */
  readonly problem: { readonly text: string; readonly span: Span } | undefined;
}

/** An error under test, and the text that it points into. */
interface Failure {
  readonly error: StreamsqlError;
  readonly source: SourceText | undefined;
  /** A change of a table that failed: the run goes on. */
  readonly goesOn?: boolean;
}

/** Where the clock stands unless a case sets it. */
const EPOCH_CLOCK = Date.UTC(2024, 0, 1);

/** Runs one case in one slicing with an engine of its own. Never throws but for a bug. */
export async function runCase(file: TestFile, test: TestCase, slicing: Slicing): Promise<CaseRun> {
  const run = new RunningCase(file, test, slicing);
  try {
    await run.perform();
  } catch (error) {
    run.fail(error);
  } finally {
    await run.close();
  }
  return { found: run.found, problem: run.problem };
}

class RunningCase {
  readonly found: { expect: Expect; found: Found }[] = [];
  problem: CaseRun['problem'];
  private readonly file: TestFile;
  private readonly test: TestCase;
  private readonly actions: readonly Action[];
  private readonly stage: Stage;
  private readonly abort = new AbortController();
  private readonly printed = new Printed();
  private readonly folder: string | undefined;
  private engine: Engine | undefined;
  private running: Promise<void> | undefined;
  private failure: Failure | undefined;
  private failureExpected = false;
  private clockMoved = false;

  constructor(file: TestFile, test: TestCase, slicing: Slicing) {
    this.file = file;
    this.test = test;
    this.actions = slice(test.steps, slicing);
    const records = this.actions.flatMap((action): readonly Delivery[] =>
      action.kind === 'epoch' ? action.records : [],
    );
    const fed = new Set(test.steps.flatMap((step) => (step.kind === 'feed' ? [step.source.text.toLowerCase()] : [])));
    const ends = test.steps.some((step) => step.kind === 'end');
    const [first] = test.steps;
    this.stage = new Stage(first?.kind === 'clock' ? first.to : EPOCH_CLOCK, { fed, ends }, records);
    const wantsFolder = file.text.includes('${TMP}');
    this.folder = wantsFolder ? mkdtempSync(join(tmpdir(), 'streamsql-test-')) : undefined;
  }

  async perform(): Promise<void> {
    await this.declare();
    const answers = this.actions.filter((action) => action.kind === 'expect' && action.expectation.kind === 'answer');
    if (answers.length < this.actions.length && this.failure === undefined) this.start();
    for (const action of this.actions) {
      if (this.problem !== undefined) return;
      if (this.failure !== undefined && !this.mayFollow(action)) return this.fail(this.failure.error, action.span);
      await this.act(action);
    }
    if (this.failure !== undefined && !this.failureExpected) this.fail(this.failure.error);
  }

  /** After an error comes EXPECT ERROR, and then only what looks at what the run left. */
  private mayFollow(action: Action): boolean {
    if (action.kind !== 'expect') return this.failure?.goesOn === true;
    return this.failureExpected || action.expectation.kind === 'error';
  }

  /** Opens the engine and lets it have the SQL under test, and what SHOW, DESCRIBE and EXPLAIN are expected to say. */
  private async declare(): Promise<void> {
    const { using } = this.test;
    const here = dirname(this.file.path);
    const engine = await open(
      {
        cwd: using === undefined ? here : process.cwd(),
        variables: { ...using?.variables, ...(this.folder === undefined ? {} : { TMP: this.folder }) },
        batchIntervalMs: 0,
        threads: 2,
        stem: basename(using?.path ?? this.file.path).replace(/(\.test)?\.sql$/, ''),
      },
      this.stage.host,
    );
    this.engine = engine;
    for (const source of textsUnderTest(this.file, this.test)) {
      try {
        await engine.sql(source.text, source.name);
      } catch (error) {
        this.failure = asFailure(error, source);
        return;
      }
    }
    for (const action of this.actions) {
      if (action.kind !== 'expect' || action.expectation.kind !== 'answer') continue;
      try {
        const [answer] = await engine.sql(action.expectation.sql, 'expect');
        if (answer !== undefined) this.found.push({ expect: action, found: answerFound(answer.table) });
      } catch (error) {
        throw new TestError('BIND', messageOf(error), action.span);
      }
    }
  }

  private start(): void {
    this.running = this.needEngine()
      .run({
        signal: this.abort.signal,
        keepOpen: true,
        onEvent: (event) => {
          this.stage.heard(event);
          this.printed.heard(event);
        },
      })
      .then(
        () => undefined,
        (error: unknown) => {
          this.failure = asFailure(error, textsUnderTest(this.file, this.test).at(-1));
        },
      );
  }

  private async act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'epoch':
        this.clockMoved = false;
        await this.whileRunning(this.stage.atRest());
        if (this.failure === undefined) this.stage.checkSources(action.records);
        return this.whileRunning(
          this.stage.epoch(action.records, action.changes.length === 0 ? undefined : () => this.change(action.changes)),
        );
      case 'clock':
      case 'advance':
        return this.turnClock(action);
      case 'end':
        await this.settle();
        this.stage.end();
        if (this.stage.readsNothing) this.abort.abort();
        return this.running;
      case 'expect':
        return this.expect(action);
    }
  }

  /** Sends changes of tables, each a script of its own, and waits until each is committed or has failed. */
  private async change(changes: readonly Change[]): Promise<void> {
    const engine = this.needEngine();
    const sent = await Promise.allSettled(changes.map((change) => engine.sql(change.sql, 'sql')));
    sent.forEach((outcome, i) => {
      if (outcome.status === 'fulfilled') return;
      const source = { name: 'sql', text: changes[i]?.sql ?? '' };
      this.failure ??= { ...asFailure(outcome.reason, source), goesOn: true };
    });
  }

  private turnClock(action: Extract<Action, { kind: 'clock' | 'advance' }>): void {
    const to = action.kind === 'clock' ? action.to : this.stage.clock + action.by;
    if (to < this.stage.clock) {
      throw new TestError(
        'SYNTAX',
        'the clock does not go back',
        action.span,
        'SET CLOCK to a later time, or use another TEST',
      );
    }
    this.clockMoved ||= to > this.stage.clock;
    this.stage.clock = to;
  }

  private async expect(action: Expect): Promise<void> {
    const { expectation } = action;
    if (expectation.kind === 'answer') return;
    await this.settle();
    switch (expectation.kind) {
      case 'query': {
        if (this.failure !== undefined && !this.failureExpected) return this.fail(this.failure.error, action.span);
        const table = await this.query(expectation.sql, action.span);
        this.found.push({ expect: action, found: { kind: 'table', table, ordered: expectation.ordered } });
        return;
      }
      case 'printed':
        if (this.failure !== undefined && !this.failureExpected) return this.fail(this.failure.error, action.span);
        this.found.push({ expect: action, found: this.printed.of(expectation.sink.text) });
        return;
      case 'error': {
        if (this.failure === undefined)
          throw new TestError('TEST_FAILED', 'an error was expected, and there was none', action.span);
        const { error, source, goesOn } = this.failure;
        if (error instanceof TestError) throw error;
        if (goesOn === true) this.failure = undefined;
        else this.failureExpected = true;
        const lines = renderError(error, source).split('\n');
        this.found.push({ expect: action, found: { kind: 'text', lines: lines.map((line) => line.trimEnd()) } });
      }
    }
  }

  /** The results at rest, each value as DuckDB prints it. */
  private async query(text: string, span: Span): Promise<{ header: readonly string[]; rows: string[][] }> {
    const sql = this.folder === undefined ? text : text.replaceAll('${TMP}', this.folder);
    try {
      const engine = this.needEngine();
      const printed = await engine.query(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql}\n)`);
      const rows = printed.rows.map((row) => row.map((value) => cellText(typeof value === 'string' ? value : null)));
      return { header: printed.columns.map((column) => column.name), rows };
    } catch (error) {
      throw new TestError('BIND', messageOf(error), span);
    }
  }

  /** All that was fed is committed; a clock that was turned has had its epoch. */
  private async settle(): Promise<void> {
    const moved = this.clockMoved;
    this.clockMoved = false;
    // Without a source no poll tells that the engine has seen the clock: an empty script makes an epoch.
    const tick =
      this.stage.readsNothing && this.running !== undefined
        ? () => this.change([{ sql: '', span: this.test.span }])
        : undefined;
    await this.whileRunning(moved ? this.stage.epoch([], tick) : this.stage.atRest());
  }

  /** Waits for the stage, or for the run's end if that comes first. */
  private async whileRunning(work: Promise<void>): Promise<void> {
    if (this.running !== undefined) await Promise.race([work, this.running]);
  }

  private needEngine(): Engine {
    if (this.engine === undefined) throw new StreamsqlError('INTERNAL', 'the engine of the case is not open');
    return this.engine;
  }

  /** Notes what went wrong, once; an error of the test file shows its place in it. */
  fail(error: unknown, span: Span = this.test.span): void {
    if (this.problem !== undefined) return;
    const { file } = this;
    if (error instanceof TestError && error.span !== undefined) {
      this.problem = { text: renderError(error, { name: file.name, text: file.text }), span: error.span };
      return;
    }
    const source = this.failure?.error === error ? this.failure?.source : undefined;
    const text =
      error instanceof StreamsqlError
        ? renderError(error, source) + (error.code === 'INTERNAL' ? `\n${error.stack ?? ''}` : '')
        : String(error instanceof Error ? (error.stack ?? error.message) : error);
    this.problem = { text, span };
  }

  async close(): Promise<void> {
    this.abort.abort();
    this.stage.release();
    await this.running;
    await this.engine?.close();
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** An error that is the subject of the test; a bug of ours passes through. */
function asFailure(error: unknown, source: SourceText | undefined): Failure {
  if (error instanceof StreamsqlError) return { error, source };
  throw error;
}
