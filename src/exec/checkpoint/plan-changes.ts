import { StreamsqlError } from '../../base/errors.ts';
import { nearest } from '../../base/options.ts';
import { sameName } from '../../base/schema.ts';
import type { Identity } from '../../planner/fingerprint.ts';
import type { Manifest, TargetState } from './manifest.ts';

/** How a file differs from the one that the state was made by. */
export interface PlanChanges {
  /** Views, sinks and tables that are new, or to be built anew. */
  readonly added: ReadonlySet<string>;
  readonly removed: readonly TargetState[];
}

/**
 * Compares a plan with what a checkpoint knows. Comments, spacing and order are no difference. Throws STATE where a view
 * computes something else by now and is not to be rebuilt, CATALOG where what is to be rebuilt is no view.
 */
export function planChanges(identity: Identity, manifest: Manifest, rebuild: readonly string[]): PlanChanges {
  const asked = new Set(rebuild.map((name) => name.toLowerCase()));
  checkNames(identity, rebuild);
  const before = new Map(manifest.targets.map((target) => [idOf(target), target]));
  const added = new Set<string>();
  const changed: TargetState[] = [];
  for (const target of identity.targets) {
    const known = before.get(idOf(target));
    if (known === undefined || asked.has(target.name.toLowerCase())) added.add(target.name);
    else if (known.fingerprint !== target.fingerprint) changed.push(known);
  }
  if (changed.length > 0) throw refusal(identity, manifest, changed);
  const now = new Set(identity.targets.map(idOf));
  const rebuilt = manifest.targets.filter((target) => asked.has(target.name.toLowerCase()));
  return { added, removed: [...manifest.targets.filter((target) => !now.has(idOf(target))), ...rebuilt] };
}

function checkNames(identity: Identity, rebuild: readonly string[]): void {
  const views = identity.targets.filter(({ kind }) => kind === 'view').map(({ name }) => name);
  const unknown = rebuild.find((name) => !views.some((view) => sameName(view, name)));
  if (unknown === undefined) return;
  const near = nearest(unknown, views);
  throw new StreamsqlError('CATALOG', `there is no view ${unknown} to rebuild`, {
    hint: near === undefined ? `there are ${views.join(', ')}` : `did you mean ${near}?`,
  });
}

const idOf = ({ kind, name }: Pick<TargetState, 'kind' | 'name'>): string => `${kind} ${name.toLowerCase()}`;

function refusal(identity: Identity, manifest: Manifest, changed: readonly TargetState[]): StreamsqlError {
  const sources = identity.sources.filter(({ name, fingerprint }) =>
    manifest.sources.some((known) => known.name === name && known.fingerprint !== fingerprint),
  );
  const names = changed.map(({ kind, name }) => `${kind} ${name}`).join(', ');
  const [first] = changed;
  const now = identity.targets.find((target) => first !== undefined && idOf(target) === idOf(first));
  const why =
    sources.length > 0
      ? `: the source ${sources.map((source) => source.name).join(', ')} is declared otherwise`
      : changed.length === 1 && first !== undefined && first.sql !== '' && first.sql !== now?.sql
        ? `:\n  it was ${first.sql}\n  it is  ${now?.sql ?? ''}`
        : '';
  const views = changed.filter(({ kind }) => kind === 'view');
  const rebuilds = views.map(({ name }) => `--rebuild ${name}`).join(' ');
  const rebuild =
    views.length < changed.length ? '' : `, or run with ${rebuilds} to build it anew from the start of its sources`;
  return new StreamsqlError('STATE', `the run that is to go on computed the ${names} otherwise${why}`, {
    hint: `give it another name to have both${rebuild}; --fresh starts everything again`,
  });
}
