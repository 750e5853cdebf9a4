import { createRequire } from 'node:module';

interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
}

const { prototype } = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
  readonly prototype: { scheduleCheckPendingRequests: (this: RequestQueue) => void };
};
const schedule = prototype.scheduleCheckPendingRequests;

/**
 * kafkajs looks every millisecond after requests that wait, also where none does, by a timer of minus the time of day: Node
 * warns of that (https://github.com/tulios/kafkajs/issues/1751).
 */
prototype.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
};
