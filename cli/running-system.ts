// How the commands find the table of a running `npm start` on this machine: `npm start` writes it to a file.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConfigurationPaths } from './read-configuration.ts';

export interface RunningSystem {
  /** Absolute paths of the files that it was started with; absent in the file of an earlier release. */
  readonly configuration?: ConfigurationPaths;
  readonly tableName: string;
  readonly dynamodb: ClientConfig;
  /** Absent in the file of an earlier release. */
  readonly sqs?: ClientConfig;
}

/** For the constructor of a client. */
interface ClientConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/** The directory of that file where a system has no data directory: in the checkout, whatever the working directory. */
const DEFAULT_DIRECTORY = join(import.meta.dirname, '../.interlock');

const fileIn = (directory: string) => join(directory, 'local.json');

/** Writes the file of a running system. The result removes it, unless another system has written its own since. */
export async function announceSystem(
  { configuration, tableName, dynamodb, sqs }: RunningSystem,
  directory = DEFAULT_DIRECTORY,
): Promise<() => Promise<void>> {
  const file = fileIn(directory);
  const text = JSON.stringify({ configuration, tableName, dynamodb, sqs });
  await mkdir(directory, { recursive: true });
  await writeFile(file, text);
  return async () => {
    if ((await readIfThere(file)) === text) await rm(file);
  };
}

/** The system whose file is in `directory`; undefined without a file. A system that is killed leaves its file. */
export async function findSystem(directory = DEFAULT_DIRECTORY): Promise<RunningSystem | undefined> {
  const text = await readIfThere(fileIn(directory));
  return text === undefined ? undefined : (JSON.parse(text) as RunningSystem);
}

function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}
