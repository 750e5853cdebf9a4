/** A line of a comparison: in both, only expected, or only there. */
export interface DiffLine {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** What was expected beside what came, by their longest common subsequence under `same`. */
export function diff<T>(
  expected: readonly T[],
  actual: readonly T[],
  same: (a: T, b: T) => boolean,
): readonly { readonly mark: DiffLine['mark']; readonly item: T }[] {
  const common = commonLengths(expected, actual, same);
  const lines: { mark: DiffLine['mark']; item: T }[] = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [left, right] = [expected[i], actual[j]];
    if (left !== undefined && right !== undefined && same(left, right)) {
      lines.push({ mark: ' ', item: right });
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push({ mark: '-', item: left });
      i++;
    } else if (right !== undefined) {
      lines.push({ mark: '+', item: right });
      j++;
    } else return lines;
  }
}

/** `[i][j]`: the length of the longest common subsequence of what follows i and j. */
function commonLengths<T>(a: readonly T[], b: readonly T[], same: (x: T, y: T) => boolean): readonly number[][] {
  const lengths = Array.from({ length: a.length + 1 }, () => Array.from({ length: b.length + 1 }, () => 0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = lengths[i];
      const [x, y] = [a[i], b[j]];
      if (row === undefined || x === undefined || y === undefined) continue;
      row[j] = same(x, y) ? (lengths[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(lengths[i + 1]?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return lengths;
}
