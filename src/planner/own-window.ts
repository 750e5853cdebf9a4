import type { Expression, Json } from './ast.ts';
import type { Block } from './block.ts';
import type { AggregateKey } from './plan-aggregate.ts';
import type { WindowNode } from './plan-windows.ts';
import { Scope, type Relation } from './scope.ts';

export interface OwnWindow {
  readonly relation: Relation;
  readonly node: WindowNode;
}

/**
 * The window call in FROM that this aggregation can take over, by panes: the only stream of the block, whose window
 * columns are read as whole keys and nowhere else.
 */
export function ownWindow(
  block: Block,
  keys: readonly Expression[],
  calls: readonly Expression[],
): OwnWindow | undefined {
  const streams = block.from.scope.relations.filter(
    (relation) => relation.input !== undefined && relation.input.node.kind !== 'static',
  );
  const [relation] = streams;
  const node = relation?.input?.node;
  if (streams.length !== 1 || relation === undefined || node?.kind !== 'window' || block.from.opaque) return undefined;
  const renamed = block.from.scope.relations.some((other) => other.within?.relation === relation);
  // The windows of CUMULATE share their starts, by which this tells its own apart.
  if (!node.appendOnly || renamed || node.window.shape === 'cumulate') return undefined;
  const own = { relation, node };
  const asKeys = keys.filter((key) => windowRole(own, key) !== 'plain');
  const elsewhere = [...keys.filter((key) => !asKeys.includes(key)), ...calls, ...block.conditions];
  const read = block.from.scope
    .reads(elsewhere as readonly Json[])
    .some((column) => column.relation === relation && isWindowColumn(column.column.name));
  return asKeys.length > 0 && !read ? own : undefined;

  function isWindowColumn(name: string): boolean {
    return /^window_(start|end|time)$/.test(name);
  }
}

export function windowRole(own: OwnWindow, key: Expression): AggregateKey['role'] {
  const resolved = new Scope([own.relation]).plainColumn(key);
  switch (resolved?.column.name) {
    case 'window_start':
    case 'window_end':
    case 'window_time':
      return resolved.column.name;
    default:
      return 'plain';
  }
}

/** The block with the window's own input in the window's place. */
export function overInput(block: Block, own: OwnWindow): Block {
  const relations = block.from.scope.relations.map((relation) =>
    relation !== own.relation || relation.input === undefined
      ? relation
      : { ...relation, columns: own.node.input.columns, input: { ...relation.input, node: own.node.input } },
  );
  return { ...block, from: { ...block.from, scope: new Scope(relations) } };
}
