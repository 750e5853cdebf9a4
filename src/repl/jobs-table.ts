import { ident } from '../base/sql.ts';
import type { Declared, ResultTable } from '../base/run.ts';
import type { Session } from './session.ts';

/** SHOW JOBS: each view, table and sink that is kept up to date, how it stands, and what it reads. */
export async function jobsTable(session: Session): Promise<ResultTable> {
  const kept = session.declared.filter(({ kind }) => kind !== 'source' && kind !== 'view');
  const counts = await countsOf(session, kept);
  const rows = kept.map((each) => [
    each.name,
    each.kind,
    stateOf(session, each),
    epochOf(session),
    counts.get(each.name) ?? null,
    each.sources.join(', '),
  ]);
  return {
    columns: [
      { name: 'name', type: 'VARCHAR' },
      { name: 'kind', type: 'VARCHAR' },
      { name: 'state', type: 'VARCHAR' },
      { name: 'epoch', type: 'BIGINT' },
      { name: 'rows', type: 'BIGINT' },
      { name: 'reads', type: 'VARCHAR' },
    ],
    rows,
  };
}

function stateOf(session: Session, { sources }: Declared): string {
  const { running: job } = session;
  if (job === undefined) return 'not started';
  if (job.state === 'failed') return `failed: ${job.error instanceof Error ? job.error.message : String(job.error)}`;
  if (!job.isLive) return job.state;
  if (sources.length > 0 && sources.every((source) => session.isPaused(source))) return 'paused';
  const waits = job.progress?.sources.find(({ name, notice }) => sources.includes(name) && notice !== undefined);
  return waits?.notice ?? job.state;
}

const epochOf = ({ running }: Session): number | null => running?.progress?.epoch ?? null;

/** The rows of views and tables, all as of one epoch. */
async function countsOf(session: Session, kept: readonly Declared[]): Promise<ReadonlyMap<string, unknown>> {
  const names = kept.flatMap(({ name, kind }) => (kind === 'sink' ? [] : [name]));
  // Of a run that has not begun yet nothing can be asked without waiting for it.
  const { running } = session;
  if (names.length === 0 || running === undefined || running.state === 'starting') return new Map();
  const counts = names.map((name) => `(SELECT count(*) FROM ${ident(name).text})`);
  const { rows } = await session.query(`SELECT ${counts.join(', ')}`, 1).catch(() => ({ rows: [] }));
  return new Map(names.map((name, i) => [name, rows[0]?.[i]]));
}
