import { StreamsqlError, type Span } from '../base/errors.ts';
import { fromBytes, toScript } from '../parser/locate.ts';
import type { MappedText } from '../parser/statements.ts';
import { tokenize } from '../parser/tokens.ts';
import { location, type AstNode } from './ast.ts';
import type { Demand, PlanColumn } from './plan-columns.ts';
import type { PlanNode } from './plan.ts';
import type { SqlService } from './sql-service.ts';

/** A node with the names under which a query sees its columns. */
export interface Relational {
  readonly node: PlanNode;
  readonly columns: readonly PlanColumn[];
}

/** ALLOWED LATENESS: microseconds, and where it stands. */
export interface Lateness {
  readonly micros: bigint;
  readonly span: Span;
}

/** What one query is compiled with. */
export interface QueryContext {
  readonly service: SqlService;
  /** The text whose offsets the tree's locations are. */
  readonly text: MappedText;
  /** The whole tree, where nothing nearer is to be pointed at. */
  readonly root: AstNode;
  readonly emit: 'changes' | 'on-window-close';
  /** Where the EMIT clause stands, if there is one. */
  readonly emitSpan: Span | undefined;
  /** How long a closed window is corrected; goes with `emit` on window close. */
  readonly lateness?: Lateness | undefined;
  /** A source or view by name; throws UNSUPPORTED through `refuse` where it may not be read here. */
  lookup(name: string, at: AstNode): Promise<Relational | undefined>;
  /** Makes a name for a node that no other has. */
  nextId(hint: string): string;
}

export const newDemand = (): Demand => ({ identity: false, watermark: false });

export function spanOf(context: QueryContext, node: AstNode): Span {
  const at = firstLocation(node);
  return at === undefined ? context.text.span : fromBytes(context.text, at);
}

/** A refusal that points at the node in the user's text. */
export function refuse(context: QueryContext, node: AstNode, message: string, hint?: string): StreamsqlError {
  return new StreamsqlError('UNSUPPORTED', message, { span: spanOf(context, node), hint });
}

/** A refusal that points at a keyword of the clause that `node` belongs to: the last one before it, or the next. */
export function refuseWord(
  context: QueryContext,
  node: AstNode,
  word: string,
  message: string,
  hint?: string,
): StreamsqlError {
  const at = Buffer.from(context.text.text)
    .subarray(0, firstLocation(node) ?? 0)
    .toString().length;
  const tokens = tokenize(context.text.text).filter((token) => token.key === word);
  const token = tokens.findLast((candidate) => candidate.span.start <= at) ?? tokens[0];
  const span = token === undefined ? spanOf(context, node) : toScript(context.text, token.span);
  return new StreamsqlError('UNSUPPORTED', message, { span, hint });
}

/** Where a node stands; those that carry no location of their own stand where their first child does. */
function firstLocation(node: AstNode): number | undefined {
  const own = location(node);
  if (own !== undefined) return own;
  for (const child of Object.values(node)) {
    const candidates = Array.isArray(child) ? child : [child];
    for (const candidate of candidates) {
      if (typeof candidate !== 'object' || candidate === null || JSON.isRawJSON(candidate)) continue;
      const found = firstLocation(candidate as AstNode);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}
