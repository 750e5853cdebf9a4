import { raw } from '../../src/base/sql.ts';
import { Duck, type DuckConnection, type Table } from '../../src/exec/duck.ts';
import { cells, instant, type Data, type Row } from './data.ts';
import { renderQuery, type Query } from './query.ts';
import { rawTable, SOURCE_COLUMNS, SOURCE_DDL, SOURCES, TABLES } from './sources.ts';

/** Plain DuckDB over all that was accepted so far. */
export class Oracle {
  private readonly duck: Duck;
  private readonly connection: DuckConnection;
  private readonly data: Data;
  /** By source and partition: rows so far, and the greatest time. */
  private readonly seen = new Map<string, { rows: number; greatest: number | undefined }>();

  private constructor(duck: Duck, connection: DuckConnection, data: Data) {
    this.duck = duck;
    this.connection = connection;
    this.data = data;
  }

  static async open(data: Data): Promise<Oracle> {
    const duck = await Duck.open(':memory:', { threads: '1' });
    const connection = await duck.connect();
    const columns = SOURCE_COLUMNS.map(({ name }) => name).join(', ');
    const oracle = new Oracle(duck, connection, data);
    await connection.run(raw("SET lambda_syntax = 'DEFAULT'"));
    for (const source of SOURCES) {
      await connection.run(raw(`CREATE TABLE ${rawTable(source)} (${SOURCE_DDL}, "$wm" TIMESTAMP)`));
      await connection.run(raw(`CREATE VIEW ${source} AS SELECT ${columns} FROM ${rawTable(source)}`));
    }
    for (const [name, { ddl }] of Object.entries(TABLES)) await connection.run(raw(`CREATE TABLE ${name} (${ddl})`));
    await oracle.setWatermarks();
    return oracle;
  }

  /** Throws where DuckDB itself cannot answer the query. */
  async declare(query: Query): Promise<void> {
    const { views, query: root } = renderQuery(query, 'batch');
    for (const { name, sql } of [...views, { name: query.name, sql: root }]) {
      await this.connection.run(raw(`CREATE VIEW ${name} AS ${sql}`));
      // Some subqueries bind, and then cannot be planned.
      await this.answer(name);
    }
  }

  answer(view: string): Promise<Table> {
    return this.connection.table(raw(`SELECT * FROM ${view}`));
  }

  async feed(source: string, rows: readonly Row[]): Promise<void> {
    const values = rows.map((row) => {
      const state = this.stateOf(source, row.partition);
      const before = state.greatest === undefined ? 'NULL' : instant(state.greatest - this.data.delay);
      this.seen.set(`${source}${row.partition}`, {
        rows: state.rows + 1,
        greatest: state.greatest === undefined ? row.time : Math.max(state.greatest, row.time),
      });
      return `(${cells(row)}, ${instant(row.time)}, ${before})`;
    });
    if (values.length > 0)
      await this.connection.run(raw(`INSERT INTO ${rawTable(source)} VALUES ${values.join(', ')}`));
    await this.setWatermarks();
  }

  async change(statements: string): Promise<void> {
    for (const statement of statements.split('; ')) await this.connection.run(raw(statement));
  }

  async end(): Promise<void> {
    for (const source of SOURCES) await this.setWatermark(source, "TIMESTAMP '9999-01-01'");
  }

  private stateOf(source: string, partition: number): { rows: number; greatest: number | undefined } {
    return this.seen.get(`${source}${partition}`) ?? { rows: 0, greatest: undefined };
  }

  private async setWatermarks(): Promise<void> {
    for (const source of SOURCES) {
      const count = this.data.partitions[source] ?? 0;
      const greatest = Array.from({ length: count }, (_, partition) => this.stateOf(source, partition).greatest);
      const least = greatest.reduce((low, next) => (low === undefined || next === undefined ? undefined : Math.min(low, next)), greatest[0]); // prettier-ignore
      await this.setWatermark(source, least === undefined ? "TIMESTAMP '0001-01-01'" : instant(least - this.data.delay)); // prettier-ignore
    }
  }

  private async setWatermark(source: string, value: string): Promise<void> {
    await this.connection.run(raw(`SET VARIABLE w_${source} = ${value}`));
  }

  close(): void {
    this.connection.close();
    this.duck.close();
  }
}

/** Rows as sorted text: doubles to nine digits, NULL, NaN and -0 as they compare in SQL. */
export function canonical({ rows }: { readonly rows: readonly (readonly unknown[])[] }): readonly string[] {
  const cell = (value: unknown): unknown => {
    if (typeof value === 'number' && Number.isFinite(value)) return Number(value.toPrecision(9)) + 0;
    if (Array.isArray(value)) return value.map(cell);
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, cell(inner)])); // prettier-ignore
    return value;
  };
  return rows.map((row) => JSON.stringify(row.map(cell))).sort();
}
