/** ISO 8601 in UTC, of microseconds since 1970-01-01; fractions only as far as there are any. */
export function instant(micros: bigint): string {
  const ms = Number(micros / 1000n) - (micros % 1000n < 0n ? 1 : 0);
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return `${micros} µs`;
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(6, '0').replace(/0+$/, '')}`;
  return `${date.toISOString().slice(0, -5)}${fraction}Z`;
}
