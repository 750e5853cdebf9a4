import { inOrder, type Plan, type PlanNode } from './plan.ts';

const readsStream = (node: PlanNode): boolean => inOrder([node]).some((below) => below.kind === 'source');

/**
 * What of a plan has no key: an epoch that brings it anything answers it anew, over all that it has read. One sentence for
 * each view and sink. The first rows of all are no burden: only they are kept.
 */
export function keylessWarnings(plan: Plan): readonly string[] {
  return [...plan.views, ...plan.sinks].flatMap(({ name, node }) => {
    const found = inOrder([node]).filter(
      (at) => at.kind === 'cogroup' && at.keys.length === 0 && at.matters === undefined && readsStream(at),
    );
    const titles = [...new Set(found.map((at) => (at.kind === 'cogroup' ? at.title : '')))];
    return titles.length === 0
      ? []
      : [`${name}: ${titles.join(', ')} without a key: every epoch goes through all the rows so far (EXPLAIN ${name} shows where)`]; // prettier-ignore
  });
}
