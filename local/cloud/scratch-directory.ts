// Directories for files that do not outlive their process.
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimDataDirectory, isInUse } from './data-directory.ts';

export interface ScratchDirectory {
  readonly path: string;
  /** Removes it with its files. */
  remove(): void;
}

const PREFIX = 'interlock-scratch-';
/** A process has claimed its directory long before. */
const UNCLAIMED_MS = 60_000;

/**
 * Makes a directory in `parent` and holds a lock in it, and removes the scratch directories there whose processes have
 * ended without removing them.
 * @param nowMs milliseconds since 1970-01-01 UTC
 */
export function makeScratchDirectory(nowMs: number, parent = tmpdir()): ScratchDirectory {
  removeAbandoned(parent, nowMs);
  const path = mkdtempSync(join(parent, PREFIX));
  const claim = claimDataDirectory(path);
  return {
    path,
    remove: () => {
      claim.release();
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function removeAbandoned(parent: string, nowMs: number): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const path = join(parent, name);
    try {
      const isYoung = statSync(path).mtimeMs > nowMs - UNCLAIMED_MS;
      if (!isYoung && !isInUse(path)) rmSync(path, { recursive: true, force: true });
    } catch {
      // Another process removes it at the same time, or it belongs to another user.
    }
  }
}
