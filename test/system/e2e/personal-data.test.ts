// What is logged of a subscriber, and what is left of one who was forgotten.
import { setTimeout } from 'node:timers/promises';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it, onTestFinished } from 'vitest';
import { forget } from '../../../cli/forget.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { jsonLine, readableLine } from '../../../local/display.ts';
import { dynoxide } from '../../local/cloud/emulators.ts';
import { udpPeer } from '../../relay/support.ts';
import { coaRequest, exchange, siteFile, startTestSystem, type TestSystem } from './support.ts';

const NAME = 'ann@isp';
const ADDRESS = '198.51.100.7';
const BY_ADDRESS = { more: [{ name: 'Framed-IP-Address', value: ADDRESS }] } as const;

describe.skipIf(dynoxide.skip)(dynoxide.title('personal data'), () => {
  async function start(definition = siteFile()) {
    const system = await startTestSystem({ definition });
    onTestFinished(system.stop);
    const client = await udpPeer();
    onTestFinished(() => client.close());
    const ask = (wanted: Parameters<typeof coaRequest>[0]) =>
      exchange(client, coaRequest({ userName: NAME, ...wanted }), system.coaAddress);
    return { system, ask };
  }

  /** One request that is carried out, one that is refused, and one whose session is not found. */
  async function requests({ ask }: Awaited<ReturnType<typeof start>>): Promise<void> {
    const carriedOut = { acctSessionId: 'a1', activate: ['gold'], identifier: 1, ...BY_ADDRESS };
    expect((await ask(carriedOut)).code).toBe(CODE.CoaAck);
    const foreign = { acctSessionId: 'a1', userName: `not-${NAME}`, activate: ['silver'], identifier: 2 };
    expect((await ask(foreign)).code).toBe(CODE.CoaNak);
    const unknown = { userName: `nobody-${NAME}`, activate: ['gold'], identifier: 3, ...BY_ADDRESS };
    expect((await ask(unknown)).code).toBe(CODE.CoaNak);
  }

  const linesOf = ({ events }: TestSystem) =>
    events.all
      .filter(({ source }) => ['relay', 'decide', 'ingest', 'account'].includes(source))
      .flatMap((event) => [readableLine(event, 0) ?? '', jsonLine(event, 0)])
      .join('\n');

  it('is in the log unless the site file says otherwise', async () => {
    const running = await start();
    await requests(running);
    expect(linesOf(running.system)).toContain(NAME);
    expect(linesOf(running.system)).toContain(ADDRESS);
  });

  it('is not in the log with logIdentity: false, and the ids are', async () => {
    const running = await start(`logIdentity: false\n${siteFile()}`);
    await requests(running);
    const lines = linesOf(running.system);
    expect(lines).toContain('"correlationId":"');
    expect(lines).toContain('a1');
    expect(lines).not.toContain(NAME);
    expect(lines).not.toContain(ADDRESS);
    // As packets are, in base64.
    const packets = [...lines.matchAll(/[A-Za-z0-9+/=]{16,}/g)].map(([word]) => Buffer.from(word, 'base64'));
    expect(Buffer.concat(packets).includes(NAME)).toBe(false);
  });

  it('is gone from the table when the session was forgotten', async () => {
    const running = await start();
    await requests(running);
    const { dynamodb, tableName } = running.system.cloud;
    const client = new DynamoDBClient(dynamodb);
    onTestFinished(() => client.destroy());
    const notes: string[] = [];
    const isDone = await forget(
      { client, tableName, place: '' },
      {
        name: NAME,
        yes: true,
        now: Date.now,
        pause: (ms) => setTimeout(ms),
        print: () => {},
        note: (text) => notes.push(text),
      },
    );
    expect([isDone, notes]).toEqual([true, []]);
    const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }));
    // A refusal is kept for an hour, and names what was asked for.
    expect(Items.map(({ pk }) => pk?.S).filter((pk) => !pk?.startsWith('REQUEST#'))).toEqual([]);
  });
});
