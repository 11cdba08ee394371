import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { CfnOutput, RemovalPolicy, Validations } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  ACCOUNT_FAILURES_QUEUE_NAME,
  STREAM_BATCH_SIZE,
  STREAM_BATCHES_PER_SHARD,
  STREAM_MAX_RETRIES,
} from '../core/cloud/queues.ts';
import { INDEXES, type ItemKind, KEY_PREFIXES, STATE_SORT_KEY, TABLE } from '../core/cloud/table.ts';
import { LOOK_UP_ATTRIBUTES } from '../core/look-up.ts';
import { HISTORY_ATTRIBUTES } from '../core/subscriber/history.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { NodeFunction } from './node-function.ts';
import { ONE_MINUTE, RunbookAlarm } from './runbook-alarm.ts';

/** A stream keeps records for 24 hours: an alarm this early leaves time to find out what delays account. */
const BEHIND_MINUTES = 5;

export interface SessionsTableProps {
  /**
   * Whether the table refuses to be deleted, and outlives its stack.
   * @default true
   */
  readonly deletionProtection?: boolean;
}

/** The table of subscriber sessions and their history, and its stream. */
export class SessionsTable extends Construct {
  readonly table: dynamodb.Table;

  constructor(scope: Construct, id: string, { deletionProtection = true }: SessionsTableProps = {}) {
    super(scope, id);
    const { partitionKey, sortKey, timeToLiveAttribute } = TABLE;
    this.table = new dynamodb.Table(this, 'Table', {
      partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: sortKey, type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
      timeToLiveAttribute,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection,
      removalPolicy: deletionProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    // All at once, with the table: CloudFormation adds to a table that exists one index in each update.
    for (const { name, partitionKey, sortKey } of INDEXES) {
      this.table.addGlobalSecondaryIndex({
        indexName: name,
        partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
        sortKey: {
          name: sortKey.name,
          type: sortKey.type === 'N' ? dynamodb.AttributeType.NUMBER : dynamodb.AttributeType.STRING,
        },
        projectionType: dynamodb.ProjectionType.KEYS_ONLY,
      });
    }
    new CfnOutput(this, 'TableName', { value: this.table.tableName });
  }

  /** Lets `user` get, put and delete single items of these kinds, and gives it the table's name. */
  grantReadWrite(user: NodeFunction, kinds: readonly ItemKind[]): void {
    // Not table.grant: that reaches the indexes, too.
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
      resourceArns: [this.table.tableArn],
      conditions: itemsOf(kinds),
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /** Lets `user` query which sessions have a value of an identification attribute. */
  grantLookUp(user: NodeFunction): void {
    const indexes = LOOK_UP_ATTRIBUTES.map((attribute) => TABLE.lookUpIndexes[attribute]);
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:Query'],
      resourceArns: indexes.map((name) => `${this.table.tableArn}/index/${name}`),
    });
  }

  /** Lets `user` read when a NAS has restarted, and query which sessions it has. */
  grantReadNases(user: NodeFunction): void {
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:BatchGetItem'],
      resourceArns: [this.table.tableArn],
      conditions: itemsOf(['nas']),
    });
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:Query'],
      resourceArns: [`${this.table.tableArn}/index/${TABLE.nasIndex.name}`],
    });
  }

  /** Lets `user` query which sessions are due, and gives it the table's name. */
  grantQueryDue(user: NodeFunction): void {
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:Query'],
      resourceArns: [`${this.table.tableArn}/index/${TABLE.dueIndex.name}`],
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /** Lets `user` scan the keys of all sessions, and gives it the table's name. */
  grantScanKeys(user: NodeFunction): void {
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:Scan'],
      resourceArns: [`${this.table.tableArn}/index/${TABLE.sessionsIndex}`],
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /** Lets operators read every item and every index, and delete items: those of a subscriber who is to be forgotten. */
  grantReadAndDelete(operators: iam.IRole): void {
    iam.Grant.addToPrincipal({
      grantee: operators,
      actions: ['dynamodb:DeleteItem'],
      resourceArns: [this.table.tableArn],
    });
    iam.Grant.addToPrincipal({
      grantee: operators,
      actions: ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:Scan'],
      resourceArns: [
        this.table.tableArn,
        ...INDEXES.map(({ name }) => `${this.table.tableArn}/index/${name}`),
      ],
    });
  }

  /** Lets `user` put items of history, and gives it the table's name. */
  grantWriteHistory(user: NodeFunction): void {
    // Its partition keys are its own, so `user` can neither make nor replace a session. Of the attributes that it may put it can
    // make no entry of an index, and it does not get what was there before.
    const { Null, ...ofHistory } = itemsOf(['history']);
    iam.Grant.addToPrincipal({
      grantee: user,
      actions: ['dynamodb:PutItem'],
      resourceArns: [this.table.tableArn],
      conditions: {
        ...ofHistory,
        'ForAllValues:StringEquals': { 'dynamodb:Attributes': HISTORY_ATTRIBUTES },
        Null: { ...Null, 'dynamodb:Attributes': 'false' },
        StringEqualsIfExists: { 'dynamodb:ReturnValues': 'NONE' },
      },
    });
    user.addEnvironment('TABLE_NAME', this.table.tableName);
  }

  /**
   * Invokes `consumer` with both images of each write of a session. If it cannot process a record, even alone and after
   * the last retry, a queue gets the record's place in the stream.
   */
  deliverWritesTo(consumer: NodeFunction): void {
    const failures = new DeadLetterQueue(this, 'Failures', {
      queueName: ACCOUNT_FAILURES_QUEUE_NAME,
      heading: 'Changes that account could not process',
    });
    failures.allowSend(consumer, consumer.roleArn);
    consumer.addEnvironment('FAILURES_URL', failures.queueUrl);
    Validations.of(failures).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'A stream has no redrive policy that would show it, but this is a dead-letter queue.',
    });
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
      parallelizationFactor: STREAM_BATCHES_PER_SHARD,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts: STREAM_MAX_RETRIES,
      onFailure: { bind: () => ({ destination: failures.queueArn }) },
    });
    new RunbookAlarm(this, 'Behind', {
      heading: 'account is behind the stream',
      metric: consumer.metric('IteratorAge', { statistic: cloudwatch.Stats.MAXIMUM, period: ONE_MINUTE }),
      threshold: BEHIND_MINUTES * 60_000,
      evaluationPeriods: BEHIND_MINUTES,
    });
  }
}

/** A condition that holds for items of these kinds alone, by their partition keys. */
function itemsOf(kinds: readonly ItemKind[]) {
  return {
    'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': kinds.map((kind) => `${KEY_PREFIXES[kind]}*`) },
    // ForAllValues holds for no values at all.
    Null: { 'dynamodb:LeadingKeys': 'false' },
  };
}
