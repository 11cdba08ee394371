import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startDynoxide } from '../../../local/cloud/dynoxide.ts';
import { ensureTable } from '../../../local/cloud/table.ts';
import { dynoxide, LOCAL } from './emulators.ts';

/** A table with a hyphen in its name, and what is in its stream. */
async function startTable() {
  const directory = await mkdtemp(join(tmpdir(), 'interlock-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const databaseFile = join(directory, 'dynamodb.db');
  const running = await startDynoxide({ databaseFile, onDeath: (reason) => expect.fail(reason) });
  onTestFinished(running.stop);
  const client = new DynamoDBClient({ endpoint: running.endpoint, ...LOCAL });
  const streams = new DynamoDBStreamsClient({ endpoint: running.endpoint, ...LOCAL });
  const TableName = 'one-table';
  const StreamArn = await ensureTable(client, TableName);
  const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
  const shardId = StreamDescription?.Shards?.[0]?.ShardId ?? '';
  return {
    databaseFile,
    trim: (sequenceNumber: string) => running.trimStream(shardId, sequenceNumber),
    put: async (...names: readonly string[]) => {
      for (const name of names)
        await client.send(new PutItemCommand({ TableName, Item: { pk: { S: name }, sk: { S: 'STATE' } } }));
    },
    /** The sequence number and the name of each record, from the oldest or after a checkpoint. */
    records: async (checkpoint?: string) => {
      const { ShardIterator } = await streams.send(
        new GetShardIteratorCommand({
          StreamArn,
          ShardId: shardId,
          ...(checkpoint === undefined
            ? { ShardIteratorType: 'TRIM_HORIZON' }
            : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: checkpoint }),
        }),
      );
      const { Records = [] } = await streams.send(new GetRecordsCommand({ ShardIterator }));
      return Records.map(({ dynamodb }) => [dynamodb?.SequenceNumber, dynamodb?.Keys?.['pk']?.S]);
    },
  };
}

describe.skipIf(dynoxide.skip)(dynoxide.title('the stream records of dynoxide'), () => {
  it('are deleted below a checkpoint, and the numbers go on', async () => {
    const table = await startTable();
    await table.put('a', 'b', 'c', 'd');
    table.trim('3');
    expect(await table.records()).toEqual([
      ['3', 'c'],
      ['4', 'd'],
    ]);
    table.trim('4');
    await table.put('e');
    expect(await table.records()).toEqual([
      ['4', 'd'],
      ['5', 'e'],
    ]);
    expect(await table.records('4')).toEqual([['5', 'e']]);
  });

  it('keep the newest one whatever the checkpoint is', async () => {
    const table = await startTable();
    await table.put('a', 'b');
    table.trim('99');
    await table.put('c');
    expect(await table.records()).toEqual([
      ['2', 'b'],
      ['3', 'c'],
    ]);
  });

  it('are numbered and read through an index', async () => {
    const { databaseFile } = await startTable();
    const database = new DatabaseSync(databaseFile);
    onTestFinished(() => database.close());
    const plan = (query: string) => database.prepare(`EXPLAIN QUERY PLAN ${query}`).all()[0]?.['detail'];
    // As the program has them.
    expect(
      plan(
        'SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = ?1',
      ),
    ).toContain('USING COVERING INDEX interlock_number');
    expect(
      plan(
        `SELECT event_name FROM _stream_records
         WHERE table_name = ?1 AND shard_id = ?2 AND CAST(sequence_number AS INTEGER) > ?3
         ORDER BY CAST(sequence_number AS INTEGER) LIMIT 100`,
      ),
    ).toContain('USING INDEX interlock_shard');
  });
});
