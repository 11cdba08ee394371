// The position in a stream, for each shard.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { ConfigurationError } from '../../../core/config/problems.ts';

export interface Checkpoints {
  /** Sequence number of the last record that is done with; undefined before the first. */
  read(shardId: string): string | undefined;
  write(shardId: string, sequenceNumber: string): void;
}

const CheckpointFile = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({ streamArn: v.string(), shards: v.record(v.string(), v.string()) }),
);

/**
 * Checkpoints of one stream: in `file`, which outlives the process, or in memory. Checkpoints of another stream in the
 * file, such as that of a deleted table, are ignored.
 * @throws ConfigurationError when the file holds anything else.
 */
export function openCheckpoints(streamArn: string, file?: string): Checkpoints {
  const shards = new Map(file === undefined ? [] : readShards(file, streamArn));
  return {
    read: (shardId) => shards.get(shardId),
    write: (shardId, sequenceNumber) => {
      shards.set(shardId, sequenceNumber);
      if (file === undefined) return;
      // Renaming replaces the file as a whole: a crash leaves the old file or the new one.
      writeFileSync(`${file}.new`, JSON.stringify({ streamArn, shards: Object.fromEntries(shards) }));
      renameSync(`${file}.new`, file);
    },
  };
}

function readShards(file: string, streamArn: string): [string, string][] {
  if (!existsSync(file)) return [];
  const { success, output } = v.safeParse(CheckpointFile, readFileSync(file, 'utf8'));
  if (!success)
    throw new ConfigurationError([
      `${file}: expected checkpoints; without the file the stream is read from its start`,
    ]);
  return output.streamArn === streamArn ? Object.entries(output.shards) : [];
}
