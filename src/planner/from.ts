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
import { newDemand, refuse, type QueryContext, type Relational } from './context.ts';
import { print } from './expressions.ts';
import type { PlanColumn, StaticNode } from './plan.ts';
import { Scope, type Relation } from './scope.ts';
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

/** Compiles the FROM clause of a block. Refuses joins that are not supported, pointing at them. */
export async function compileFrom(context: QueryContext, environment: FromEnvironment, from: AstNode): Promise<From> {
  let inputs = 0;
  const compiler = new FromCompiler(context, environment, () => `$in${inputs++}`);
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
      default:
        throw refuse(this.context, node, `${text(node['type'])} in FROM is not supported`);
    }
  }

  private async baseTable(node: AstNode): Promise<Part> {
    const name = text(node['table_name']);
    if (isNode(node['at_clause']))
      throw refuse(this.context, node, 'FOR SYSTEM_TIME AS OF joins are not supported yet');
    if (isNode(node['sample']))
      throw refuse(this.context, node, 'a sample is random, so a view with it would have no meaning');
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
    return this.input(node, alias, await this.environment.compileQuery(inner));
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
    const columns = await this.context.service.describe(
      raw(`SELECT ${ident(alias).text}.* FROM ${[...tables, sql].join(', ')}`),
    );
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
    const windowed = await this.windowed(input, window);
    return this.input(node, text(node['alias']) || name, windowed);
  }

  private async windowed(input: Relational, window: Parameters<typeof windowNode>[2]): Promise<Relational> {
    const made = await windowNode(this.context, input, window);
    return { node: made, columns: made.columns };
  }

  private async join(node: AstNode, before: readonly Relation[]): Promise<Part> {
    const [leftNode, rightNode] = [node['left'], node['right']];
    if (!isNode(leftNode) || !isNode(rightNode)) throw refuse(this.context, node, 'this join is not supported');
    const left = await this.compile(leftNode, before);
    const right = await this.compile(rightNode, [...before, ...left.relations]);
    const type = text(node['join_type']);
    const reference = text(node['ref_type']);
    if (reference !== 'REGULAR' && reference !== 'CROSS' && reference !== 'NATURAL') {
      throw refuse(this.context, node, `${reference} joins are not supported yet`);
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
    if (right.streaming || !['LEFT', 'SEMI', 'ANTI'].includes(type)) {
      throw refuse(
        this.context,
        node,
        `${type} JOIN of streams is not supported yet`,
        'inner joins are; so is a LEFT JOIN whose right side is a file that does not change',
      );
    }
    const scope = new Scope(relations);
    const on = [...right.conditions, ...conditions].map((condition) => scope.qualify(condition));
    on.forEach((condition) => checkExpression(this.context, condition));
    const printed = await Promise.all(on.map((condition) => print(this.context.service, condition)));
    return {
      relations: type === 'LEFT' ? relations : [...left.relations],
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
          .flatMap((relation) => relation.columns.map((column) => column.name))
          .filter((name) => right.some((relation) => relation.columns.some((column) => sameName(column.name, name))))
      : named;
    const conditions = shared.map((name) => {
      const [l, r] = [leftScope.resolve([name]), rightScope.resolve([name])];
      if (l === undefined || r === undefined)
        throw refuse(this.context, node, `the column ${name} of USING is not one column on each side`);
      return comparison(columnRef(l.relation.alias, l.column.name), columnRef(r.relation.alias, r.column.name));
    });
    return { conditions, merged: new Set(shared.map((name) => name.toLowerCase())) };
  }

  private async input(node: AstNode, alias: string, found: Relational): Promise<Part> {
    const wrapped = this.environment.wrap === undefined ? found : await this.environment.wrap(found, alias);
    if (!wrapped.node.appendOnly && !['table', 'select'].includes(wrapped.node.kind)) {
      throw refuse(
        this.context,
        node,
        `${alias} changes rows that it gave before, and views over changing results are not supported yet`,
        'end the view that it comes from with EMIT ON WINDOW CLOSE',
      );
    }
    const names = columnAliases(node);
    const columns: readonly PlanColumn[] = wrapped.columns.map((column, i) => ({
      ...column,
      name: names[i] ?? column.name,
    }));
    const placeholder = this.placeholder();
    const renames = columns.some((column, i) => column.name !== wrapped.node.columns[i]?.name);
    const renamed = renames ? `(${columns.map((column) => ident(column.name).text).join(', ')})` : '';
    return {
      relations: [{ alias, columns, input: { placeholder, node: wrapped.node }, merged: new Set() }],
      sql: `${ident(placeholder).text} AS ${ident(alias).text}${renamed}`,
      conditions: [],
      streaming: wrapped.node.kind !== 'static',
      opaque: renames,
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
