// The directory that keeps the state over a restart. One process at a time may use it.
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigurationError } from '../../core/config/problems.ts';

const OWNER_FILE = 'owner.db';
const SQLITE_BUSY = 5;
/** How long to wait for a process that is about to write its id, or to exit. */
const PATIENCE_MS = 1000;

/**
 * Creates `directory` if needed, and keeps other processes out of it until it is released. It holds a lock of SQLite,
 * which the kernel releases however the process ends.
 * @throws ConfigurationError when the directory cannot be used, or another process uses it, with its process id
 */
export function claimDataDirectory(directory: string): { release(): void } {
  let database: DatabaseSync | undefined;
  try {
    makeDirectory(directory);
    database = new DatabaseSync(join(directory, OWNER_FILE), { timeout: PATIENCE_MS });
    database.exec('BEGIN IMMEDIATE');
    // Other processes can read user_version despite the lock; SQLite itself does not use it.
    database.exec(`PRAGMA user_version = ${process.pid}; COMMIT; BEGIN IMMEDIATE`);
    const claimed = database;
    return { release: () => claimed.close() };
  } catch (error) {
    const { code, errcode, message } = error as NodeJS.ErrnoException & { errcode?: number };
    const isTaken = database !== undefined && errcode === SQLITE_BUSY;
    const owner = isTaken && database?.prepare('PRAGMA user_version').get()?.['user_version'];
    database?.close();
    throw new ConfigurationError([
      isTaken
        ? `${directory}: process ${owner} uses this directory: stop it, or give another directory`
        : `${directory}: cannot be used as data directory (${errcode === undefined ? code : message})`,
    ]);
  }
}

/** Whether a process has claimed `directory`. Throws if it cannot be told. */
export function isInUse(directory: string): boolean {
  const database = new DatabaseSync(join(directory, OWNER_FILE), { timeout: 0 });
  try {
    database.exec('BEGIN IMMEDIATE');
    return false;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return true;
    throw error;
  } finally {
    database.close();
  }
}

/** With its parents. mkdir with `recursive` never returns for a path in /proc. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}
