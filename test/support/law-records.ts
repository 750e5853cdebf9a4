import fc from 'fast-check';

const record = fc.record({
  k: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null, freq: 6 }),
  v: fc.option(fc.integer({ min: -50, max: 50 }), { nil: null, freq: 6 }),
  s: fc.option(fc.constantFrom('a', 'b', 'cc', ''), { nil: null, freq: 6 }),
  d: fc.option(fc.constantFrom('0.5', '-0.0', '0.0', '1e10', "'NaN'", "'Infinity'", '-3.25'), { nil: null, freq: 6 }),
  /** Seconds that the event is behind where its partition stands; more than the delay at times. */
  behind: fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 2, arbitrary: fc.integer({ min: 4, max: 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 13, max: 40 }) },
  ),
  step: fc.integer({ min: 0, max: 4 }),
  partition: fc.integer({ min: 0, max: 2 }),
  /** Whether an epoch ends after it. */
  cut: fc.integer({ min: 0, max: 3 }).map((draw) => draw === 0),
});
/** Rows of one source, in the order of their arrival: out of order in time, over three partitions, cut into epochs. */
export const records = fc.array(record, { minLength: 0, maxLength: 60, size: 'max' });
