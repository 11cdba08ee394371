// An endpoint that has a stream with several shards, as the emulator never has: parents, children, and shards that
// are born later and end.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ScriptedShard {
  readonly id: string;
  readonly parent?: string;
  readonly records: string[];
  closed: boolean;
}

/** Serves `shards`, which may change meanwhile, in the order given. A record's key and sequence number are its name. */
export async function startScriptedStream(shards: readonly ScriptedShard[]) {
  const operations: Record<string, (input: Record<string, string>) => unknown> = {
    DescribeStream: () => ({ StreamDescription: { Shards: shards.map(description) } }),
    GetShardIterator: ({ ShardId }) => ({ ShardIterator: JSON.stringify([ShardId, 0]) }),
    GetRecords: ({ ShardIterator = '' }) => {
      const [id, start] = JSON.parse(ShardIterator) as [string, number];
      const shard = shards.find((candidate) => candidate.id === id);
      const names = shard?.records.slice(start) ?? [];
      const next = shard?.closed ? {} : { NextShardIterator: JSON.stringify([id, start + names.length]) };
      return { Records: names.map(record), ...next };
    },
  };
  const server = createServer(async (request, response) => {
    const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
    const input = JSON.parse(await text(request)) as Record<string, string>;
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end(JSON.stringify(operations[operation]?.(input)));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Like dynoxide's, it has an EndingSequenceNumber though the shard may be open. */
function description({ id, parent }: ScriptedShard) {
  const SequenceNumberRange = { StartingSequenceNumber: '1', EndingSequenceNumber: '9' };
  return { ShardId: id, ...(parent !== undefined && { ParentShardId: parent }), SequenceNumberRange };
}

function record(name: string) {
  const Keys = { pk: { S: name }, sk: { S: 'STATE' } };
  return { eventName: 'INSERT', dynamodb: { Keys, NewImage: Keys, SequenceNumber: name } };
}

async function text(request: IncomingMessage): Promise<string> {
  return Buffer.concat(await request.toArray()).toString();
}
