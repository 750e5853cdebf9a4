import { ident } from '../base/sql.ts';
import type { Declared, ResultTable } from '../base/run.ts';
import type { Session } from './session.ts';

/** SHOW JOBS: each view, table and sink that is kept up to date, how it stands, and what it reads. */
export async function jobsTable(session: Session): Promise<ResultTable> {
  const kept = session.declared.filter(({ kind }) => kind !== 'source' && kind !== 'view');
  const rows = [];
  for (const each of kept) rows.push([each.name, each.kind, stateOf(session, each), epochOf(session), await count(session, each), each.sources.join(', ')]); // prettier-ignore
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

async function count(session: Session, { name, kind }: Declared): Promise<unknown> {
  // Of a run that has not begun yet nothing can be asked without waiting for it.
  if (kind === 'sink' || session.running === undefined || session.running.state === 'starting') return null;
  const { rows } = await session.query(`SELECT count(*) FROM ${ident(name).text}`, 1).catch(() => ({ rows: [] }));
  return rows[0]?.[0] ?? null;
}
