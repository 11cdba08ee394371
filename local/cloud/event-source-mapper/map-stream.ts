// The event source mapping from a table's stream to a function with ReportBatchItemFailures.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
// It processes one batch of a shard at a time, as AWS does with a ParallelizationFactor of 1. The stack sets 10, which
// keeps the order of each item's records and no other order; the one here is stricter.
import { isDeepStrictEqual } from 'node:util';
import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
} from '@aws-sdk/client-dynamodb-streams';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { DynamoDBRecord } from 'aws-lambda';
import type { Checkpoints } from './checkpoints.ts';
import { type BatchSteps, deliverBatch, type RetryPolicy } from './deliver-batch.ts';
import { compileEventFilter, type EventPattern } from './event-filter.ts';
import { invokeBatch, type LambdaFunction } from './lambda-function.ts';
import {
  backOffMs,
  type Mapping,
  type PollLoop,
  type Surroundings,
  startPollLoop,
  wait,
} from './poll-loop.ts';
import { lambdaRecord, onFailureRecord, sequenceNumber } from './stream-record.ts';

export interface StreamMapping extends Surroundings, Partial<RetryPolicy> {
  readonly streams: DynamoDBStreamsClient;
  readonly streamArn: string;
  readonly target: LambdaFunction<DynamoDBRecord>;
  /** A shard without one is read from its oldest record. */
  readonly checkpoints: Checkpoints;
  /** Records in a batch, at most 1,000. @default 100 */
  readonly batchSize?: number;
  /** Which records reach the function. @default all */
  readonly filter?: EventPattern;
  /** Gets the metadata of each batch that is given up. @default none */
  readonly onFailure?: { readonly sqs: SQSClient; readonly queueUrl: string };
  /** Told from time to time up to which record a shard is done with. No other reader of the stream may need those below. */
  readonly trim?: (shardId: string, sequenceNumber: string) => void;
}

const DISCOVERY_INTERVAL_MS = 10_000;
const TRIM_INTERVAL_RECORDS = 1_000;
const SHORTEST_IDLE_MS = 25;
const LONGEST_IDLE_MS = 200;

/**
 * Starts to poll the stream: shards in parallel, a shard after its parent.
 * @throws Error when the filter needs more than equality.
 */
export function mapStream(mapping: StreamMapping): Mapping {
  const { streamArn, filter = {}, delay = wait } = mapping;
  const passes = compileEventFilter(filter);
  const followed = new Map<string, PollLoop>();
  const discovery = startPollLoop(streamArn, mapping, async (stopping) => {
    for (const { ShardId = '', ParentShardId = '' } of await listShards(mapping)) {
      if (followed.has(ShardId)) continue;
      const parentEnded = followed.get(ParentShardId)?.ended;
      followed.set(ShardId, followShard(ShardId, parentEnded, passes, mapping));
    }
    await delay(DISCOVERY_INTERVAL_MS, stopping);
    return 'again';
  });
  return {
    stop: async () => {
      await discovery.stop();
      await Promise.all([...followed.values()].map((shard) => shard.stop()));
    },
  };
}

function followShard(
  shardId: string,
  parentEnded: Promise<void> | undefined,
  passes: (record: DynamoDBRecord) => boolean,
  mapping: StreamMapping,
): PollLoop {
  const { streams, streamArn, target, checkpoints, onFailure, trim, report, delay = wait } = mapping;
  const { batchSize = 100, bisectBatchOnError = false, maximumRetryAttempts = -1 } = mapping;

  const settle = (records: readonly DynamoDBRecord[]) => {
    const last = records.at(-1);
    if (last !== undefined) checkpoints.write(shardId, sequenceNumber(last));
  };
  const steps: BatchSteps<DynamoDBRecord> = {
    settle,
    invoke: async (records) => {
      const outcome = await invokeBatch(target, records, sequenceNumber);
      if (outcome.error !== undefined)
        report(`${target.name} failed on ${records.length} stream records: ${outcome.error}`);
      return outcome;
    },
    giveUp: async (records, last, invocations) => {
      const about = { functionName: target.name, streamArn, shardId, invocations, nowMs: Date.now() };
      const MessageBody = JSON.stringify(onFailureRecord(records, last, about));
      await onFailure?.sqs.send(new SendMessageCommand({ QueueUrl: onFailure.queueUrl, MessageBody }));
      report(
        `${target.name} failed ${invocations} times on ${records.length} stream records: they are given up`,
      );
    },
    backOff: (failures, stopping) => delay(backOffMs(failures), stopping),
  };

  let iterator: string | undefined;
  let idleMs = SHORTEST_IDLE_MS;
  let untrimmed = 0;
  return startPollLoop(`${shardId} of ${streamArn}`, mapping, async (stopping) => {
    await parentEnded;
    if (stopping.aborted) return 'end';
    const ShardIterator = iterator ?? (await iteratorAt(checkpoints.read(shardId), shardId, mapping));
    // If this round fails, the next one starts from the checkpoint.
    iterator = undefined;
    const { Records = [], NextShardIterator } = await streams.send(
      new GetRecordsCommand({ ShardIterator, Limit: batchSize }),
    );
    const records = Records.map((record) => lambdaRecord(record, streamArn));
    const batch = records.filter((record) => isChange(record) && passes(record));
    await deliverBatch(batch, { bisectBatchOnError, maximumRetryAttempts }, steps, stopping);
    if (stopping.aborted) return 'end';
    settle(records);
    untrimmed += records.length;
    const done = checkpoints.read(shardId);
    if (untrimmed >= TRIM_INTERVAL_RECORDS && done !== undefined) {
      trim?.(shardId, done);
      untrimmed = 0;
    }
    // dynoxide gives an EndingSequenceNumber to open shards too: only the missing iterator proves the end.
    if (NextShardIterator === undefined) return 'end';
    iterator = NextShardIterator;
    idleMs = records.length > 0 ? SHORTEST_IDLE_MS : Math.min(idleMs * 1.5, LONGEST_IDLE_MS);
    if (records.length === 0) await delay(idleMs, stopping);
    return 'again';
  });
}

/** dynoxide writes a record for a write that changes nothing; DynamoDB does not. */
function isChange({ dynamodb }: DynamoDBRecord): boolean {
  return !isDeepStrictEqual(dynamodb?.OldImage, dynamodb?.NewImage);
}

async function iteratorAt(
  checkpoint: string | undefined,
  ShardId: string,
  { streams, streamArn }: StreamMapping,
): Promise<string | undefined> {
  const { ShardIterator } = await streams.send(
    new GetShardIteratorCommand({
      StreamArn: streamArn,
      ShardId,
      ...(checkpoint === undefined
        ? { ShardIteratorType: 'TRIM_HORIZON' }
        : { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: checkpoint }),
    }),
  );
  return ShardIterator;
}

/** All shards, parents first: the id of a shard begins with its creation time. */
async function listShards({ streams, streamArn }: StreamMapping): Promise<readonly Shard[]> {
  const shards: Shard[] = [];
  let last: string | undefined;
  do {
    const { StreamDescription } = await streams.send(
      new DescribeStreamCommand({
        StreamArn: streamArn,
        ...(last !== undefined && { ExclusiveStartShardId: last }),
      }),
    );
    shards.push(...(StreamDescription?.Shards ?? []));
    last = StreamDescription?.LastEvaluatedShardId;
  } while (last !== undefined);
  return shards.sort((one, other) => ((one.ShardId ?? '') < (other.ShardId ?? '') ? -1 : 1));
}
