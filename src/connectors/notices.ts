/** Several things may be waited for; the host hears of one at a time, and of the end of it. */
export class Notices {
  private readonly messages = new Map<number, string>();
  private readonly tell: (message: string | undefined) => void;
  private told: string | undefined;

  constructor(tell: (message: string | undefined) => void) {
    this.tell = tell;
  }

  set(key: number, message: string): void {
    this.messages.set(key, message);
    this.update();
  }

  clear(key: number): void {
    if (this.messages.delete(key)) this.update();
  }

  private update(): void {
    const [message] = this.messages.values();
    if (message === this.told) return;
    this.told = message;
    this.tell(message);
  }
}
