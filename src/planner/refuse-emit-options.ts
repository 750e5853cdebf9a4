import { StreamsqlError } from '../base/errors.ts';
import type { Emit } from '../parser/statements.ts';

/** EVERY and ALLOWED LATENESS are read, and mean nothing to the plan yet. */
export function refuseEmitOptions(emit: Emit | undefined): void {
  const refused = [
    { what: 'EMIT EVERY', interval: emit?.every },
    { what: 'ALLOWED LATENESS', interval: emit?.allowedLateness },
  ];
  for (const { what, interval } of refused) {
    if (interval === undefined) continue;
    throw new StreamsqlError('UNSUPPORTED', `${what} is not supported yet`, {
      span: interval.span,
      hint: 'leave it out',
    });
  }
}
