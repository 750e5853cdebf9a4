import { StreamsqlError } from '../base/errors.ts';
import type { Column } from '../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../base/sql.ts';
import { fromBytes, fromCodePoints } from '../parser/locate.ts';
import type { MappedText } from '../parser/statements.ts';
import {
  expressions,
  fingerprint,
  isNode,
  nodes,
  parseAst,
  text,
  type AstNode,
  type Expression,
} from '../planner/ast.ts';
import type { SqlService } from '../planner/sql-service.ts';
import type { DuckConnection } from './duck.ts';
import { metaTables } from './results-schema.ts';

/** Functions of the dialect that DuckDB does not know, as far as its binder must see them. */
const STAND_INS = [
  ...['tumble', 'tumble_start', 'tumble_end', 'tumble_rowtime', 'tumble_proctime'].map(
    (name) => `${name}(ts, size) AS time_bucket(size, ts), (ts, size, moved) AS time_bucket(size, ts, moved)`,
  ),
  ...['hop', 'hop_start', 'hop_end', 'hop_rowtime', 'hop_proctime', 'cumulate'].map(
    (name) =>
      `${name}(ts, slide, size) AS time_bucket(slide, ts, size), (ts, slide, size, moved) AS time_bucket(slide, ts, size + moved)`,
  ),
  ...['session', 'session_start', 'session_end', 'session_rowtime', 'session_proctime'].map(
    (name) => `${name}(ts, gap) AS time_bucket(gap, ts)`,
  ),
];

type FunctionKind = ReturnType<SqlService['functionKind']>;

/** DuckDB as the planner's parser, printer and binder, on a connection of its own. */
export async function openSqlService(connection: DuckConnection): Promise<SqlService> {
  await connection.run(sql`CREATE SCHEMA IF NOT EXISTS plan`);
  await connection.run(sql`SET search_path = 'plan,main'`);
  for (const macro of STAND_INS) await connection.run(raw(`CREATE OR REPLACE MACRO plan.${macro}`));
  // The record of a run is there to be bound against too.
  await connection.run(sql`CREATE SCHEMA ${ident('_streamsql')}`);
  for (const table of metaTables((name) => ident('_streamsql', name))) await connection.run(table);
  const kinds = await functionKinds(connection);
  return new DuckSqlService(connection, kinds);
}

async function functionKinds(connection: DuckConnection): Promise<ReadonlyMap<string, FunctionKind>> {
  const rows = await connection.rows(
    sql`SELECT DISTINCT function_name AS name, function_type AS type, stability FROM duckdb_functions() WHERE database_name = 'system' OR schema_name = 'main'`,
  );
  const kinds = new Map<string, FunctionKind>();
  for (const row of rows) {
    const name = String(row['name']);
    const kind: FunctionKind =
      row['stability'] === 'VOLATILE' && name !== 'error' ? 'volatile'
      : row['stability'] === 'CONSISTENT_WITHIN_QUERY' ? 'time'
      : row['type'] === 'aggregate' ? 'aggregate'
      : String(row['type']).includes('table') ? 'table'
      : 'scalar'; // prettier-ignore
    // A name may be both, as list() or first(); the aggregate decides how a block is compiled.
    if (kinds.get(name) !== 'aggregate') kinds.set(name, kind);
  }
  for (const name of SESSION_FUNCTIONS) kinds.set(name, 'time');
  return kinds;
}

/** They answer for the session, not for the data. */
const SESSION_FUNCTIONS = [
  'current_setting',
  'getvariable',
  'current_user',
  'session_user',
  'version',
  'current_localtime',
  'current_localtimestamp',
];

class DuckSqlService implements SqlService {
  private readonly connection: DuckConnection;
  private readonly kinds: ReadonlyMap<string, FunctionKind>;

  constructor(connection: DuckConnection, kinds: ReadonlyMap<string, FunctionKind>) {
    this.connection = connection;
    this.kinds = kinds;
  }

  functionKind(name: string): FunctionKind {
    return this.kinds.get(name.toLowerCase()) ?? 'unknown';
  }

  async parse(query: MappedText): Promise<AstNode> {
    const answer = parseAst(await this.connection.call(sql`SELECT json_serialize_sql(?::VARCHAR)`, query.text));
    if (answer['error'] === true) {
      const message = text(answer['error_message']);
      const at = Number(answer['position'] ?? Number.NaN);
      if (message.startsWith('Only SELECT statements'))
        throw new StreamsqlError('UNSUPPORTED', 'this query holds a statement that is no SELECT', {
          span: query.span,
          hint: "for PIVOT write a column for each value: sum(x) FILTER (k = 'a') AS a",
        });
      throw new StreamsqlError('SYNTAX', firstLine(message), {
        span: Number.isNaN(at) ? query.span : fromCodePoints(query, at),
      });
    }
    const statements = nodes(answer['statements']);
    const [statement] = statements;
    const node = statement?.['node'];
    if (!isNode(node) || statements.length !== 1)
      throw new StreamsqlError('SYNTAX', 'this is not one SELECT', { span: query.span });
    return node;
  }

  async print(expression: Expression): Promise<string> {
    const printed = await this.connection.call(
      sql`SELECT json_deserialize_sql(?::JSON)`,
      JSON.stringify(selectOf(expression)),
    );
    const body = printed.replace(/^SELECT /, '');
    const back = parseAst(await this.connection.call(sql`SELECT json_serialize_sql(?::VARCHAR)`, printed));
    const parsed = nodes(back['statements'])[0]?.['node'];
    const again = isNode(parsed) ? expressions(parsed['select_list'])[0] : undefined;
    if (again === undefined || normal(again) !== normal(expression)) {
      throw new StreamsqlError('UNSUPPORTED', `an expression does not survive being printed: ${body}`, {
        hint: 'write it in another way',
      });
    }
    return body;
  }

  printQuery(node: AstNode): Promise<string> {
    const tree = { error: false, statements: [{ node, named_param_map: [] }] };
    return this.connection.call(sql`SELECT json_deserialize_sql(?::JSON)`, JSON.stringify(tree));
  }

  async describe(select: Sql): Promise<readonly Column[]> {
    try {
      return await this.connection.columns(select);
    } catch (error) {
      throw asBindError(error, undefined);
    }
  }

  async bind(bound: MappedText): Promise<readonly Column[]> {
    await this.connection.run(sql`SET errors_as_json = true`);
    try {
      const rows = await this.connection.rows(raw(DESCRIBE + bound.text));
      return rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
    } catch (error) {
      throw asBindError(error, bound);
    } finally {
      await this.connection.run(sql`SET errors_as_json = false`);
    }
  }

  async declare(name: string, columns: readonly Column[]): Promise<void> {
    const nameless = columns.find((column) => NAMELESS_FIELDS.test(column.type));
    if (nameless !== undefined)
      throw new StreamsqlError('UNSUPPORTED', `the column ${nameless.name} is a struct whose fields have no names`, {
        hint: "name them: {'a': …, 'b': …}, or struct_pack(a := …, b := …)",
      });
    const definitions = columns.map((column) => sql`${ident(column.name)} ${raw(column.type)}`);
    await this.connection.run(sql`CREATE OR REPLACE TABLE ${ident('plan', name)} (${join(definitions)})`);
  }

  async undeclare(name: string): Promise<void> {
    await this.connection.run(sql`DROP TABLE IF EXISTS ${ident('plan', name)}`);
  }

  async interval(expression: Expression): Promise<{ months: number; micros: bigint } | undefined> {
    let constant = true;
    const check = (value: unknown): void => {
      if (Array.isArray(value)) value.forEach(check);
      else if (typeof value === 'object' && value !== null && !JSON.isRawJSON(value)) {
        const node = value as AstNode;
        if (node['class'] === 'COLUMN_REF' || node['class'] === 'SUBQUERY') constant = false;
        Object.values(node).forEach(check);
      }
    };
    check(expression);
    if (!constant) return undefined;
    const printed = await this.print({ ...expression, alias: '' });
    try {
      const answer = await this.connection.text(
        sql`SELECT datepart('year', i) * 12 + datepart('month', i) || ' ' || (epoch_us(i - to_months(CAST(datepart('year', i) * 12 + datepart('month', i) AS INTEGER)))) FROM (SELECT ${raw(printed)} AS i) WHERE typeof(i) = 'INTERVAL'`,
      );
      const [months, micros] = (answer ?? '').split(' ');
      return months === undefined || micros === undefined
        ? undefined
        : { months: Number(months), micros: BigInt(micros) };
    } catch {
      return undefined;
    }
  }
}

/** `ROW(a, b)` has such a type, and no table can have it. */
const NAMELESS_FIELDS = /STRUCT\((?!"|\w+ (?!WITH TIME ZONE))/;

/** Positions in errors count from its start. */
const DESCRIBE = 'DESCRIBE ';

/** What must be equal after printing and parsing; DOUBLE constants come back inside their cast. */
const normal = (expression: Expression): string =>
  fingerprint(expression).replaceAll(/"(schema|catalog)":"[^"]*"/g, '');

function selectOf(expression: Expression): AstNode {
  return {
    error: false,
    statements: [
      {
        node: {
          type: 'SELECT_NODE', modifiers: [], cte_map: { map: [] }, select_list: [expression],
          from_table: { type: 'EMPTY', alias: '', sample: null, query_location: 0 },
          where_clause: null, group_expressions: [], group_sets: [], aggregate_handling: 'STANDARD_HANDLING',
          having: null, sample: null, qualify: null,
        },
        named_param_map: [],
      },
    ],
  }; // prettier-ignore
}

/**
 * DuckDB's error as ours. With errors_as_json it carries a position: the binder's counts bytes, the parser's code points.
 * `before`: how much stands before the user's text.
 */
export function asBindError(error: unknown, bound: MappedText | undefined, before = DESCRIBE.length): StreamsqlError {
  const message = error instanceof Error ? error.message : String(error);
  const json = /\{.*\}/s.exec(message)?.[0];
  let details: Record<string, string | undefined> = {};
  try {
    details = json === undefined ? {} : (JSON.parse(json) as Record<string, string | undefined>);
  } catch {
    details = {};
  }
  const syntax = (details['exception_type'] ?? message).startsWith('Parser');
  const said = inOurWords(firstLine(details['exception_message'] ?? message));
  const at = Number(details['position'] ?? Number.NaN) - before;
  const candidates = details['candidates'];
  const span =
    bound === undefined || Number.isNaN(at) ? bound?.span : syntax ? fromCodePoints(bound, at) : fromBytes(bound, at);
  const constraint = details['exception_type'] === 'Constraint';
  return new StreamsqlError(syntax ? 'SYNTAX' : constraint ? 'CONSTRAINT' : 'BIND', said, {
    span,
    hint:
      said.startsWith('Scalar Function with name proctime ') ? 'declare it as a column of the source: pt AS PROCTIME()'
      : candidates === undefined || candidates.includes('(') ? undefined
      : `did you mean ${candidates.split(',')[0]?.trim()}?`, // prettier-ignore
    cause: error,
  });
}

/** The catalog that the binder sees is none of the user's business. */
const inOurWords = (message: string): string => {
  if (message.startsWith('Could not ORDER BY column'))
    return 'the ORDER BY of a set operation takes its columns, by name or position';
  return message.replaceAll('memory.plan.', '').replaceAll(/\bplan\.(?=\w)/g, '');
};

const firstLine = (message: string): string =>
  (message.split('\n')[0] ?? message).replace(/^(Binder|Catalog|Parser|Conversion|Invalid Input) Error: /, '').trim();
