import type { RunEvent } from '../base/run.ts';
import type { Plan } from '../planner/plan.ts';
import type { Recovery } from './checkpoint/find.ts';

/** A view that is added is filled with what came before; what went by for a sink that is added does not come again. */
export function resumeWarnings(plan: Plan, { changes, warnings }: Recovery): readonly string[] {
  const sinks = plan.sinks.filter(({ name }) => changes.added.has(name));
  return [...warnings, ...sinks.map(({ name }) => `the sink ${name} is new: it gets what changes from now on`)];
}

/** What is told of a run as it begins. */
export function startEvent(plan: Plan, db: string, state: string | undefined): RunEvent {
  return {
    event: 'start',
    db,
    state,
    // How much of what comes as it comes is there, nobody knows.
    bounded: plan.sources.every((source) => source.plan.bounded && source.plan.live !== true),
    sources: plan.sources.map((source) => ({
      name: source.name,
      connector: source.connector,
      bounded: source.plan.bounded,
    })),
    views: plan.views.map((view) => view.name),
  };
}
