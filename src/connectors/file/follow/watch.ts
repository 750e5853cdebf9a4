import { watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';

/** Wakes who waits when something happens in a folder. It may miss things: some file systems tell nothing. */
export class FolderWatch {
  private readonly watchers = new Map<string, FSWatcher>();
  private readonly touched = new Set<string>();
  private listChanged = false;
  private wake: (() => void) | undefined;

  /** Watches these folders, and no others any more. */
  follow(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.watchers.delete(folder);
    }
    for (const folder of folders) if (!this.watchers.has(folder)) this.add(folder);
  }

  private add(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        if (name !== null) this.touched.add(join(folder, name));
        if (event === 'rename' || name === null) this.listChanged = true;
        this.wake?.();
      });
      watcher.on('error', () => {
        watcher.close();
        this.watchers.delete(folder);
      });
      this.watchers.set(folder, watcher);
    } catch {
      // There is no such folder, or no watch left to be had: the scan finds what happens.
    }
  }

  get hasNews(): boolean {
    return this.listChanged || this.touched.size > 0;
  }

  /** What happened since this was asked last. */
  take(): { readonly touched: ReadonlySet<string>; readonly listChanged: boolean } {
    const news = { touched: new Set(this.touched), listChanged: this.listChanged };
    this.touched.clear();
    this.listChanged = false;
    return news;
  }

  /** Resolves when there is news, at the latest after so long. */
  async until(ms: number, signal: AbortSignal): Promise<void> {
    if (this.hasNews || signal.aborted || ms <= 0) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(over, ms);
      this.wake = over;
      signal.addEventListener('abort', over);
    });
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
    this.wake?.();
  }
}
