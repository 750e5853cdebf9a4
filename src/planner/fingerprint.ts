import { createHash } from 'node:crypto';
import { tokenize } from '../parser/tokens.ts';
import { inOrder, inputsOf, rootsOf, type Plan, type PlanNode } from './plan.ts';

/** What a plan is known by in the next run of its file, however that is written and in whatever order. */
export interface Identity {
  /** Of each node: whose it is, a view, sink, source or table, and its place there. */
  readonly keys: ReadonlyMap<PlanNode, string>;
  readonly targets: readonly {
    readonly kind: 'view' | 'sink' | 'table';
    readonly name: string;
    readonly fingerprint: string;
    readonly sql: string;
  }[];
  readonly sources: readonly { readonly name: string; readonly fingerprint: string }[];
}

const NOT_OF_THE_MEANING = new Set(['id', 'demand', 'plan', 'written', 'text', 'retainMs', 'timing']);

/** Names that planning numbers in the order of the file. */
const NUMBERED = /\$[a-z]+\d+/g;

/** `timeZone`: of the run, which says what a local time is. */
export function identify(plan: Plan, timeZone: string): Identity {
  const prints = new Map<PlanNode, string>();
  for (const node of inOrder(rootsOf(plan))) prints.set(node, fingerprint(node, prints, timeZone));
  const print = (node: PlanNode): string => prints.get(node) ?? '';
  const view = (node: PlanNode): string | undefined => plan.views.find((each) => each.node === node)?.name;
  return {
    keys: keysOf(plan, print, view),
    targets: [
      ...plan.tables.map((table) => ({ kind: 'table' as const, name: table.name, fingerprint: print(table), sql: '' })),
      ...plan.views.map(({ name, node, columns, emit, sql }) => ({
        kind: 'view' as const,
        name,
        fingerprint: hash([print(node), columns.map((column) => [column.name, column.type]), emit]),
        sql,
      })),
      ...plan.sinks.map(({ name, node, connector, writes, columns, changelog }) => ({
        kind: 'sink' as const,
        name,
        fingerprint: hash([print(node), connector, writes, columns, changelog]),
        sql: '',
      })),
    ],
    sources: plan.sources.map((source) => ({ name: source.name, fingerprint: print(source) })),
  };
}

/** Of what a node computes: its own part, and the fingerprints of its inputs. */
function fingerprint(node: PlanNode, known: ReadonlyMap<PlanNode, string>, timeZone: string): string {
  const inputs = new Set<unknown>(inputsOf(node));
  const names = new Map<string, string>();
  const text = JSON.stringify(node, (name, value: unknown) => {
    if (value !== node && inputs.has(value)) return known.get(value as PlanNode);
    // A time attribute says by the node's name which window it is of.
    if (name === 'window' && typeof value === 'string') return renamed(names, value);
    if (name === 'expression' && typeof value === 'string') return tokenize(value).map((token) => token.text);
    if (NOT_OF_THE_MEANING.has(name)) return undefined;
    return typeof value === 'bigint' ? `${value}n` : value;
  });
  return hash([timeZone, text.replace(NUMBERED, (found) => renamed(names, found))]);
}

/** `$in7` is the third name of its kind, whatever its number: `$in#3`. Names that a node itself numbers stay as they are. */
function renamed(names: Map<string, string>, found: string): string {
  const kind = found.replace(/\d+$/, '');
  if (!FILE_WIDE.has(kind)) return found;
  const name = names.get(found) ?? `${kind}#${names.size}`;
  names.set(found, name);
  return name;
}

const FILE_WIDE = new Set(['window', '$in', '$s', '$group', '$nothing', '$using', '$subquery']);

const hash = (parts: unknown): string => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);

function keysOf(
  plan: Plan,
  print: (node: PlanNode) => string,
  view: (node: PlanNode) => string | undefined,
): ReadonlyMap<PlanNode, string> {
  const owners = new Map<PlanNode, Set<string>>();
  const targets = [...plan.views, ...plan.sinks];
  for (const { name, node } of targets) {
    for (const own of ownNodes(node, name, view)) owners.set(own, (owners.get(own) ?? new Set()).add(name));
  }
  const keys = new Map<PlanNode, string>();
  const counts = new Map<string, number>();
  for (const node of inOrder(rootsOf(plan))) {
    const group = groupOf(node, [...(owners.get(node) ?? [])], print);
    const n = counts.get(group) ?? 0;
    counts.set(group, n + 1);
    keys.set(node, `${group}/${n}`);
  }
  return keys;
}

function groupOf(node: PlanNode, owners: readonly string[], print: (node: PlanNode) => string): string {
  if (node.kind === 'source' || node.kind === 'table') return node.name;
  if (node.kind === 'changelog') return node.input.name;
  // What several read, a plain view, belongs to none of them.
  return owners.length === 1 ? (owners[0] ?? '') : `shared ${print(node).slice(0, 12)}`;
}

/** The nodes of a target up to the views, sources and tables that it reads. */
function ownNodes(root: PlanNode, name: string, view: (node: PlanNode) => string | undefined): ReadonlySet<PlanNode> {
  const seen = new Set<PlanNode>();
  const visit = (node: PlanNode): void => {
    const other = view(node);
    if (seen.has(node) || (other !== undefined && other !== name)) return;
    seen.add(node);
    inputsOf(node).forEach(visit);
  };
  visit(root);
  return seen;
}
