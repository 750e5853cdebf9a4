import { ident } from '../base/sql.ts';
import { expressions, isNode, text, type AstNode, type Json } from './ast.ts';
import { refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { print } from './expressions.ts';
import { tableFunction } from './from-functions.ts';
import { joinPart } from './from-joins.ts';
import { wholeFrom, type From, type FromCompiler, type FromEnvironment, type Part } from './from-part.ts';
import { constantPart, inputPart } from './from-relations.ts';
import { uncorrelated } from './needs-whole.ts';
import type { Relation } from './scope.ts';

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
  const compiler = new PartCompiler(context, environment);
  const part = await compiler.compile(from, []);
  return wholeFrom(part);
}

class PartCompiler implements FromCompiler {
  readonly context: QueryContext;
  readonly environment: FromEnvironment;

  constructor(context: QueryContext, environment: FromEnvironment) {
    this.context = context;
    this.environment = environment;
  }

  async compile(node: AstNode, left: readonly Relation[]): Promise<Part> {
    switch (node['type']) {
      case 'BASE_TABLE':
        return this.baseTable(node);
      case 'SUBQUERY':
        return this.subquery(node);
      case 'TABLE_FUNCTION':
        return tableFunction(this, node, left);
      case 'JOIN':
        return joinPart(this, node, left);
      case 'EXPRESSION_LIST':
        return constantPart(this, node, text(node['alias']) || 'valueslist', await this.valuesSql(node));
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
    if (found !== undefined) return inputPart(this, node, text(node['alias']) || name, found);
    const path = [text(node['catalog_name']), text(node['schema_name']), name].filter((part) => part !== '');
    const alias = text(node['alias']) || name.replace(/^.*[/\\]/, '').replace(/\..*$/, '');
    return constantPart(this, node, alias, `SELECT * FROM ${ident(...path).text}`);
  }

  private async subquery(node: AstNode): Promise<Part> {
    const inner = isNode(node['subquery']) ? node['subquery']['node'] : undefined;
    if (!isNode(inner)) throw refuse(this.context, node, 'this subquery is not supported');
    const alias = text(node['alias']) || this.context.nextId('$subquery');
    return inputPart(this, node, alias, await uncorrelated(() => this.environment.compileQuery(inner)));
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
