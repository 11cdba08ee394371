// Directories for files that do not outlive their process.
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimDataDirectory, isInUse } from './data-directory.ts';

export interface ScratchDirectory {
  readonly path: string;
  /** Removes it with its files. */
  remove(): void;
}

const PREFIX = 'interlock-scratch-';
/** A file system in memory, which Linux has here. A container's is often small. */
const MEMORY = '/dev/shm';
/** statfs(2) */
const TMPFS = 0x01021994;
const ROOM_OCTETS = 2 ** 30;
/** A process has claimed its directory long before. */
const UNCLAIMED_MS = 60_000;

/**
 * Makes a directory in `parent`, by default in memory or where temporary files are, and holds a lock in it, and removes the scratch directories there whose processes have
 * ended without removing them.
 * @param nowMs milliseconds since 1970-01-01 UTC
 */
export function makeScratchDirectory(nowMs: number, parent = scratchParent()): ScratchDirectory {
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

/** `TMPDIR` if it is set; else memory where there is room, because SQLite waits for the disk with each write; else the disk. */
function scratchParent(): string {
  if (process.env['TMPDIR'] !== undefined || !existsSync(MEMORY)) return tmpdir();
  const { type, bavail, bsize } = statfsSync(MEMORY);
  return type === TMPFS && bavail * bsize >= ROOM_OCTETS ? MEMORY : tmpdir();
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
