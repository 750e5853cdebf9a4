import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the engine's child and DuckDB's print of a run, as one line of JSON. */
export interface Outcome {
  /** From the first read to the last commit; of DuckDB: of its one statement. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the whole process, before the answer was looked at. */
  readonly peakMb: number;
  /** Rows, and a checksum over all their values that does not depend on their order. */
  readonly answer: string;
}

/** What the engine's child prints in the place of an outcome: SQL that is not supported yet. */
export interface Refusal {
  readonly refused: string;
}

export class ChildError extends Error {}
export class RefusedError extends Error {}

/** Runs a script of this folder, or any other by its path, in a Node of its own; what it wrote to standard output. */
export async function runChild(
  script: string,
  args: readonly string[],
  nodeFlags: readonly string[] = [],
): Promise<string> {
  const path = script.startsWith('/') ? script : join(import.meta.dirname, script);
  const child = spawn(process.execPath, [...nodeFlags, path, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  return finished(child, script);
}

/** Waits for a child's end; what it wrote to standard output. Throws with what it said where it failed. */
export function finished(child: ChildProcess, name: string): Promise<string> {
  let output = '';
  let errors = '';
  child.stdout?.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (errors += data.toString()));
  return new Promise((done, fail) => {
    child.once('error', fail).once('close', (code, signal) => {
      if (code === 0) done(output);
      else fail(new ChildError(`${name} ended with ${signal ?? code}: ${`${errors}${output}`.trim().slice(0, 2000)}`));
    });
  });
}

/** The last line of JSON of a child's output. */
export function lastJson<T>(output: string): T {
  return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as T;
}

/**
 * The most memory this process ever held, MB. `resourceUsage().maxRSS` begins at what its parent held, so Linux's own
 * account of the process is preferred.
 */
export function peakMb(): number {
  try {
    const kb = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kb !== undefined) return Number(kb) / 1024;
  } catch {
    // Not Linux.
  }
  return process.resourceUsage().maxRSS / 1024;
}

export function cpuSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
}
