import { StreamsqlError } from '../base/errors.ts';
import { sameName, type Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import { tokenize } from '../parser/tokens.ts';
import type { MappedText } from '../parser/statements.ts';
import type { TableNode } from '../planner/plan-sources.ts';
import type { Capture, TableChange, TableService } from '../planner/table-service.ts';
import type { DuckConnection } from './duck.ts';
import { tellingApart } from './same-row.ts';
import { asBindError } from './sql-service.ts';

/** How much is known of what an epoch changed in a table; what comes later knows less. */
const KNOWLEDGE = ['nothing', 'rows', 'keys', 'all'] as const;
type Knowledge = (typeof KNOWLEDGE)[number];

interface TableState {
  readonly columns: readonly Column[];
  readonly key: readonly string[];
  /** No epoch has seen it yet: its first delta is all that it holds. */
  fresh: boolean;
  touched: Knowledge;
}

/** Where a change notes the rows, or the keys, that it touched. In the transaction of the change. */
const NOTES = 'delta';
const notesOf = (name: string): string => `$touched ${name}`;

/**
 * The user's tables, with their constraints, in the schema `tables` of the engine's own DuckDB, on a connection of their
 * own. It runs the changes and says what an epoch of them changed.
 */
export class Tables implements TableService {
  private readonly connection: DuckConnection;
  private readonly opening: TableChange[] = [];
  private readonly states = new Map<string, TableState>();

  private constructor(connection: DuckConnection) {
    this.connection = connection;
  }

  static async open(connection: DuckConnection): Promise<Tables> {
    await connection.run(sql`CREATE SCHEMA tables`);
    await connection.run(sql`SET search_path = 'tables'`);
    await connection.run(sql`SET errors_as_json = true`);
    return new Tables(connection);
  }

  async begin(): Promise<void> {
    await this.connection.run(sql`BEGIN`);
  }

  async commit(): Promise<void> {
    await this.guarded(undefined, () => this.connection.run(sql`COMMIT`));
  }

  async rollback(): Promise<void> {
    await this.connection.run(sql`ROLLBACK`).catch(() => undefined);
  }

  async setTimeZone(zone: string): Promise<void> {
    await this.connection.run(sql`SET TimeZone = ${zone}`);
  }

  async create(
    name: string,
    definition: MappedText,
  ): Promise<{ readonly columns: readonly Column[]; readonly key: readonly string[] }> {
    await this.guarded(definition, () => this.connection.run(raw(definition.text)));
    const columns = await this.connection.columns(ident('tables', name));
    const constraints = await this.connection.rows(
      sql`SELECT unnest(constraint_column_names) AS name FROM duckdb_constraints()
        WHERE schema_name = 'tables' AND lower(table_name) = lower(${name}) AND constraint_type = 'PRIMARY KEY'`,
    );
    const key = constraints.map((row) => String(row['name']));
    const noted = key.length > 0 ? columns.filter((column) => key.some((k) => sameName(k, column.name))) : columns;
    const definitions = noted.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    await this.connection.run(
      sql`CREATE OR REPLACE TABLE ${ident(NOTES, notesOf(name))} (${join(definitions)}, "$n" BIGINT)`,
    );
    this.states.set(name.toLowerCase(), { columns, key, fresh: true, touched: 'nothing' });
    return { columns, key };
  }

  async drop(name: string): Promise<void> {
    await this.guarded(undefined, () => this.connection.run(sql`DROP TABLE ${ident('tables', name)}`));
  }

  /** One script of changes, whole or not at all. */
  async apply(changes: readonly TableChange[]): Promise<void> {
    await this.begin();
    try {
      for (const change of changes) await this.change(change);
      await this.commit();
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /** What the file says to do with the tables at its start, as text. */
  get scripted(): readonly string[] {
    return this.opening.map(({ sql: text }) => statementText(text));
  }

  /** Does what the file says and an earlier run of it did not do, as it did `done`. What it did. */
  async catchUp(done: readonly string[]): Promise<readonly string[]> {
    const known = [...done];
    const news = this.opening.filter(({ sql: text }) => {
      const at = known.indexOf(statementText(text));
      if (at !== -1) known.splice(at, 1);
      return at === -1;
    });
    if (news.length > 0) await this.apply(news);
    return news.map(({ sql: text }) => statementText(text));
  }

  async change(change: TableChange): Promise<void> {
    if (this.state(change.table).fresh) this.opening.push(change);
    const { table, sql: text, capture } = change;
    const state = this.state(table);
    await this.guarded(text, async () => {
      if (state.fresh) {
        await this.connection.run(raw(text.text));
        return;
      }
      state.touched = lesser(state.touched, knowledge(state, capture));
      if (capture === 'all') await this.connection.run(raw(text.text));
      else await this.connection.runInto(returning(text, state, capture), NOTES, notesOf(table.name));
    });
  }

  /** The changes since the last `settle`, as a SELECT of the table's columns and `"$n"`; undefined where there are none. */
  delta(table: TableNode): Sql | undefined {
    const state = this.state(table);
    const columns = names(state.columns);
    const now = ident('tables', table.name);
    if (state.fresh) return sql`SELECT ${columns}, 1::BIGINT AS "$n" FROM ${now}`;
    const before = ident('res', 'main', table.name);
    const notes = ident(NOTES, notesOf(table.name));
    switch (state.touched) {
      case 'nothing':
        return undefined;
      case 'rows':
        return sql`SELECT ${columns}, "$n" FROM ${notes}`;
      case 'keys': {
        const same = state.key.map((key) => sql`t.${ident(key)} = k.${ident(key)}`);
        const only = sql` AS t SEMI JOIN ${notes} AS k ON ${join(same, ' AND ')}`;
        return difference(state.columns, sql`${now}${only}`, sql`${before}${only}`);
      }
      case 'all':
        return difference(state.columns, now, before);
    }
  }

  /** Where a run goes on: the tables hold what the results have of them, whatever the file says to do with them at its start. */
  async refill(): Promise<void> {
    const all = [...this.states];
    // Deleted and inserted in one transaction, a key would be there twice to DuckDB.
    for (const [name] of all.toReversed()) await this.connection.run(sql`DELETE FROM ${ident('tables', name)}`);
    for (const [name, state] of all) {
      const columns = names(state.columns);
      await this.connection.run(
        sql`INSERT INTO ${ident('tables', name)} (${columns}) SELECT ${columns} FROM ${ident('res', 'main', name)}`,
      );
      state.fresh = false;
    }
    await this.settle();
  }

  /** The epoch has its deltas: changes count anew. */
  async settle(): Promise<void> {
    for (const [name, state] of this.states) {
      if (state.touched !== 'nothing') await this.connection.run(sql`DELETE FROM ${ident(NOTES, notesOf(name))}`);
      state.touched = 'nothing';
      state.fresh = false;
    }
  }

  private state(table: TableNode): TableState {
    const state = this.states.get(table.name.toLowerCase());
    if (state === undefined) throw new StreamsqlError('INTERNAL', `there is no table ${table.name}`);
    return state;
  }

  private async guarded<T>(text: MappedText | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asBindError(error, text, 0);
    }
  }
}

/** A statement however it is spaced and commented. */
export const statementText = ({ text }: MappedText): string =>
  tokenize(text)
    .map((token) => token.text)
    .join(' ');

const names = (columns: readonly Column[]): Sql => join(columns.map(({ name }) => ident(name)));

/** What came and what went between two contents. */
function difference(columns: readonly Column[], now: Sql, before: Sql): Sql {
  const list = names(columns);
  const groups = join([list, ...tellingApart(columns)]);
  return sql`SELECT ${list}, sum("$n")::BIGINT AS "$n" FROM (
    SELECT ${list}, 1 AS "$n" FROM ${now} UNION ALL SELECT ${list}, -1 FROM ${before}) GROUP BY ${groups} HAVING sum("$n") <> 0`;
}

function knowledge(state: TableState, capture: Capture): Knowledge {
  if (capture === 'all') return 'all';
  return state.key.length > 0 ? 'keys' : 'rows';
}

const lesser = (a: Knowledge, b: Knowledge): Knowledge => (KNOWLEDGE.indexOf(a) > KNOWLEDGE.indexOf(b) ? a : b);

function returning(text: MappedText, state: TableState, capture: Capture): Sql {
  const list =
    state.key.length > 0 ? state.columns.filter((c) => state.key.some((k) => sameName(k, c.name))) : state.columns;
  return sql`${raw(text.text)} RETURNING ${names(list)}, ${capture === 'deleted' ? -1 : 1}::BIGINT`;
}
