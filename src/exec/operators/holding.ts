import type { Sql } from '../../base/sql.ts';
import type { HoldingNode } from '../../planner/plan-holding.ts';
import type { Memo } from '../checkpoint/manifest.ts';
import type { StateTable } from '../state.ts';
import type { HeldRows } from './held-rows.ts';
import type { EpochClock, Explanation, Operator } from './operator.ts';

/** What operators that let rows through at another time than they came have in common: no watermark tells when. */
export abstract class HoldingOperator implements Operator {
  abstract readonly node: HoldingNode;
  protected abstract readonly held: HeldRows;

  abstract open(): Promise<void>;
  abstract step(epoch: EpochClock): Promise<void>;
  abstract save(): Memo;
  abstract load(memo: Memo): void;
  abstract explain(): Explanation;

  get tables(): readonly StateTable[] {
    return [this.held.state];
  }

  delta(): Sql {
    return this.held.output;
  }

  hasRows(): boolean {
    return this.held.produced;
  }

  watermark(): undefined {
    return undefined;
  }

  mayBeLate(): boolean {
    return false;
  }
}
