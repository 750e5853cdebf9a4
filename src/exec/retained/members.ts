import type { SourceNode } from '../../planner/plan-sources.ts';
import type { RetainedSource } from '../checkpoint/manifest.ts';

/** What the connector writes into the lines of a source beside its records, sorted: the metadata that is declared. */
export function lineMembers({ physical = [] }: Partial<Pick<SourceNode, 'physical'>>): readonly string[] {
  return [...new Set(physical.flatMap(({ member }) => member?.name ?? []))].sort();
}

/** Whether the lines that are retained have just these. */
export const hasMembers = (known: RetainedSource, members: readonly string[]): boolean =>
  (known.members ?? []).join() === members.join();
