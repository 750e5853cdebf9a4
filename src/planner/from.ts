import { ident, raw } from '../base/sql.ts';
import { sameName } from '../base/schema.ts';
import {
  columnRef,
  conjuncts,
  expressions,
  isExpression,
  isNode,
  text,
  walk,
  columnPath,
  type AstNode,
  type Expression,
  type Json,
} from './ast.ts';
import { checkExpression } from './check.ts';
import { StreamsqlError } from '../base/errors.ts';
import { NeedsWhole } from './needs-whole.ts';
import { newDemand, refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { print } from './expressions.ts';
import type { PlanColumn, StaticNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
import { asofJoin } from './asof-join.ts';
import { versionedJoin } from './temporal-join.ts';
import { fromOf, gather, renamed, within, type Gathered, type Mentioned } from './gather.ts';
import { matchNode, type MatchKind } from './match-node.ts';
import { sessionNode } from './session-node.ts';
import { readWindowCall, windowNode, WINDOW_FUNCTIONS } from './window-calls.ts';

/** A FROM clause, compiled: what can be named in it, its text, and the conditions of its inner joins. */
export interface From {
  readonly scope: Scope;
  /** With `$inN` in place of the inputs. */
  readonly sql: string;
  readonly conditions: readonly Expression[];
  /** Expressions stand in `sql` itself (lateral functions, outer joins): which columns they read is not followed. */
  readonly opaque: boolean;
}

export interface FromEnvironment {
  /** A window call in FROM, by itself. */
  compileRelation?: ((node: AstNode) => Promise<Relational>) | undefined;
  /** The columns that the block names anywhere; undefined: all, where it has a star. */
  readonly mentioned?: Mentioned;
  /** A query in parentheses, a CTE, a view. */
  compileQuery(node: AstNode): Promise<Relational>;
  lookup(name: string, at: AstNode): Promise<Relational | undefined>;
  /** A window that the GROUP BY asks for, by the column that it is on: wraps the relation that has the column. */
  wrap?: ((relational: Relational, alias: string) => Promise<Relational>) | undefined;
}

interface Part {
  readonly relations: readonly Relation[];
  readonly sql: string;
  readonly conditions: readonly Expression[];
  readonly streaming: boolean;
  readonly opaque: boolean;
}

/** The relation of a window call that stands alone. */
export async function compileWindowCall(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  const from = await compileFrom(context, environment, node);
  const found = from.scope.relations.find((relation) => relation.input !== undefined);
  if (found?.input === undefined) throw refuse(context, node, 'this window is not supported here');
  return { node: found.input.node, columns: found.columns };
}

/** Compiles the FROM clause of a block. Refuses joins that are not supported, pointing at them. */
export async function compileFrom(context: QueryContext, environment: FromEnvironment, from: AstNode): Promise<From> {
  const compiler = new FromCompiler(context, environment, () => context.nextId('$in'));
  const part = await compiler.compile(from, []);
  return { scope: new Scope(part.relations), sql: part.sql, conditions: part.conditions, opaque: part.opaque };
}

class FromCompiler {
  private readonly context: QueryContext;
  private readonly environment: FromEnvironment;
  private readonly placeholder: () => string;

  constructor(context: QueryContext, environment: FromEnvironment, placeholder: () => string) {
    this.context = context;
    this.environment = environment;
    this.placeholder = placeholder;
  }

  /** `left`: the relations to the left, which a lateral function may name. */
  async compile(node: AstNode, left: readonly Relation[]): Promise<Part> {
    switch (node['type']) {
      case 'BASE_TABLE':
        return this.baseTable(node);
      case 'SUBQUERY':
        return this.subquery(node);
      case 'TABLE_FUNCTION':
        return this.tableFunction(node, left);
      case 'JOIN':
        return this.join(node, left);
      case 'EXPRESSION_LIST':
        return this.constant(node, text(node['alias']) || 'valueslist', await this.valuesSql(node));
      case 'EMPTY_FROM':
      case 'EMPTY':
        throw refuse(this.context, node, 'a view reads from a source; this SELECT has no FROM');
      case 'PIVOT':
        throw refuse(this.context, node, 'PIVOT and UNPIVOT are not supported in a view', PIVOT_HINT);
      default:
        throw refuse(this.context, node, `${text(node['type'])} in FROM is not supported`);
    }
  }

  private async baseTable(node: AstNode): Promise<Part> {
    const name = text(node['table_name']);
    if (isNode(node['at_clause']))
      throw refuse(
        this.context,
        node,
        'FOR SYSTEM_TIME AS OF stands on the right side of a join',
        'l JOIN r FOR SYSTEM_TIME AS OF l.ts AS r ON l.id = r.id',
      );
    if (isNode(node['sample']))
      throw refuseWord(
        this.context,
        node,
        'TABLESAMPLE',
        'a sample is random, so a view with it would have no meaning',
        'take rows by what they hold, such as id % 10 = 0',
      );
    const found = await this.environment.lookup(name, node);
    if (found !== undefined) return this.input(node, text(node['alias']) || name, found);
    const path = [text(node['catalog_name']), text(node['schema_name']), name].filter((part) => part !== '');
    const alias = text(node['alias']) || name.replace(/^.*[/\\]/, '').replace(/\..*$/, '');
    return this.constant(node, alias, `SELECT * FROM ${ident(...path).text}`);
  }

  private async subquery(node: AstNode): Promise<Part> {
    const inner = isNode(node['subquery']) ? node['subquery']['node'] : undefined;
    if (!isNode(inner)) throw refuse(this.context, node, 'this subquery is not supported');
    const alias = text(node['alias']) || this.context.nextId('$subquery');
    return this.input(node, alias, await uncorrelated(() => this.environment.compileQuery(inner)));
  }

  private async tableFunction(node: AstNode, left: readonly Relation[]): Promise<Part> {
    const call = node['function'];
    if (!isExpression(call)) throw refuse(this.context, node, 'this table function is not supported');
    const name = text(call['function_name']).toLowerCase();
    if (WINDOW_FUNCTIONS.has(name)) return this.windowFunction(node, call);
    const scope = new Scope(left);
    const argumentsRead = scope.reads(call['children'] ?? null);
    const alias = text(node['alias']) || name;
    if (argumentsRead.length === 0 && name !== 'unnest') {
      return this.constant(node, alias, `SELECT * FROM ${await print(this.context.service, call)}`);
    }
    checkExpression(this.context, call);
    const printed = await print(this.context.service, scope.qualify(call));
    const ordinality = node['with_ordinality'] === 'WITH_ORDINALITY' ? ' WITH ORDINALITY' : '';
    const names = columnAliases(node);
    const declared = names.length > 0 ? `(${names.map((column) => ident(column).text).join(', ')})` : '';
    const sql = `${printed}${ordinality} AS ${ident(alias).text}${declared}`;
    const tables = left.map((relation) => relationOf(relation));
    // Not by `alias.*`: DuckDB finds the alias of UNNEST … WITH ORDINALITY twice.
    const described = await this.context.service.describe(raw(`SELECT * FROM ${[...tables, sql].join(', ')}`));
    const columns = described.slice(left.reduce((sum, relation) => sum + relation.columns.length, 0));
    return {
      relations: [{ alias, columns, input: undefined, merged: new Set() }],
      sql,
      conditions: [],
      streaming: false,
      opaque: true,
    };
  }

  private async windowFunction(node: AstNode, call: Expression): Promise<Part> {
    const window = await readWindowCall(this.context, call, true);
    const data = window.data;
    let input: Relational | undefined;
    let name = text(call['function_name']);
    if (
      data !== undefined &&
      data.class === 'SUBQUERY' &&
      isNode(data['subquery']) &&
      isNode(data['subquery']['node'])
    ) {
      input = await this.environment.compileQuery(data['subquery']['node']);
    } else if (data !== undefined && data.type === 'COLUMN_REF') {
      name = columnPath(data).at(-1) ?? name;
      input = await this.environment.lookup(name, data);
    }
    if (input === undefined) {
      throw refuse(this.context, data ?? node, 'the first argument of a window is a source, a view or a subquery');
    }
    const { shape } = window;
    const { mentioned } = this.environment;
    input = await renamed(this.context, input);
    const made =
      shape === 'session'
        ? await sessionNode(this.context, input, window, name, mentioned)
        : await windowNode(this.context, input, { ...window, shape });
    return this.input(node, text(node['alias']) || name, { node: made, columns: made.columns });
  }

  private async join(node: AstNode, before: readonly Relation[]): Promise<Part> {
    const [leftNode, rightNode] = [node['left'], node['right']];
    if (!isNode(leftNode) || !isNode(rightNode)) throw refuse(this.context, node, 'this join is not supported');
    const left = await this.compile(leftNode, before);
    const type = text(node['join_type']);
    const reference = text(node['ref_type']);
    const moment = isNode(rightNode['at_clause']) ? rightNode['at_clause']['expr'] : undefined;
    if (reference === 'ASOF' || isExpression(moment)) return this.pick(node, left, rightNode, moment);
    const right = await this.compile(rightNode, [...before, ...left.relations]);
    if (reference !== 'REGULAR' && reference !== 'CROSS' && reference !== 'NATURAL') {
      throw refuse(
        this.context,
        node,
        `${reference} joins are not supported: rows of a stream have no place`,
        'join by what the rows hold',
      );
    }
    const { conditions, merged } = this.joinConditions(node, left.relations, right.relations);
    const relations = [...left.relations, ...right.relations.map((relation) => withMerged(relation, merged))];
    if (type === 'INNER') {
      return {
        relations,
        sql: `${left.sql} CROSS JOIN ${right.sql.includes(' JOIN ') ? `(${right.sql})` : right.sql}`,
        conditions: [...left.conditions, ...right.conditions, ...conditions],
        streaming: left.streaming || right.streaming,
        opaque: left.opaque || right.opaque,
      };
    }
    const linear = left.streaming && !right.streaming && ['LEFT', 'SEMI', 'ANTI'].includes(type);
    if ((left.streaming || right.streaming) && !linear) return this.match(node, type, left, right, before);
    const scope = new Scope(relations);
    const on = [...right.conditions, ...conditions].map((condition) => scope.qualify(condition));
    on.forEach((condition) => checkExpression(this.context, condition));
    const printed = await Promise.all(on.map((condition) => print(this.context.service, condition)));
    return {
      relations: type === 'SEMI' || type === 'ANTI' ? [...left.relations, ...unseen(right.relations)] : relations,
      sql: `${left.sql.includes(' JOIN ') ? `(${left.sql})` : left.sql} ${type} JOIN ${right.sql.includes(' JOIN ') ? `(${right.sql})` : right.sql} ON (${printed.join(' AND ') || 'true'})`,
      conditions: left.conditions,
      streaming: left.streaming,
      opaque: true,
    };
  }

  /** ON, USING and NATURAL as conditions over the columns of both sides. */
  private joinConditions(
    node: AstNode,
    left: readonly Relation[],
    right: readonly Relation[],
  ): { conditions: readonly Expression[]; merged: ReadonlySet<string> } {
    if (isExpression(node['condition'])) return { conditions: conjuncts(node['condition']), merged: new Set() };
    const [leftScope, rightScope] = [new Scope(left), new Scope(right)];
    const named = (Array.isArray(node['using_columns']) ? node['using_columns'] : []).map((name: Json) => text(name));
    const natural = node['ref_type'] === 'NATURAL';
    const shared = natural
      ? left
          .filter((relation) => relation.hidden !== true && relation.starless !== true)
          .flatMap((relation) => relation.columns.map((column) => column.name))
          .filter((name) =>
            right.some(
              (relation) => relation.hidden !== true && relation.columns.some((column) => sameName(column.name, name)),
            ),
          )
      : named;
    const conditions = shared.map((name) => {
      const [l, r] = [leftScope.find([name]), rightScope.find([name])];
      if (l === undefined || r === undefined)
        throw refuse(this.context, node, `the column ${name} of USING is not one column on each side`);
      return comparison(columnRef(l.relation.alias, l.column.name), columnRef(r.relation.alias, r.column.name));
    });
    return { conditions, merged: new Set(shared.map((name) => name.toLowerCase())) };
  }

  /** Outer, semi and anti joins become a node of their own, which stands for the relations of both sides. */
  private async match(
    node: AstNode,
    type: string,
    left: Part,
    right: Part,
    before: readonly Relation[],
  ): Promise<Part> {
    if (!['LEFT', 'RIGHT', 'FULL', 'OUTER', 'SEMI', 'ANTI'].includes(type))
      throw refuse(this.context, node, `${type} JOIN of streams is not supported`);
    if (before.length > 0 && [left, right].some((part) => part.opaque))
      throw refuse(this.context, node, 'LATERAL inside an outer join of streams is not supported');
    const kind = (type === 'OUTER' ? 'FULL' : type) as MatchKind;
    const { conditions, merged } = this.joinConditions(node, left.relations, right.relations);
    const sides: Gathered[] = [];
    for (const part of [left, right]) {
      const from = {
        scope: new Scope(part.relations),
        sql: part.sql,
        conditions: part.conditions,
        opaque: part.opaque,
      };
      sides.push(await gather(this.context, from, [], this.environment.mentioned));
    }
    const [l, r] = sides as [Gathered, Gathered];
    const coalesced = kind === 'RIGHT' || kind === 'FULL' ? [...merged] : [];
    const made = await matchNode(this.context, {
      kind,
      left: l,
      right: r,
      on: conditions,
      innerFirst: false,
      using: coalesced,
      at: node,
    });
    return this.standing(
      made,
      left.relations.filter((relation) => relation.hidden !== true).length,
      merged,
      made.using,
    );
  }

  /** ASOF joins and those FOR SYSTEM_TIME AS OF become a node of their own, as outer joins do. */
  private async pick(node: AstNode, left: Part, rightNode: AstNode, moment: Json | undefined): Promise<Part> {
    const right = await this.compile(
      isExpression(moment) ? { ...rightNode, at_clause: null } : rightNode,
      left.relations,
    );
    const { conditions, merged } = this.joinConditions(node, left.relations, right.relations);
    const fromOf = (part: Part): From => ({
      scope: new Scope(part.relations),
      sql: part.sql,
      conditions: part.conditions,
      opaque: part.opaque,
    });
    const on = text(node['ref_type']) === 'ASOF' && merged.size > 0 ? lastAsInequality(conditions) : conditions;
    const request = {
      type: text(node['join_type']),
      left: fromOf(left),
      right: fromOf(right),
      on,
      mentioned: this.environment.mentioned,
      at: node,
    };
    const made = isExpression(moment)
      ? await versionedJoin(this.context, { ...request, moment, table: rightNode })
      : await asofJoin(this.context, request);
    return this.standing(made, left.relations.filter((relation) => relation.hidden !== true).length, merged, []);
  }

  private standing(
    made: Gathered,
    leftCount: number,
    merged: ReadonlySet<string>,
    using: readonly { column: PlanColumn; name: string }[],
  ): Part {
    const from = fromOf(this.context, made);
    const physical = from.scope.relations.at(-1);
    const alias = this.context.nextId('$using');
    const synthetic =
      using.length === 0 || physical === undefined
        ? []
        : [
            within(
              { alias, columns: using.map(({ column }) => column), input: undefined, merged: new Set() },
              physical,
              using.map(({ name }) => name),
            ),
          ];
    const map = new Map(using.map(({ column }) => [column.name.toLowerCase(), alias]));
    const relations = from.scope.relations.map((relation, i) => {
      if (relation.hidden === true) return relation;
      if (i >= leftCount) return withMerged(relation, merged);
      return using.length === 0 ? relation : { ...withMerged(relation, merged), using: map };
    });
    return {
      relations: [...relations, ...synthetic.map((relation) => ({ ...relation, starless: true }))],
      sql: from.sql,
      conditions: [],
      streaming: true,
      opaque: false,
    };
  }

  private async input(node: AstNode, alias: string, found: Relational): Promise<Part> {
    const wrapped = this.environment.wrap === undefined ? found : await this.environment.wrap(found, alias);
    const names = columnAliases(node);
    const columns: readonly PlanColumn[] = wrapped.columns.map((column, i) => ({
      ...column,
      name: names[i] ?? column.name,
    }));
    const renames = columns.some((column, i) => column.name !== wrapped.node.columns[i]?.name);
    const relation: Relation = { alias, columns, input: undefined, merged: new Set() };
    const streaming = wrapped.node.kind !== 'static';
    if (renames) {
      const names = wrapped.node.columns.map((column) => column.name);
      const from = fromOf(this.context, { node: wrapped.node, relations: [{ relation, names }] });
      return { relations: from.scope.relations, sql: from.sql, conditions: [], streaming, opaque: false };
    }
    const placeholder = this.placeholder();
    return {
      relations: [{ ...relation, input: { placeholder, node: wrapped.node } }],
      sql: `${ident(placeholder).text} AS ${ident(alias).text}`,
      conditions: [],
      streaming,
      opaque: false,
    };
  }

  private async constant(node: AstNode, alias: string, sql: string): Promise<Part> {
    const id = this.context.nextId('static');
    const columns = await this.context.service.describe(raw(sql));
    await this.context.service.declare(id, columns);
    const made: StaticNode = { kind: 'static', id, columns, appendOnly: true, demand: newDemand(), sql };
    return this.input(node, alias, { node: made, columns });
  }

  private async valuesSql(node: AstNode): Promise<string> {
    const rows = Array.isArray(node['values']) ? node['values'] : [];
    const printed = await Promise.all(
      rows.map(async (row: Json) => {
        const cells = await Promise.all(expressions(row).map((cell) => print(this.context.service, cell)));
        return `(${cells.join(', ')})`;
      }),
    );
    return `SELECT * FROM (VALUES ${printed.join(', ')})`;
  }
}

const PIVOT_HINT =
  "write a column for each value: sum(x) FILTER (k = 'a') AS a; or a row for each column, with UNION ALL";

/** Compiles a subquery by itself: a name that only the query around it has makes that one be answered as a whole. */
export async function uncorrelated<T>(compile: () => Promise<T>): Promise<T> {
  try {
    return await compile();
  } catch (error) {
    if (error instanceof StreamsqlError && error.code === 'BIND') throw new NeedsWhole();
    throw error;
  }
}

/** The right side of a SEMI or ANTI JOIN: its placeholder stands in the text, but its columns are not to be named. */
const unseen = (relations: readonly Relation[]): readonly Relation[] =>
  relations.filter((relation) => relation.input !== undefined).map((relation) => ({ ...relation, hidden: true }));

/** A relation as something to bind against. */
export function relationOf(relation: Relation): string {
  const alias = ident(relation.alias).text;
  if (relation.input === undefined) {
    const cells = relation.columns.map((column) => `CAST(NULL AS ${column.type}) AS ${ident(column.name).text}`);
    return `(SELECT ${cells.join(', ')}) AS ${alias}`;
  }
  const names = relation.columns.map((column) => ident(column.name).text).join(', ');
  return `plan.${ident(relation.input.node.id).text} AS ${alias}(${names})`;
}

/** The nodes of a query tree that are base tables, for asking whether a name is used. */
export function baseTables(tree: AstNode): readonly AstNode[] {
  const found: AstNode[] = [];
  walk(tree, (node) => {
    if (node['type'] === 'BASE_TABLE') found.push(node);
  });
  return found;
}

const columnAliases = (node: AstNode): readonly string[] =>
  (Array.isArray(node['column_name_alias']) ? node['column_name_alias'] : []).map((name: Json) => text(name));

const withMerged = (relation: Relation, merged: ReadonlySet<string>): Relation => ({
  ...relation,
  merged: new Set([
    ...relation.merged,
    ...relation.columns.map((column) => column.name.toLowerCase()).filter((name) => merged.has(name)),
  ]),
});

/** In the USING of an ASOF JOIN the last column is the one that is not after the left side's. */
const lastAsInequality = (conditions: readonly Expression[]): readonly Expression[] =>
  conditions.map((condition, i) =>
    i === conditions.length - 1 ? { ...condition, type: 'COMPARE_GREATERTHANOREQUALTO' } : condition,
  );

function comparison(left: Expression, right: Expression): Expression {
  return {
    class: 'COMPARISON',
    type: 'COMPARE_EQUAL',
    alias: '',
    query_location: left['query_location'] ?? 0,
    left,
    right,
  };
}
