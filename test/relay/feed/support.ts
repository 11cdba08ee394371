// Accounting-Requests, and a relay that takes them, on real UDP.
import { ReceiveMessageCommand } from '@aws-sdk/client-sqs';
import { FeedMessage, readMessage } from '../../../core/messages.ts';
import { ACCT_STATUS_TYPE } from '../../../core/radius/attributes.ts';
import type { Attribute } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import type { Feed } from '../../../relay/site/clients.ts';
import type { RelaySite } from '../../../relay/site/site.ts';
import { type Cloud, LOCALHOST, localSite, SECRET, signedRequest } from '../support.ts';

export interface RecordParts {
  readonly status?: keyof typeof ACCT_STATUS_TYPE | number;
  readonly id?: string;
  readonly identifier?: number;
  readonly nas?: string;
  readonly userName?: string;
  readonly more?: readonly Attribute[];
  readonly secret?: typeof SECRET;
  readonly messageAuthenticator?: boolean;
}

/** The octets of an Accounting-Request: a Start of bng-1, unless told otherwise. */
export function accountingRequest({
  status = 'Start',
  id = '0001',
  identifier = 1,
  nas = '192.0.2.1',
  userName = 'ann@isp1.com',
  more = [],
  messageAuthenticator = false,
  secret = SECRET,
}: RecordParts = {}): Uint8Array {
  return signedRequest({
    code: CODE.AccountingRequest,
    identifier,
    attributes: [
      { name: 'Acct-Status-Type', value: typeof status === 'number' ? status : ACCT_STATUS_TYPE[status] },
      { name: 'Acct-Session-Id', value: id },
      { name: 'NAS-IP-Address', value: nas },
      { name: 'User-Name', value: userName },
      ...more,
    ],
    messageAuthenticator,
    secret,
  });
}

export const stamped = (seconds: number): Attribute => ({ name: 'Event-Timestamp', value: seconds });
export const delayed = (seconds: number): Attribute => ({ name: 'Acct-Delay-Time', value: seconds });

/** A site that takes accounting of this machine, about two NASes. */
export function siteWithFeed(changes: Partial<Feed> = {}, site: Partial<RelaySite> = {}): RelaySite {
  const feed: Feed = {
    name: 'bng-1',
    sources: [{ address: LOCALHOST, prefix: 32, family: 'ipv4' }],
    secrets: [SECRET],
    mode: 'copy',
    ...changes,
  };
  return localSite({
    intake: {
      address: { address: LOCALHOST, port: 0 },
      feeds: [feed],
      nases: [
        { name: 'bng-1', identifiedBy: ['192.0.2.1', 'bng-1'], dialect: 'erx', options: {} },
        { name: 'bng-2', identifiedBy: ['192.0.2.2'], dialect: 'cisco', options: {} },
      ],
    },
    ...site,
  });
}

/** The messages that are in the feed queue and have not been given out, oldest first. */
export function queuedIn({ server }: Cloud): readonly FeedMessage[] {
  const { messages } = server.inspectQueue('feed.fifo') ?? {};
  return (messages?.ready ?? []).map(({ body }) => readMessage(FeedMessage, body));
}

/** Takes the next message of the feed queue, waiting for it. */
export async function takeFrom({ sqs, queues }: Cloud): Promise<{ group: string; message: FeedMessage }> {
  const { Messages } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: queues.feed,
      WaitTimeSeconds: 5,
      MessageSystemAttributeNames: ['All'],
    }),
  );
  const [received] = Messages ?? [];
  if (received?.Body === undefined) throw new Error('nothing came to the feed queue');
  return {
    group: received.Attributes?.MessageGroupId ?? '',
    message: readMessage(FeedMessage, received.Body),
  };
}
