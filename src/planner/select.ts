import { expressions, isNode, nodes, text, type AstNode } from './ast.ts';
import { compileAggregate } from './aggregate.ts';
import { hasAggregates, resolveBlock, type Block } from './block.ts';
import { checkModifiers } from './check.ts';
import { refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { baseTables, compileFrom, type FromEnvironment } from './from.ts';
import { groupWindow } from './group-window.ts';
import { selectNode } from './select-node.ts';

/** Compiles one SELECT … FROM … WHERE … GROUP BY … HAVING. */
export async function compileSelect(
  context: QueryContext,
  environment: FromEnvironment,
  node: AstNode,
): Promise<Relational> {
  checkModifiers(context, node);
  const fromNode = node['from_table'];
  if (!isNode(fromNode)) throw refuse(context, node, 'a view reads from a source; this SELECT has no FROM');
  const window = await groupWindow(context, expressions(node['group_expressions']));
  const from = await compileFrom(context, { ...environment, wrap: window?.wrap }, fromNode);
  if (window !== undefined && window.alias() === undefined) {
    throw refuse(context, window.call, 'the time column of this window is no column of the tables in FROM');
  }
  const block = await resolveBlock(context, from, node, window);
  const grouped = block.groups.length > 0 || node['aggregate_handling'] === 'FORCE_AGGREGATES' || hasAggregates(block);
  if (
    nodes(node['group_expressions']).length > 0 &&
    Array.isArray(node['group_sets']) &&
    node['group_sets'].length > 1
  ) {
    throw refuseWord(
      context,
      nodes(node['group_expressions'])[0] ?? node,
      'BY',
      'GROUPING SETS, ROLLUP and CUBE are not supported yet',
      'write one view for each grouping',
    );
  }
  if (!from.scope.relations.some((relation) => relation.input !== undefined && relation.input.node.kind !== 'static')) {
    throw refuse(context, fromNode, 'a view reads from a source; nothing in this FROM is one');
  }
  const streams = from.scope.relations.filter(({ input }) => input !== undefined && input.node.kind !== 'static');
  const changing = streams.find((relation) => relation.input?.node.appendOnly === false);
  if (changing !== undefined && (grouped || streams.length > 1)) {
    throw refuse(
      context,
      baseTables(fromNode).find((table) => aliasOf(table) === changing.alias) ?? fromNode,
      `${changing.alias} changes rows that it gave before, and ${grouped ? 'aggregates over' : 'joins with'} changing results are not supported yet`,
    );
  }
  return grouped ? compileAggregate(block, node['aggregate_handling'] === 'FORCE_AGGREGATES') : plainSelect(block);
}

const aliasOf = (table: AstNode): string => text(table['alias']) || text(table['table_name']);

async function plainSelect(block: Block): Promise<Relational> {
  const projection = block.items.map((item) => ({ name: item.name, expression: item.expression }));
  const node = await selectNode(block, projection, 'select');
  return { node, columns: node.columns };
}
