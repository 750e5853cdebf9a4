import type { SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { changesOf } from './layout.ts';

/** The plan of a source whose bytes cannot be read again. */
export const loggedPlan = (declaration: SourceDeclaration, own: Pick<SourcePlan, 'bounded' | 'open'>): SourcePlan => ({
  columns: declaration.columns,
  changes: changesOf(declaration),
  live: true,
  logged: true,
  strict: declaration.options['strict'] === true,
  ...own,
});
