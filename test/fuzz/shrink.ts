import type { Data, Step } from './data.ts';
import { coerce } from './draw.ts';
import { nodesOf, type Node } from './node.ts';
import { sizeOf, sourceLeaf, type Query } from './query.ts';
import { runGroup, type Group, type Verdict } from './run.ts';

type Failure = Extract<Verdict, { kind: 'failed' }>;

/** The failing query alone, ever smaller over ever less data, while it fails in the same way. */
export async function shrink(
  group: Group,
  query: Query,
  first: Failure,
  budgetMs: number,
): Promise<{ readonly group: Group; readonly failure: Failure }> {
  const deadline = performance.now() + budgetMs;
  let best: Group = { ...group, queries: [query] };
  let failure = first;
  const accept = async (candidate: Group): Promise<boolean> => {
    const [verdict] = await runGroup(candidate);
    if (verdict?.kind !== 'failed' || verdict.what !== first.what) return false;
    if (first.what === 'error' && kindOf(verdict.message) !== kindOf(first.message)) return false;
    best = candidate;
    failure = verdict;
    return true;
  };
  const improve = async (candidates: (of: Group) => Iterable<Group>): Promise<boolean> => {
    let improved = false;
    for (let again = true; again;) {
      again = false;
      for (const candidate of candidates(best)) {
        if (performance.now() > deadline) return improved;
        if (await accept(candidate)) {
          improved = again = true;
          break;
        }
      }
    }
    return improved;
  };
  while ((await improve(fewerSteps)) || (await improve(smallerQueries)) || (await improve(fewerRows))) {
    if (performance.now() > deadline) break;
  }
  return { group: best, failure };
}

/** An error without what it names. */
const kindOf = (message: string): string => message.replaceAll(/[^A-Za-z ]+\w*/g, '').slice(0, 40);

function* fewerSteps(group: Group): Generator<Group> {
  const { steps } = group.data;
  for (const i of group.data.before.keys())
    yield { ...group, data: { ...group.data, before: group.data.before.toSpliced(i, 1) } };
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < steps.length; at += size) yield withSteps(group, steps.toSpliced(at, size));
  }
  for (let i = 0; i + 1 < steps.length; i++) {
    const [one, two] = [steps[i], steps[i + 1]];
    if (one?.kind !== 'feed' || two?.kind !== 'feed') continue;
    const rows = Object.fromEntries(Object.keys({ ...one.rows, ...two.rows }).map((name) => [name, [...(one.rows[name] ?? []), ...(two.rows[name] ?? [])]])); // prettier-ignore
    yield withSteps(group, steps.toSpliced(i, 2, { kind: 'feed', rows }));
  }
}

function* fewerRows(group: Group): Generator<Group> {
  const { steps } = group.data;
  for (const [at, step] of steps.entries()) {
    if (step.kind === 'change') {
      const parts = step.sql.split('; ');
      if (parts.length > 1) for (let i = 0; i < parts.length; i++) yield withSteps(group, steps.with(at, { kind: 'change', sql: parts.toSpliced(i, 1).join('; ') })); // prettier-ignore
      continue;
    }
    for (const [name, rows] of Object.entries(step.rows)) {
      const withRows = (next: typeof rows): Group => withSteps(group, steps.with(at, { kind: 'feed', rows: { ...step.rows, [name]: next } })); // prettier-ignore
      for (let size = rows.length; size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
        for (let i = 0; i < rows.length; i += size) yield withRows(rows.toSpliced(i, size));
      for (const [i, row] of rows.entries()) {
        for (const column of ['k', 'v', 's', 'd'] as const)
          if (row[column] !== null) yield withRows(rows.with(i, { ...row, [column]: null }));
      }
    }
  }
}

const withSteps = (group: Group, steps: readonly Step[]): Group => ({ ...group, data: { ...group.data, steps } satisfies Data }); // prettier-ignore

function* smallerQueries(group: Group): Generator<Group> {
  const [query] = group.queries;
  if (query === undefined) return;
  const size = sizeOf(query);
  for (const root of smallerTrees(query.root)) {
    if (query.onClose && root.closing === undefined) continue;
    const next = { ...query, root };
    if (sizeOf(next) < size) yield { ...group, queries: [next] };
  }
}

/** The smallest first: a subtree in place of the whole, then in place of what reads it, then simpler operators. */
function* smallerTrees(root: Node): Generator<Node> {
  const all = nodesOf(root);
  for (const node of all.toReversed()) if (node !== root && node.table === undefined) yield node;
  for (const node of all) {
    const replacements = [
      ...(node === root || node.table !== undefined ? [] : ['a', 'b'].map((name) => coerce(sourceLeaf(name), node.columns))),
      ...node.inputs.map((input) => coerce(input, node.columns)),
      ...node.simpler(),
    ]; // prettier-ignore
    for (const replacement of replacements) {
      // What waits for a window's end must go on having one.
      if (node.closing === undefined || replacement.closing !== undefined) yield replace(root, node, replacement);
    }
  }
}

/** The tree with one node replaced wherever it is read. */
function replace(root: Node, wanted: Node, by: Node): Node {
  const made = new Map<Node, Node>([[wanted, by]]);
  const rebuild = (node: Node): Node => {
    const known = made.get(node);
    if (known !== undefined) return known;
    const inputs = node.inputs.map(rebuild);
    const next = inputs.every((input, i) => input === node.inputs[i]) ? node : node.over(inputs);
    made.set(node, next);
    return next;
  };
  return rebuild(root);
}
