/** The steps of an epoch, of a checkpoint and of a recovery between which a process may end. */
export const FAULT_POINTS = [
  'decoded',
  'tables-changed',
  'stepped',
  'staged',
  'committing',
  'committed',
  'published-one',
  'published',
  'checkpoint-pinned',
  'checkpoint-data-written',
  'checkpoint-data-synced',
  'checkpoint-manifest-written',
  'checkpoint-manifest-synced',
  'checkpoint-manifest-renamed',
  'checkpoint-old-removed',
  'recovery-begun',
  'recovery-state-loaded',
  'recovery-epoch-replayed',
  'recovery-done',
] as const;

/** The steps of keeping what cannot be read again; only some sources come to them. */
export const INTAKE_FAULT_POINTS = ['intake-written', 'intake-synced'] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number] | (typeof INTAKE_FAULT_POINTS)[number];

/** Called at each of the points; in production it does nothing. */
export type Fault = (point: FaultPoint) => void;

export const noFault: Fault = () => undefined;

/**
 * What `STREAMSQL_FAULT` asks for: `POINT` or `POINT:N` kills the process when it is there for the Nth time, as an outage would.
 * For the crash tests.
 */
export function faultOf(text: string | undefined): Fault {
  if (text === undefined || text === '') return noFault;
  const [point, nth] = text.split(':');
  let left = Number(nth ?? 1);
  return (at) => {
    if (at === point && --left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
