import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { SinkConnector, SinkContext, SinkPlan } from '../../src/base/connector.ts';
import { checkOptions } from '../../src/base/options.ts';
import type { Column } from '../../src/base/schema.ts';
import { ident, raw, sql, type Sql } from '../../src/base/sql.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';

const SPAN = { start: 0, end: 1 };

/** Plans a sink as the planner does: the options are checked first. */
export function planSink(
  connector: SinkConnector,
  options: Readonly<Record<string, string>>,
  declaration: { readonly name?: string; readonly columns: readonly Column[]; readonly cwd?: string },
): SinkPlan {
  const written = Object.entries(options).map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN }));
  return connector.plan({
    name: 'out',
    options: checkOptions(written, connector.options, `the ${connector.name} sink`, SPAN),
    span: SPAN,
    cwd: '/',
    ...declaration,
  });
}

export interface SinkBench {
  readonly connection: DuckConnection;
  context(parts?: Partial<SinkContext>): SinkContext;
  /** A table with an epoch's rows, by its columns' names and types; with a column of streamsql's own that no sink may show. */
  delta(columns: readonly Column[], values: string): Promise<Sql>;
  close(): void;
}

export async function openSinkBench(): Promise<SinkBench> {
  const duck = await Duck.open(':memory:', { threads: '2' });
  const connection = await duck.connect();
  return {
    connection,
    context: (parts = {}) => ({
      run: async (statement) => {
        await connection.run(statement);
      },
      query: (query) => connection.rows(query),
      print: () => undefined,
      job: 'job',
      notice: () => undefined,
      signal: new AbortController().signal,
      ...parts,
    }),
    async delta(columns, values) {
      const names = columns.map((_, i) => `c${i}`).join(', ');
      const cells = columns.map(({ name, type }, i) => `CAST(c${i} AS ${type}) AS ${ident(name).text}`).join(', ');
      const rows = values === '' ? sql`(SELECT ${raw(columns.map((_, i) => `NULL AS c${i}`).join(', '))} WHERE false)` : sql`(VALUES ${raw(values)})`; // prettier-ignore
      await connection.run(sql`CREATE OR REPLACE TABLE delta AS SELECT ${raw(cells)}, 7 AS "$o" FROM ${rows} AS v(${raw(names)})`); // prettier-ignore
      return ident('delta');
    },
    close() {
      connection.close();
      duck.close();
    },
  };
}

export interface VisibleRow {
  readonly [column: string]: unknown;
}

/** What a reader of a folder of JSON parts sees now; the folders' names are columns too. Throws where a line is not whole. */
export const visibleRows = (folder: string): readonly VisibleRow[] =>
  visibleParts(folder).flatMap((part) => {
    const keys = part
      .split(sep)
      .slice(0, -1)
      .map((name) => [name.slice(0, name.indexOf('=')), keyOf(name.slice(name.indexOf('=') + 1))] as const);
    const text = readFileSync(join(folder, part), 'utf8');
    if (!text.endsWith('\n')) throw new Error(`${part} is cut off`);
    return text
      .trimEnd()
      .split('\n')
      .map((line) => ({ ...(JSON.parse(line) as VisibleRow), ...Object.fromEntries(keys) }));
  });

/** The files that a reader sees, in the order of their names. */
export const visibleParts = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.'))
    .flatMap((entry) =>
      entry.isDirectory() ? visibleParts(join(folder, entry.name)).map((name) => join(entry.name, name)) : [entry.name],
    )
    .sort();

const keyOf = (text: string): string | null =>
  text === '__HIVE_DEFAULT_PARTITION__' ? null : decodeURIComponent(text);
