const WINDOW_MS = 3000;

/** Rows a second over the last seconds. */
export class RateMeter {
  private readonly marks: { at: number; rows: number }[] = [];

  add(rows: number): void {
    this.marks.push({ at: performance.now(), rows });
    this.forget();
  }

  perSecond(): number {
    this.forget();
    const [first] = this.marks;
    if (first === undefined) return 0;
    const span = Math.max(performance.now() - first.at, 1);
    // The first mark's rows came before its time, so they count only where they are all there is.
    const rows = this.marks.slice(this.marks.length > 1 ? 1 : 0).reduce((sum, mark) => sum + mark.rows, 0);
    return (rows * 1000) / span;
  }

  private forget(): void {
    const oldest = performance.now() - WINDOW_MS;
    while (this.marks[0] !== undefined && this.marks[0].at < oldest) this.marks.shift();
  }
}
