import { setTimeout as sleep } from 'node:timers/promises';
import { open, StreamsqlError, type Engine } from '../../src/engine.ts';
import type { Data } from './data.ts';
import { FedReader } from './feed.ts';
import { canonical, Oracle } from './oracle.ts';
import { tablesOf } from './node.ts';
import { statements, type Query } from './query.ts';
import { SOURCE_DDL, SOURCES, TABLES } from './sources.ts';

/** Several views over the same data, in one engine. */
export interface Group {
  readonly seed: number;
  readonly data: Data;
  readonly queries: readonly Query[];
}

export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'refused'; readonly message: string }
  /** DuckDB cannot answer it either: a fault of the generator. */
  | { readonly kind: 'invalid'; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly what: 'difference' | 'error';
      readonly message: string;
      readonly view?: string;
      readonly step?: number;
    };

const PATIENCE_MS = 20_000;

/** The time spent, ms. */
export const spent = { open: 0, plan: 0, epochs: 0, answers: 0, oracle: 0 };

/** Answers held against DuckDB's, and those of them that had rows. */
export const compared = { answers: 0, withRows: 0 };

async function timed<T>(part: keyof typeof spent, work: Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work;
  } finally {
    spent[part] += performance.now() - started;
  }
}

/** Runs a group; a verdict for each query, in their order. */
export async function runGroup(group: Group): Promise<readonly Verdict[]> {
  const run = new GroupRun(group);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class GroupRun {
  private readonly group: Group;
  private readonly readers = new Map<string, FedReader>();
  private readonly verdicts = new Map<Query, Verdict>();
  /** Materialized views to hold against the oracle, by query. */
  private readonly watched = new Map<Query, readonly string[]>();
  private engine: Engine | undefined;
  private oracle: Oracle | undefined;
  private failure: unknown;
  private wake: () => void = () => undefined;
  private epochs = 0;
  private taken = 0;
  private ended = false;

  constructor(group: Group) {
    this.group = group;
  }

  async run(): Promise<readonly Verdict[]> {
    const { data, queries } = this.group;
    const oracle = await timed('oracle', Oracle.open(data));
    this.oracle = oracle;
    const engine = await timed('open', open({ threads: 1 }, {
      pollAll: true,
      openReader: (source, { resume }) => {
        const rows = data.steps.flatMap((step) => (step.kind === 'feed' ? (step.rows[source.name] ?? []) : []));
        const reader = new FedReader(data.partitions[source.name] ?? 1, rows, resume);
        this.readers.set(source.name, reader);
        return reader;
      },
    })); // prettier-ignore
    this.engine = engine;
    await timed('plan', this.declareInputs(engine));
    for (const sql of data.before) await oracle.change(sql);
    for (const query of queries) await this.declare(engine, oracle, query);
    // A run without sources is over at once: one that only tables feed is kept open by a source.
    if ([...this.watched.keys()].every(({ root }) => !tablesOf(root).some((name) => isSource(name))))
      await engine.sql('CREATE MATERIALIZED VIEW kept_open AS SELECT count(*) AS n FROM a');
    if (this.watched.size > 0) {
      try {
        await this.feed(engine, oracle);
      } catch (error) {
        for (const query of this.watched.keys()) this.verdicts.set(query, { kind: 'failed', what: 'error', message: messageOf(error) }); // prettier-ignore
      }
    }
    return queries.map((query) => this.verdicts.get(query) ?? { kind: 'passed' });
  }

  private async declareInputs(engine: Engine): Promise<void> {
    for (const source of SOURCES) {
      await engine.sql(
        `CREATE SOURCE ${source} (${SOURCE_DDL}, WATERMARK FOR ts AS ts - INTERVAL '${this.group.data.delay} seconds') WITH (connector = 'file', path = '${source}.json')`,
      );
    }
    if (!this.group.data.tables) return;
    for (const [name, { ddl }] of Object.entries(TABLES)) await engine.sql(`CREATE TABLE ${name} (${ddl})`);
    for (const sql of this.group.data.before) await engine.sql(sql);
  }

  private async declare(engine: Engine, oracle: Oracle, query: Query): Promise<void> {
    try {
      await timed('oracle', oracle.declare(query));
    } catch (error) {
      this.verdicts.set(query, { kind: 'invalid', message: messageOf(error) });
      return;
    }
    const views = statements(query);
    try {
      // A script is taken whole or not at all.
      await timed('plan', engine.sql(views.map(({ sql }) => sql).join(';\n')));
      this.watched.set(query, views.flatMap(({ name, materialized }) => (materialized ? [name] : []))); // prettier-ignore
    } catch (error) {
      const refused = error instanceof StreamsqlError && error.code === 'UNSUPPORTED';
      this.verdicts.set(query, refused ? { kind: 'refused', message: error.message } : { kind: 'failed', what: 'error', message: messageOf(error) }); // prettier-ignore
    }
  }

  private async feed(engine: Engine, oracle: Oracle): Promise<void> {
    const running = engine.run({
      onEvent: (event) => {
        if (event.event !== 'epoch') return;
        this.epochs++;
        this.taken = event.sources.reduce((sum, source) => sum + source.rows, 0);
        this.wake();
      },
    });
    running
      .catch((error: unknown) => {
        this.failure = error;
      })
      .finally(() => {
        this.ended = true;
        this.wake();
      });
    await this.until('the first epoch', () => this.epochs > 0);
    await this.check(engine, oracle, -1);
    let fed = 0;
    for (const [number, step] of this.group.data.steps.entries()) {
      if (this.watched.size === 0) break;
      if (step.kind === 'change') {
        await timed('oracle', oracle.change(step.sql));
        await timed('epochs', this.withinPatience(`the change of step ${number}`, engine.sql(step.sql)));
      } else {
        const given = [...this.readers].map(([name, reader]) => ({ name, reader, rows: step.rows[name] ?? [] }));
        for (const { name, rows } of given) await timed('oracle', oracle.feed(name, rows));
        await this.withinPatience('polls', Promise.all(given.map(({ reader }) => reader.turnstile.occupied())));
        const count = given.reduce((sum, { rows }) => sum + rows.length, 0);
        if (count === 0) continue;
        fed += count;
        for (const { reader, rows } of given) reader.give(rows);
        await timed(
          'epochs',
          this.until(`step ${number}`, () => this.taken >= fed),
        );
      }
      await this.check(engine, oracle, number);
    }
    for (const reader of this.readers.values()) reader.end();
    await oracle.end();
    await timed(
      'epochs',
      this.until('the end', () => this.ended),
    );
    if (this.failure !== undefined) throw this.failure;
    await this.check(engine, oracle, this.group.data.steps.length);
  }

  /** Holds every watched view against the oracle; one that differs is watched no more. */
  private async check(engine: Engine, oracle: Oracle, step: number): Promise<void> {
    for (const [query, views] of this.watched) {
      for (const view of views) {
        let want;
        try {
          want = await timed('oracle', oracle.answer(view));
        } catch (error) {
          this.settle(query, { kind: 'invalid', message: messageOf(error) });
          break;
        }
        const got = await timed('answers', engine.query(`SELECT * FROM ${view}`));
        compared.answers++;
        if (want.rows.length > 0) compared.withRows++;
        const differences = differ(got, want);
        if (differences === undefined) continue;
        this.settle(query, { kind: 'failed', what: 'difference', view, step, message: `${view} ${whenOf(step, this.group.data)}: ${differences}` }); // prettier-ignore
        break;
      }
    }
  }

  private settle(query: Query, verdict: Verdict): void {
    this.verdicts.set(query, verdict);
    this.watched.delete(query);
  }

  private async until(what: string, done: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!done()) {
      if (this.failure !== undefined) throw this.failure;
      if (this.ended) throw new Error(`the run ended before ${what}`);
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`${what} did not end within ${PATIENCE_MS / 1000} s`);
      await this.withinPatience(what, new Promise<void>((resolve) => (this.wake = resolve)));
    }
  }

  private async withinPatience<T>(what: string, work: Promise<T>): Promise<T> {
    const timer = new AbortController();
    const late = sleep(PATIENCE_MS, undefined, { signal: timer.signal, ref: true }).then(() => {
      throw new Error(`${what} did not end within ${PATIENCE_MS / 1000} s`);
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([work, late]);
    } finally {
      timer.abort();
    }
  }

  close(): void {
    for (const reader of this.readers.values()) reader.end();
    void this.engine?.close();
    this.oracle?.close();
  }
}

const isSource = (name: string): boolean => SOURCES.some((source) => source === name);

const whenOf = (step: number, data: Data): string =>
  step < 0 ? 'before any input' : step < data.steps.length ? `after step ${step}` : 'at the end';

interface Shown {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
}

function differ(got: Shown, want: Shown): string | undefined {
  const [types, wanted] = [got, want].map(({ columns }) => columns.map(({ name, type }) => `${name} ${type}`).join(', ')); // prettier-ignore
  if (types !== wanted) return `columns ${types}; want ${wanted}`;
  const [rows, expected] = [canonical(got), canonical(want)];
  if (rows.join('\n') === expected.join('\n')) return undefined;
  const [more, less] = [without(rows, expected), without(expected, rows)];
  return `${rows.length} rows for ${expected.length}; too many: ${more.slice(0, 6).join(' ')}; missing: ${less.slice(0, 6).join(' ')}`;
}

/** The multiset difference of sorted lists. */
function without(list: readonly string[], others: readonly string[]): readonly string[] {
  const left = [...others];
  return list.filter((text) => {
    const at = left.indexOf(text);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

const messageOf = (error: unknown): string => {
  if (error instanceof StreamsqlError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
};
