import { basename, dirname } from 'node:path';
import { sameName } from '../../src/base/schema.ts';
import { compare, foundLines, type Found } from '../../src/testing/compare.ts';
import { cellText } from '../../src/testing/expected-table.ts';
import { slice, type Action, type Slicing } from '../../src/testing/slicing.ts';
import { textsUnderTest } from '../../src/testing/subject.ts';
import type { Expect, TestCase, TestFile } from '../../src/testing/test-file.ts';
import { Random } from '../fuzz/random.ts';
import { Life, type Habits, type Subject } from './life.ts';
import { World, type Crash, type Point } from './world.ts';

export interface SimulationOptions {
  readonly slicing: Slicing;
  readonly seed: number;
  /** How the lives end, one after another; what comes after them lives to the end. */
  readonly crashes: (life: number) => Crash | undefined;
  /** Looks at all views, late rows, dead letters and sinks after so many steps, and at the end, not only where the case does. */
  readonly watchEvery?: number;
}

/** What was seen in a run, one look after another. */
export interface Outcome {
  readonly seen: readonly { readonly when: string; readonly expect: Expect | undefined; readonly found: Found }[];
  readonly hits: ReadonlyMap<Point, number>;
  readonly crashes: readonly Crash[];
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const EPOCH_CLOCK = Date.UTC(2024, 0, 1);
const MANY_LIVES = 60;

/** Runs a case of a test file with an engine that crashes as was planned, and is started again. */
export async function simulate(file: TestFile, test: TestCase, options: SimulationOptions): Promise<Outcome> {
  const simulation = new Simulation(file, test, options);
  try {
    return await simulation.perform();
  } finally {
    await simulation.close();
  }
}

class Simulation {
  private readonly options: SimulationOptions;
  private readonly random: Random;
  private readonly world: World;
  private readonly actions: readonly Action[];
  private readonly subject: Subject;
  private readonly seen: { when: string; expect: Expect | undefined; found: Found }[] = [];
  private readonly problems: string[] = [];
  private readonly warnings: string[] = [];
  private clock: number;
  private clockMoved = false;
  private life: Life | undefined;
  private lives = 0;
  /** The last epoch that is known to be committed: it is never lost again. */
  private epoch = -1;

  constructor(file: TestFile, test: TestCase, options: SimulationOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.world = new World(this.random);
    this.actions = slice(test.steps, options.slicing);
    const fed = new Set(test.steps.flatMap((step) => (step.kind === 'feed' ? [step.source.text.toLowerCase()] : [])));
    const [first] = test.steps;
    this.clock = first?.kind === 'clock' ? first.to : EPOCH_CLOCK;
    const { using } = test;
    this.subject = {
      texts: textsUnderTest(file, test),
      feeding: { fed, ends: test.steps.some((step) => step.kind === 'end') },
      records: this.actions.flatMap((action) => (action.kind === 'epoch' ? action.records : [])),
      options: {
        cwd: using === undefined ? dirname(file.path) : process.cwd(),
        variables: { ...using?.variables },
        stem: basename(using?.path ?? file.path).replace(/(\.test)?\.sql$/, ''),
      },
    };
  }

  async perform(): Promise<Outcome> {
    await this.alive();
    for (const [i, action] of this.actions.entries()) {
      // A run over tables alone has no input that ends.
      if (action.kind === 'end' && (await this.alive()).readsNothing) break;
      await this.act(action);
      const every = this.options.watchEvery ?? Infinity;
      if (i % every === every - 1 || (every < Infinity && i === this.actions.length - 1))
        await this.watch(`after step ${i}`);
    }
    return {
      seen: this.seen, hits: this.world.hits, crashes: this.world.crashes, warnings: this.warnings,
      problems: [...this.problems, ...this.world.sinks.problems],
    }; // prettier-ignore
  }

  private async act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'epoch':
        this.clockMoved = false;
        return this.epochOf((life) => life.deliver(action.records, action.changes.map(({ sql }) => sql))); // prettier-ignore
      case 'clock':
      case 'advance': {
        const to = action.kind === 'clock' ? action.to : this.clock + action.by;
        this.clockMoved ||= to > this.clock;
        this.clock = to;
        return;
      }
      case 'end':
        await this.settle();
        for (;;) {
          const life = await this.alive();
          await life.finish();
          if (!this.world.crashed) return;
        }
      case 'expect':
        return this.expect(action);
    }
  }

  /** Does what makes an epoch, or none, until it is done; what a crash left committed is not done again. */
  private async epochOf(work: (life: Life) => Promise<void>): Promise<void> {
    let life = await this.alive();
    const before = this.epoch;
    for (;;) {
      await work(life);
      if (!this.world.crashed) {
        if (this.random.oneIn(4)) this.epoch = life.epoch;
        else await this.quiet(life);
        if (!this.world.crashed) return;
      }
      life = await this.alive();
      if (this.epoch > before + 1) this.problems.push(`${this.epoch - before} epochs of one step`);
      if (this.epoch > before) return;
    }
  }

  private async quiet(life: Life): Promise<void> {
    await life.quiet();
    if (!this.world.crashed) this.epoch = life.epoch;
  }

  /** The life that there is, at rest, or the next one that lives so long. */
  private async alive(): Promise<Life> {
    for (;;) {
      if (this.life !== undefined && !this.world.crashed) {
        await this.life.atRest();
        await this.life.quiet();
        if (this.life.error !== undefined && !this.world.crashed) throw this.life.error;
        if (!this.world.crashed) {
          if (this.life.epoch < this.epoch)
            this.problems.push(`the run goes on after epoch ${this.life.epoch}, and was at ${this.epoch}`);
          this.epoch = this.life.epoch;
          return this.life;
        }
      }
      await this.endLife();
      if (++this.lives > MANY_LIVES) throw new Error('it never comes to its end');
      const crash = this.options.crashes(this.lives - 1);
      this.world.begin(crash);
      this.life = await Life.start(this.world, this.subject, this.habits(crash), () => this.clock);
    }
  }

  /** A life that is to end at a checkpoint takes one after each epoch. */
  private habits(crash: Crash | undefined): Habits {
    const often = crash?.point.startsWith('checkpoint') === true || crash?.point === 'disk';
    return {
      checkpointIntervalMs: often || this.random.oneIn(2) ? 0 : 1e9,
      keepCheckpoints: this.random.int(1, 3),
      journalFrom: this.random.pick([0, 2, 20_000]),
      sinksKnow: this.random.oneIn(2),
    };
  }

  /** A clock that was turned has had its epoch. */
  private async settle(): Promise<void> {
    if (!this.clockMoved) return;
    this.clockMoved = false;
    await this.epochOf((life) => life.deliver([], life.readsNothing ? [''] : []));
  }

  private async expect(action: Expect): Promise<void> {
    const { expectation } = action;
    if (expectation.kind === 'answer' || expectation.kind === 'error') return;
    await this.settle();
    const found: Found =
      expectation.kind === 'query'
        ? { kind: 'table', table: await this.query(expectation.sql), ordered: expectation.ordered }
        : this.printed(expectation.sink.text);
    this.seen.push({ when: 'expect', expect: action, found });
  }

  private async watch(when: string): Promise<void> {
    await this.settle();
    const names = await this.query(`SELECT name FROM _streamsql.views UNION ALL SELECT name FROM _streamsql.tables ORDER BY 1`);
    const relations = [
      ...names.rows.map(([name]) => `"${name}"`),
      '(SELECT * EXCLUDE (epoch) FROM _streamsql.late)', '(SELECT * EXCLUDE (epoch) FROM _streamsql.dead_letters)',
      '(SELECT sum(rows) AS rows FROM _streamsql.epochs)', '_streamsql.offsets', '_streamsql.watermarks',
    ]; // prettier-ignore
    for (const relation of relations)
      this.seen.push({ when: `${relation} ${when}`, expect: undefined, found: { kind: 'table', table: await this.query(`FROM ${relation}`), ordered: false } }); // prettier-ignore
    for (const sink of this.world.sinks.names())
      this.seen.push({ when: `sink ${sink} ${when}`, expect: undefined, found: this.printed(sink) });
  } // prettier-ignore

  private async query(text: string): Promise<{ header: readonly string[]; rows: string[][] }> {
    const life = this.life?.over === true ? this.life : await this.alive();
    const printed = await life.query(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${text}\n)`);
    const rows = printed.rows.map((row) => row.map((value) => cellText(typeof value === 'string' ? value : null)));
    return { header: printed.columns.map((column) => column.name), rows };
  }

  private printed(sink: string): Found {
    const name = this.world.sinks.names().find((known) => sameName(known, sink)) ?? sink;
    const rows = this.world.sinks.of(name);
    const [first] = rows;
    if (first === undefined) return { kind: 'text', lines: ['nothing'] };
    const header = Object.keys(first);
    const cell = (value: unknown): string =>
      cellText(value === null || value === undefined ? null : typeof value === 'object' ? JSON.stringify(value) : String(value as string)); // prettier-ignore
    return { kind: 'table', table: { header, rows: rows.map((row) => header.map((column) => cell(row[column]))) }, ordered: false }; // prettier-ignore
  }

  private async endLife(): Promise<void> {
    const { life } = this;
    this.life = undefined;
    if (life === undefined) return;
    this.warnings.push(...life.warnings);
    await life.end();
    this.world.ended();
  }

  async close(): Promise<void> {
    try {
      await this.endLife();
    } finally {
      this.world.remove();
    }
  }
}

/** How what was seen differs from what was to be seen, look by look. */
export function differences(expected: readonly (readonly string[])[], { seen, problems }: Outcome): readonly string[] {
  const lines = seen.flatMap(({ when, found }, i) => {
    const different = compare(expected[i] ?? [], found);
    return different === undefined ? [] : [`${when}:\n${different.map(({ mark, text }) => `  ${mark} ${text}`).join('\n')}`]; // prettier-ignore
  });
  if (seen.length !== expected.length) lines.push(`${seen.length} looks, not ${expected.length}`);
  return [...lines, ...problems];
}

export const linesOf = (outcome: Outcome): readonly (readonly string[])[] => outcome.seen.map(({ found }) => foundLines(found)); // prettier-ignore

/** Whether a case is about anything but errors and files outside. */
export const isSimulated = (file: TestFile, test: TestCase): boolean =>
  !file.text.includes('${TMP}') &&
  test.steps.some((step) => step.kind === 'feed' || step.kind === 'change' || step.kind === 'end') &&
  !test.steps.some((step) => step.kind === 'expect' && step.expectation.kind === 'error');
