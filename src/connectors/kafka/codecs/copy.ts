/** What a copy may write beyond its end, and read beyond its source's: whatever stands there is written over, or never read. */
export const SLACK = 3;

/** Below this, four bytes at a time are faster than a native copy. */
const SHORT = 64;

export const viewOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Bytes as they stand in the source; `end` is where what may be read of it ends. The target has SLACK. */
export function copyLiterals(
  source: Buffer,
  sourceView: DataView,
  at: number,
  end: number,
  target: Buffer,
  view: DataView,
  to: number,
  length: number,
): void {
  if (length > SHORT || at + length + SLACK > end) source.copy(target, to, at, at + length);
  else for (let i = 0; i < length; i += 4) view.setInt32(to + i, sourceView.getInt32(at + i));
}

/** Bytes that were written `distance` before, which repeat where that is less than the length. The target has SLACK. */
export function copyMatch(target: Buffer, view: DataView, to: number, distance: number, length: number): void {
  const from = to - distance;
  if (length > SHORT && distance >= length) target.copyWithin(to, from, from + length);
  else if (distance >= 4) for (let i = 0; i < length; i += 4) view.setInt32(to + i, view.getInt32(from + i));
  else for (let i = 0; i < length; i++) target[to + i] = target[from + i]!;
}
