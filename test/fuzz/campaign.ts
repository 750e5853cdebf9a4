import { open, StreamsqlError } from '../../src/engine.ts';
import { drawGroup } from './group.ts';
import { constructs, type Query } from './query.ts';
import { testFile } from './report.ts';
import { compared, runGroup, type Group, type Verdict } from './run.ts';
import { shrink } from './shrink.ts';

export interface Campaign {
  readonly seed: number;
  /** How many groups, or until when (as performance.now() counts, ms). */
  readonly groups?: number | undefined;
  readonly deadline?: number | undefined;
  /** Queries of a group. */
  readonly queries?: number | undefined;
  /** For shrinking one failure, ms. */
  readonly shrinkMs: number;
  /** After so many failures it ends. */
  readonly mostFailures: number;
  readonly onFailure?: ((text: string) => void) | undefined;
}

export interface Tally {
  ran: number;
  refused: number;
  readonly failures: string[];
  readonly invalid: string[];
  /** Refusals by message. */
  readonly messages: Map<string, number>;
  /** By construct: queries with it that ran, and that were refused. */
  readonly constructs: Map<string, { ran: number; refused: number }>;
}

export const QUERIES_OF_A_GROUP = 8;
/** An engine waits for DuckDB's own thread; two keep two cores at work. */
const AT_ONCE = 2;

/** Runs groups from a seed on, `seed`, `seed + 1`, … */
export async function campaign(of: Campaign): Promise<Tally> {
  const tables = await takesTables();
  const tally: Tally = {
    ran: 0,
    refused: 0,
    failures: [],
    invalid: [],
    messages: new Map(),
    constructs: new Map(),
  };
  let next = 0;
  const goesOn = (): boolean =>
    tally.failures.length < of.mostFailures &&
    (of.groups === undefined || next < of.groups) &&
    (of.deadline === undefined || performance.now() < of.deadline);
  const work = async (): Promise<void> => {
    while (goesOn()) {
      const group = drawGroup(of.seed + next++, of.queries ?? QUERIES_OF_A_GROUP, tables);
      const verdicts = await judge(group);
      for (const [i, query] of group.queries.entries()) {
        const verdict = verdicts[i] ?? { kind: 'passed' };
        count(tally, group, query, verdict);
        if (verdict.kind !== 'failed') continue;
        const small = await shrink(group, query, verdict, of.shrinkMs);
        const text = await testFile(small.group, small.failure);
        tally.failures.push(text);
        of.onFailure?.(text);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return tally;
}

/** Whether this engine takes tables that change. */
async function takesTables(): Promise<boolean> {
  const engine = await open({ threads: 1 });
  try {
    await engine.sql('CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER)');
    return true;
  } catch (error) {
    if (error instanceof StreamsqlError && error.code !== 'INTERNAL') return false;
    throw error;
  } finally {
    await engine.close();
  }
}

/** An error in a run falls on all its queries: which one it is shows when each runs alone. */
async function judge(group: Group): Promise<readonly Verdict[]> {
  const verdicts = await runGroup(group);
  const broken = verdicts.some((verdict) => verdict.kind === 'failed' && verdict.what === 'error');
  if (!broken || group.queries.length === 1) return verdicts;
  const alone: Verdict[] = [];
  for (const query of group.queries) {
    const [verdict] = await runGroup({ ...group, queries: [query] });
    alone.push(verdict ?? { kind: 'passed' });
  }
  if (alone.some((verdict) => verdict.kind === 'failed')) return alone;
  // A machine that is busy with other things may have kept an epoch for too long: what is wrong is wrong twice.
  const again = await runGroup(group);
  return again.map((verdict) => (verdict.kind === 'failed' ? { ...verdict, message: `only beside the others of its group: ${verdict.message}` } : verdict)); // prettier-ignore
}

function count(tally: Tally, { seed }: Group, query: Query, verdict: Verdict): void {
  const refused = verdict.kind === 'refused';
  if (verdict.kind === 'invalid') {
    tally.invalid.push(`seed ${seed}, ${query.name}: ${verdict.message.split('\n')[0] ?? ''}`);
    return;
  }
  if (refused) {
    tally.refused++;
    const message = verdict.message.replaceAll(/\b[a-z]\w*\d+\b/g, '…').replaceAll(/^[xyzqabtu] /g, '… ');
    tally.messages.set(message, (tally.messages.get(message) ?? 0) + 1);
  } else tally.ran++;
  for (const construct of constructs(query)) {
    const known = tally.constructs.get(construct) ?? { ran: 0, refused: 0 };
    tally.constructs.set(construct, { ran: known.ran + (refused ? 0 : 1), refused: known.refused + (refused ? 1 : 0) });
  }
}

/** What ran, what was refused and why. */
export function summary(tally: Tally): string {
  const lines = [`${tally.ran + tally.refused} cases: ${tally.ran} ran, ${tally.refused} refused, ${tally.failures.length} failed`]; // prettier-ignore
  lines.push(`${compared.answers} answers compared, ${compared.withRows} of them with rows`);
  if (tally.invalid.length > 0) lines.push(`${tally.invalid.length} that DuckDB does not answer either:`, ...tally.invalid.slice(0, 5)); // prettier-ignore
  const descending = <T>(counts: Iterable<readonly [string, T]>, by: (value: T) => number) => [...counts].sort(([, a], [, b]) => by(b) - by(a)); // prettier-ignore
  if (tally.messages.size > 0) lines.push('', 'refused');
  for (const [message, times] of descending(tally.messages, (value) => value)) lines.push(`${String(times).padStart(6)}  ${message}`); // prettier-ignore
  lines.push('', '   ran  refused  construct');
  for (const [construct, { ran, refused }] of descending(tally.constructs, ({ ran }) => ran))
    lines.push(`${String(ran).padStart(6)}  ${String(refused).padStart(7)}  ${construct}`);
  return lines.join('\n');
}
