import { RETAIN_OPTION } from './retain.ts';
import { TIME_OPTIONS } from './timing.ts';

/** What every source takes, beside what its connector does. */
export const SOURCE_OPTIONS = { ...TIME_OPTIONS, ...RETAIN_OPTION };
