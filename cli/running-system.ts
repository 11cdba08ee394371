// How other commands on this machine find the table of a running `npm start`: it leaves word in a file.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface RunningSystem {
  readonly tableName: string;
  /** For the constructor of a client. */
  readonly dynamodb: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
}

/** Where a system leaves word that has no data directory: in the checkout, wherever it was started from. */
export const DEFAULT_DIRECTORY = join(import.meta.dirname, '../.interlock');

const fileIn = (directory: string) => join(directory, 'local.json');

/** Leaves word of a system that has started; gives what takes it back, unless a later one has left its own. */
export async function announceSystem(
  { tableName, dynamodb }: RunningSystem,
  directory = DEFAULT_DIRECTORY,
): Promise<() => Promise<void>> {
  const file = fileIn(directory);
  const word = JSON.stringify({ tableName, dynamodb });
  await mkdir(directory, { recursive: true });
  await writeFile(file, word);
  return async () => {
    if ((await readIfThere(file)) === word) await rm(file);
  };
}

/** The system that left word in `directory` last; undefined when none did. One that was killed could not take it back. */
export async function findSystem(directory = DEFAULT_DIRECTORY): Promise<RunningSystem | undefined> {
  const word = await readIfThere(fileIn(directory));
  return word === undefined ? undefined : (JSON.parse(word) as RunningSystem);
}

function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
