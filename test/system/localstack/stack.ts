// The real stack in LocalStack: deployed and destroyed by the CDK's command, and looked into by its outputs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { unmarshall } from '@aws-sdk/util-dynamodb';
import { latestHistory } from '../../../cli/latest-history.ts';
import type { QueueName } from '../../../core/cloud/queues.ts';
import { queueName } from '../../../core/cloud/queues.ts';
import { STATE_SORT_KEY, sessionPartitionKey } from '../../../core/cloud/table.ts';
import type { SessionKey } from '../../../core/messages.ts';
import type { HistoryItem } from '../../../core/subscriber/history.ts';
import type { QueueUrls } from '../../../relay/site/site.ts';
import { run } from '../runs/process.ts';
import { ACCOUNT, type LocalStack, REGION } from './localstack.ts';

const PROJECT = join(import.meta.dirname, '../../..');

export class StackInLocalStack {
  readonly #localstack: LocalStack;
  readonly #directory: string;
  readonly #context: readonly string[];
  readonly #sqs: SQSClient;
  readonly #dynamodb: DynamoDBClient;
  #outputs: Readonly<Record<string, string>> = {};

  /**
   * @param directory for what cdk writes
   * @param configuration the folder of services.yaml and sites
   */
  constructor(localstack: LocalStack, directory: string, configuration: string) {
    this.#localstack = localstack;
    this.#directory = directory;
    // Nothing may stay behind, the table of sessions among it.
    this.#context = ['-c', `config=${configuration}`, '-c', 'deletionProtection=false'];
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const client = { endpoint: localstack.endpoint, region: REGION, credentials };
    this.#sqs = new SQSClient(client);
    this.#dynamodb = new DynamoDBClient(client);
  }

  async bootstrap(): Promise<void> {
    await this.#cdk('bootstrap', `aws://${ACCOUNT}/${REGION}`);
  }

  async deploy(): Promise<void> {
    const file = join(this.#directory, 'outputs.json');
    await this.#cdk('deploy', ...this.#context, '--require-approval', 'never', '--outputs-file', file);
    this.#outputs = JSON.parse(await readFile(file, 'utf8')).Interlock;
  }

  /** Destroys it, and looks whether anything is left. */
  async destroy(): Promise<void> {
    await this.#cdk('destroy', ...this.#context, '--force');
    const { TableNames } = await this.#dynamodb.send(new ListTablesCommand());
    const { QueueUrls = [] } = await this.#sqs.send(new ListQueuesCommand());
    assert.deepEqual({ TableNames, QueueUrls }, { TableNames: [], QueueUrls: [] });
  }

  get queues(): QueueUrls {
    return {
      inbox: this.#output('InboxUrl'),
      outbox: this.#output('OutboxUrl'),
      accounting: this.#output('AccountingUrl'),
      feed: this.#output('FeedUrl'),
    };
  }

  /** Sends a message that nobody of ours would have written. */
  async sendToInbox(body: string): Promise<void> {
    const id = { MessageGroupId: body, MessageDeduplicationId: body };
    await this.#sqs.send(new SendMessageCommand({ QueueUrl: this.queues.inbox, MessageBody: body, ...id }));
  }

  /** How many messages are in a dead-letter queue. */
  async deadLetters(site: string, queue: QueueName): Promise<number> {
    const name = { QueueName: queueName(site, queue, 'dead-letters') };
    const { QueueUrl } = await this.#sqs.send(new GetQueueUrlCommand(name));
    const { Attributes } = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['ApproximateNumberOfMessages'] }),
    );
    return Number(Attributes?.['ApproximateNumberOfMessages']);
  }

  /** The item of a session, as it lies in the table. */
  async item({ nas, acctSessionId }: SessionKey): Promise<Readonly<Record<string, unknown>>> {
    const Key = { pk: { S: sessionPartitionKey(nas, acctSessionId) }, sk: { S: STATE_SORT_KEY } };
    const { Item = {} } = await this.#dynamodb.send(
      new GetItemCommand({ TableName: this.#output('TableName'), Key, ConsistentRead: true }),
    );
    return unmarshall(Item);
  }

  /** What the latest changes of a session did, newest first. */
  history(session: SessionKey): Promise<readonly HistoryItem[]> {
    return latestHistory(this.#dynamodb, this.#output('TableName'), session, Date.now());
  }

  /** Logical ids end in a hash. */
  #output(name: string): string {
    const pattern = new RegExp(`${name}[0-9A-F]{8}$`);
    const [, value] = Object.entries(this.#outputs).find(([id]) => pattern.test(id)) ?? [];
    assert(value !== undefined, `the stack has no output ${name}`);
    return value;
  }

  async #cdk(...args: readonly string[]): Promise<void> {
    const output = ['--output', join(this.#directory, 'cdk.out')];
    await run(join(PROJECT, 'node_modules/.bin/cdk'), [...args, ...output], {
      cwd: PROJECT,
      env: this.#localstack.environment,
    });
  }
}
