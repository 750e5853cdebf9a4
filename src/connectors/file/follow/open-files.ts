import type { FollowedFile } from './followed-file.ts';

const MOST = 64;

/** Keeps some files open: those were read last. What is open can be read to its end, whatever becomes of its name. */
export class OpenFiles {
  private readonly files = new Set<FollowedFile>();

  async use(file: FollowedFile): Promise<void> {
    if (file.stream?.isOpen !== true) return;
    this.files.delete(file);
    this.files.add(file);
    for (const oldest of this.files) {
      if (this.files.size <= MOST) return;
      if (oldest.path === undefined) continue;
      this.files.delete(oldest);
      await oldest.rest();
    }
  }

  /** Closes those that have long not changed. */
  async close(changedBefore: number): Promise<void> {
    for (const file of this.files) {
      if (file.unread || file.path === undefined || file.changedAt > changedBefore) continue;
      this.files.delete(file);
      await file.rest();
    }
  }
}
