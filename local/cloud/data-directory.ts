// The directory that keeps the state over a restart. It belongs to one process at a time.
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigurationError } from '../../core/config/problems.ts';

const SQLITE_BUSY = 5;
/** For whoever is just about to write down its number, or to go. */
const PATIENCE_MS = 1000;

/**
 * Makes `directory` where it is not there yet, and keeps other processes out of it until it is released. A lock of
 * SQLite does that, which the kernel takes back however the process ends.
 * @throws ConfigurationError when no state can be kept there, or another process does so already, which is named.
 */
export function claimDataDirectory(directory: string): { release(): void } {
  let database: DatabaseSync | undefined;
  try {
    makeDirectory(directory);
    database = new DatabaseSync(join(directory, 'owner.db'), { timeout: PATIENCE_MS });
    database.exec('BEGIN IMMEDIATE');
    // Where others can read it: a number in the file's header, of which SQLite itself makes no use.
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
        ? `${directory}: process ${owner} keeps its state there: stop it, or give another directory`
        : `${directory}: cannot keep state there (${errcode === undefined ? code : message})`,
    ]);
  }
}

/** With its parents. The `recursive` of mkdir never comes to an end in /proc. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  makeDirectory(dirname(path));
  mkdirSync(path);
}
