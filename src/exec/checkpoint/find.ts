import { StreamsqlError } from '../../base/errors.ts';
import type { Identity } from '../../planner/fingerprint.ts';
import { resultsMark } from '../claim-results.ts';
import type { DuckConnection } from '../duck.ts';
import { lastLogged, logBegins, loggedAfter, type LoggedEpoch } from '../epoch-log.ts';
import type { Manifest } from './manifest.ts';
import { planChanges, type PlanChanges } from './plan-changes.ts';
import { damageText, listCheckpoints, readManifest, verifyFiles, type Verified } from './read-manifest.ts';

/** From where a run goes on. */
export interface Recovery {
  readonly manifest: Manifest;
  /** The epochs after it that the results hold already, to be done again. */
  readonly epochs: readonly LoggedEpoch[];
  /** The last epoch that is committed. */
  readonly last: number;
  readonly changes: PlanChanges;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

export interface Finding {
  /** The state folder. */
  readonly folder: string;
  /** The results database, as the user knows it, attached as `res` on `connection`. */
  readonly db: string;
  readonly connection: DuckConnection;
  readonly identity: Identity;
  readonly duckdb: string;
  readonly rebuild: readonly string[];
}

/**
 * Finds the newest checkpoint that is whole and that the log of the results goes on from. Undefined where the run that is
 * to go on has not begun: nothing is committed of it. Throws STATE, saying what is wrong, where there is none.
 */
export async function findRecovery(finding: Finding): Promise<Recovery | undefined> {
  const { folder, db, connection, identity, duckdb, rebuild } = finding;
  const epochs = listCheckpoints(folder);
  const mark = await resultsMark(connection);
  const last = mark === undefined ? -1 : await lastLogged(connection);
  // The results of a run that finished give way to those of the next, which may end before they have.
  if (epochs.length === 0 && (last === -1 || mark?.status === 'finished')) return undefined;
  if (mark === undefined) {
    throw new StreamsqlError('STATE', `${db} does not hold the results that belong to the state in ${folder}`, {
      hint: `put the database back, or start again from the beginning with --fresh, which removes the state up to epoch ${epochs[0] ?? '?'}`,
    });
  }
  const { manifest, warnings } = await usable(finding, epochs, { last, job: mark.job });
  if (manifest.duckdb !== duckdb && last > manifest.epoch) {
    throw new StreamsqlError(
      'STATE',
      `the run did not stop in good order under DuckDB ${manifest.duckdb}, and this is ${duckdb}: the epochs ${manifest.epoch + 1} to ${last} might come out otherwise`,
      { hint: 'go on once with the version of streamsql that wrote it, stop it with Ctrl-C, and then with this one' },
    );
  }
  const changes = planChanges(identity, manifest, rebuild);
  return { manifest, epochs: await loggedAfter(connection, manifest.epoch), last, changes, warnings };
}

async function usable(
  { folder, db, connection }: Finding,
  epochs: readonly number[],
  { last, job }: { readonly last: number; readonly job: string },
): Promise<{ readonly manifest: Manifest; readonly warnings: readonly string[] }> {
  const begins = (await logBegins(connection)) ?? 0;
  const problems: string[] = [];
  const verified: Verified = new Map();
  let others = 0;
  for (const epoch of epochs) {
    const read = readManifest(folder, epoch);
    const found = read.damage === undefined ? verifyFiles(read.manifest, folder, verified) : read;
    if (found.damage !== undefined) problems.push(`the checkpoint of epoch ${epoch}: ${damageText(found.damage)}`);
    else if (found.manifest.job !== job) {
      others++;
      problems.push(`the checkpoint of epoch ${epoch}: it is of another run than the results in ${db}`);
    } else if (epoch > last)
      problems.push(`the checkpoint of epoch ${epoch}: the results in ${db} are older, they end at epoch ${last}`);
    else if (epoch < last && epoch + 1 < begins)
      problems.push(`the checkpoint of epoch ${epoch}: the results have the log from epoch ${begins} on only`);
    else {
      const warnings = problems.map((problem) => `${problem}; going on from that of epoch ${epoch}`);
      return { manifest: found.manifest, warnings };
    }
  }
  if (others > 0 && others === problems.length) {
    throw new StreamsqlError('STATE', `the results in ${db} and the state in ${folder} are of two runs`, {
      hint: 'name the database or the state folder that belongs to the other, or start again with --fresh',
    });
  }
  const reasons = problems.length > 0 ? problems.join('\n  ') : 'there is none';
  throw new StreamsqlError('STATE', `no checkpoint in ${folder} can be gone on from:\n  ${reasons}`, {
    hint: `put the files back, or start again from the beginning with --fresh, which removes the state and the results of ${last + 1} epochs`,
  });
}
