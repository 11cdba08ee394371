import type { SQSRecord } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { MalformedMessage, NotInDeployment } from '../../../core/messages.ts';
import { processBatch } from '../../../functions/shared/batch.ts';
import { fateOfMessage } from '../../../functions/shared/message-batch.ts';
import { inboxRecord } from '../support.ts';

const SIGNAL = new AbortController().signal;

/** A message of one group in its delivery with that number. */
function delivered(times: number, body: string): SQSRecord {
  const record = inboxRecord(body);
  return {
    ...record,
    messageId: body,
    attributes: { ...record.attributes, ApproximateReceiveCount: String(times) },
  };
}

/** The fate of a message with that delivery count, and whether it is delivered again at once. */
async function fateOf(error: unknown, times = 1) {
  const again: SQSRecord[] = [];
  const deliverAgain = async (message: SQSRecord) => void again.push(message);
  const message = delivered(times, 'one');
  const fate = await fateOfMessage(message, error, { maxReceiveCount: 5, deliverAgain }, SIGNAL);
  return { fate, isHastened: again.includes(message) };
}

describe('a message that failed', () => {
  it('passes and is delivered again at once if it cannot be read', async () => {
    expect(await fateOf(new MalformedMessage('is not JSON'))).toEqual({ fate: 'passes', isHastened: true });
  });

  it('blocks its group if the next deployment may be about its NAS, or its fault may pass', async () => {
    const blocks = { fate: 'blocks', isHastened: false };
    expect(await fateOf(new NotInDeployment('nas: the site demo has no bng-9'))).toEqual(blocks);
    expect(await fateOf(new Error('throttled'), 4)).toEqual(blocks);
  });

  it('passes on its last delivery, whatever its fault', async () => {
    expect(await fateOf(new Error('throttled'), 5)).toEqual({ fate: 'passes', isHastened: false });
  });

  it('passes if SQS does not deliver it again at once', async () => {
    const deliverAgain = () => Promise.reject(new Error('throttled'));
    const error = new MalformedMessage('is not JSON');
    const about = { maxReceiveCount: 5, deliverAgain };
    expect(await fateOfMessage(delivered(1, 'one'), error, about, SIGNAL)).toBe('passes');
  });
});

describe('a batch of one group', () => {
  /** Delivers a poison message with two behind it, as SQS does, until none is left or all go to the dead letters. */
  async function deliver(error: Error) {
    const done: string[] = [];
    let waiting = ['poison', 'one', 'two'];
    let delivery = 1;
    for (; delivery <= 5 && waiting.length > 0; delivery++) {
      const { batchItemFailures } = await processBatch(
        {
          records: waiting.map((body) => delivered(delivery, body)),
          groupOf: ({ attributes }) => attributes.MessageGroupId ?? '',
          idOf: ({ messageId }) => messageId,
          process: async ({ body }) => {
            if (body === 'poison') throw error;
            done.push(body);
          },
          fateOf: (message, thrown, signal) =>
            fateOfMessage(message, thrown, { maxReceiveCount: 5, deliverAgain: undefined }, signal),
          onFailure: () => {},
        },
        60_000,
      );
      waiting = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    }
    return { done, deadLetters: waiting };
  }

  it.each([new MalformedMessage('is not JSON'), new Error('a fault')])(
    'loses the message that fails to the dead letters, and none of those behind it: %s',
    async (error) => {
      expect(await deliver(error)).toEqual({ done: ['one', 'two'], deadLetters: ['poison'] });
    },
  );
});
