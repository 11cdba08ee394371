// A stream record as Lambda passes it to the function, and the message to the on-failure destination.
import type { _Record as StreamRecord } from '@aws-sdk/client-dynamodb-streams';
import type { DynamoDBRecord } from 'aws-lambda';
import { type BatchOutcome, functionArn } from './lambda-function.ts';

/** A record of GetRecords as Lambda delivers it: bytes in base64, the time in seconds since 1970-01-01 UTC. */
export function lambdaRecord(record: StreamRecord, streamArn: string): DynamoDBRecord {
  const createdAtMs = record.dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0;
  const dynamodb = { ...record.dynamodb, ApproximateCreationDateTime: createdAtMs / 1000 };
  const json = JSON.stringify({ ...record, dynamodb, eventSourceARN: streamArn }, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value,
  );
  return JSON.parse(json) as DynamoDBRecord;
}

/** The sequence number of a record, which identifies it in its shard. */
export function sequenceNumber({ dynamodb }: DynamoDBRecord): string {
  return dynamodb?.SequenceNumber ?? '';
}

/** The metadata of a batch that was given up, for the on-failure destination. */
export function onFailureRecord(
  batch: readonly DynamoDBRecord[],
  last: BatchOutcome<DynamoDBRecord>,
  about: {
    readonly functionName: string;
    readonly streamArn: string;
    readonly shardId: string;
    readonly invocations: number;
    readonly nowMs: number;
  },
) {
  const arrivals = batch.map(({ dynamodb }) =>
    new Date((dynamodb?.ApproximateCreationDateTime ?? 0) * 1000).toISOString(),
  );
  const sequenceNumbers = batch.map(sequenceNumber);
  return {
    requestContext: {
      requestId: last.requestId,
      functionArn: functionArn(about.functionName),
      condition: 'RetryAttemptsExhausted',
      approximateInvokeCount: about.invocations,
    },
    responseContext: {
      statusCode: 200,
      executedVersion: '$LATEST',
      ...(last.error !== undefined && { functionError: 'Unhandled' }),
    },
    version: '1.0',
    timestamp: new Date(about.nowMs).toISOString(),
    DDBStreamBatchInfo: {
      shardId: about.shardId,
      startSequenceNumber: sequenceNumbers.at(0),
      endSequenceNumber: sequenceNumbers.at(-1),
      approximateArrivalOfFirstRecord: arrivals.at(0),
      approximateArrivalOfLastRecord: arrivals.at(-1),
      batchSize: batch.length,
      streamArn: about.streamArn,
    },
  };
}
