import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  ACCOUNT_FAILURES_QUEUE_NAME,
  STATE_SORT_KEY,
  STREAM_BATCH_SIZE,
  STREAM_MAX_RETRIES,
  TABLE,
} from '../core/cloud.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { NodeFunction } from './node-function.ts';

/** The table of subscriber sessions, and its stream. */
export class SessionsTable extends Construct {
  readonly table: dynamodb.Table;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const { partitionKey, sortKey, dueIndex } = TABLE;
    this.table = new dynamodb.Table(this, 'Table', {
      partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: sortKey, type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.table.addGlobalSecondaryIndex({
      indexName: dueIndex.name,
      partitionKey: { name: dueIndex.partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: dueIndex.sortKey, type: dynamodb.AttributeType.NUMBER },
    });
  }

  /** Lets `user` get and put single items, and tells it the table's name. */
  grantReadWrite(user: NodeFunction): void {
    // Not table.grant: that reaches the indexes, too.
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem'],
      resourceArns: [this.table.tableArn],
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /** Lets `user` look up which sessions are due, and tells it the table's name. */
  grantQueryDue(user: NodeFunction): void {
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:Query'],
      resourceArns: [`${this.table.tableArn}/index/${TABLE.dueIndex.name}`],
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /** Invokes `consumer` with both images of every change of a session's state; what it cannot process, even alone
   * and after the last retry, is reported to a queue. */
  deliverChangesTo(consumer: NodeFunction): void {
    const failures = new DeadLetterQueue(this, 'Failures', { queueName: ACCOUNT_FAILURES_QUEUE_NAME });
    failures.grant(consumer, 'sqs:SendMessage');
    const { tableStreamArn } = this.table;
    if (tableStreamArn === undefined) throw new Error('the sessions table has no stream');
    // Not DynamoEventSource: that grants ListStreams on every table.
    iam.Grant.addToPrincipal({
      grantee: consumer,
      actions: ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map(
        (name) => `dynamodb:${name}`,
      ),
      resourceArns: [tableStreamArn],
    });
    consumer.addEventSourceMapping('Changes', {
      eventSourceArn: tableStreamArn,
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      filters: [
        lambda.FilterCriteria.filter({
          dynamodb: { Keys: { [TABLE.sortKey]: { S: lambda.FilterRule.isEqual(STATE_SORT_KEY) } } },
        }),
      ],
      batchSize: STREAM_BATCH_SIZE,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts: STREAM_MAX_RETRIES,
      onFailure: { bind: () => ({ destination: failures.queueArn }) },
    });
  }
}
