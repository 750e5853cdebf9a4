import { inOrder, rootsOf, type Plan } from './plan.ts';

/** By the name of a source, all sources whose rows may meet its own in a view or a sink, itself too. */
export function sourcesTogether(
  plan: Pick<Plan, 'views' | 'sinks' | 'tables'>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const groups = new Map<string, Set<string>>();
  for (const root of rootsOf(plan)) {
    const met = inOrder([root]).flatMap((node) => (node.kind === 'source' ? [node.name] : []));
    const group = new Set([...met, ...met.flatMap((name) => [...(groups.get(name) ?? [])])]);
    for (const name of group) groups.set(name, group);
  }
  return groups;
}
