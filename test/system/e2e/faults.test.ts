// What is away for a while, and what must not come of it: a request that was accepted and is lost, a change that is
// made twice, a record that is missing, out of order or there twice.
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { it as base, describe, vi } from 'vitest';
import { CODE } from '../../../core/radius/packet.ts';
import { dynoxide, messagesIn } from '../../local/cloud/emulators.ts';
import { closedPort, packetOf, type UdpPeer, udpPeer } from '../../relay/support.ts';
import { type Radiusd, radiusdPeer, startRadiusd } from '../peers/radiusd.ts';
import {
  active,
  coaRequest,
  exchange,
  type Parts,
  SECRET,
  startParts,
  startTestSystem,
  temporaryFolder,
} from './support.ts';

// Most of the time here passes until something is tried again, so the tests wait side by side.
const TIMEOUT_MS = 60_000;

const it = base.extend<{ client: UdpPeer; parts: Parts }>({
  client: async ({ task: _ }, use) => {
    const client = await udpPeer();
    await use(client);
    await client.close();
  },
  parts: async ({ task: _ }, use) => {
    const parts = await startParts();
    await use(parts);
    await parts.end();
  },
});

const switching = (acctSessionId: string, service: string, identifier = 1) =>
  coaRequest({ acctSessionId, activate: [service], identifier });

describe.skipIf(dynoxide.skip).concurrent(dynoxide.title('while'), { timeout: TIMEOUT_MS }, () => {
  it('a poison message is tried again and again, others are served, and it ends among the dead letters', async ({
    client,
    expect,
    onTestFinished,
  }) => {
    const system = await startTestSystem();
    onTestFinished(system.stop);
    const inbox = system.cloud.queues['test']?.inbox;
    if (inbox === undefined) throw new Error('there is no inbox');
    const sqs = new SQSClient(system.cloud.sqs);
    onTestFinished(() => sqs.destroy());
    const poison = { MessageBody: 'poison', MessageGroupId: 'poisoned', MessageDeduplicationId: 'poison' };
    const failed = system.events.nextFailure();
    await sqs.send(new SendMessageCommand({ QueueUrl: inbox.url, ...poison }));
    await failed;
    for (let identifier = 0; identifier < 5; identifier++) {
      const reply = await exchange(
        client,
        switching(`healthy ${identifier}`, 'gold', identifier),
        system.coaAddress,
      );
      expect(reply.code).toBe(CODE.CoaAck);
    }
    await vi.waitFor(async () => expect(await messagesIn(sqs, inbox.deadLetters)).toBe(1), {
      timeout: TIMEOUT_MS,
      interval: 200,
    });
    expect(await messagesIn(sqs, inbox)).toBe(0);
    const failures = system.events.all.filter(
      ({ source, event }) => source === 'decide' && event.kind === 'failed',
    );
    expect(failures).toHaveLength(5);
  });

  it('DynamoDB hangs, a request waits and is then answered', async ({ client, parts, expect }) => {
    const { dynoxide, events, coaAddress, session, settled } = parts;
    await exchange(client, switching('hanging', 'gold'), coaAddress());
    dynoxide.freeze();
    const forwarded = events.nextOfRelay('request-forwarded');
    const answer = exchange(client, switching('hanging', 'silver', 2), coaAddress());
    await forwarded;
    dynoxide.thaw();
    expect((await answer).code).toBe(CODE.CoaAck);
    expect(active(await session('hanging'))).toEqual(['silver']);
    await events.untilAccounted(3);
    await settled();
    expect(events.recorded('hanging')).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('DynamoDB is down, a request comes again from the queue and is then answered', async ({
    client,
    parts,
    expect,
  }) => {
    const { dynoxide, events, coaAddress, session, settled } = parts;
    await exchange(client, switching('down', 'gold'), coaAddress());
    await events.untilAccounted(1);
    await dynoxide.stop();
    const failed = events.nextFailure();
    const answer = exchange(client, switching('down', 'silver', 2), coaAddress());
    await failed;
    await dynoxide.start();
    expect((await answer).code).toBe(CODE.CoaAck);
    expect(await session('down')).toMatchObject({ version: 2 });
    expect(active(await session('down'))).toEqual(['silver']);
    await events.untilAccounted(3);
    await settled();
    expect(events.recorded('down')).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('SQS is down, requests are dropped, and the next repeat is answered', async ({
    client,
    parts,
    expect,
  }) => {
    const { fauxqs, events, coaAddress, session, settled } = parts;
    await exchange(client, switching('dropped', 'gold'), coaAddress());
    await events.untilAccounted(1);
    await settled();
    await fauxqs.stop();
    const discarded = events.nextOfRelay('discarded');
    await client.send(switching('dropped', 'silver', 2), coaAddress());
    await discarded;
    expect(events.discards).toEqual(['inbox-unavailable']);
    await fauxqs.start();
    const reply = await exchange(client, switching('dropped', 'silver', 2), coaAddress());
    expect(reply.code).toBe(CODE.CoaAck);
    expect(active(await session('dropped'))).toEqual(['silver']);
    await events.untilAccounted(3);
    await settled();
    expect(events.recorded('dropped')).toEqual(['Start gold', 'Start silver', 'Stop gold']);
  });

  it('SQS is down, it keeps what it took before', async ({ client, parts, expect }) => {
    const { fauxqs, functions, events, coaAddress, session } = parts;
    await functions.stop();
    const forwarded = events.nextOfRelay('request-forwarded');
    const answer = exchange(client, switching('kept', 'gold'), coaAddress());
    await forwarded;
    await fauxqs.stop();
    await fauxqs.start();
    await functions.start();
    expect((await answer).code).toBe(CODE.CoaAck);
    expect(await session('kept')).toMatchObject({ version: 1 });
    expect(await events.untilAccounted(1)).toEqual(['Start gold']);
  });

  it('a relay is replaced, a request under way and its repeat are answered, and carried out once', async ({
    client,
    parts,
    expect,
  }) => {
    const { dynoxide, relay, events, coaAddress, session, settled } = parts;
    dynoxide.freeze();
    const forwarded = events.nextOfRelay('request-forwarded');
    await client.send(switching('replaced', 'gold'), coaAddress());
    await forwarded;
    await relay.stop();
    await relay.start();
    const forwardedAgain = events.nextOfRelay('request-forwarded');
    await client.send(switching('replaced', 'gold'), coaAddress());
    await forwardedAgain;
    dynoxide.thaw();
    const replies = await client.received.atLeast(2);
    expect(replies.map(({ datagram }) => packetOf(datagram).code)).toEqual([CODE.CoaAck, CODE.CoaAck]);
    expect(replies[1]?.datagram).toEqual(replies[0]?.datagram);
    expect(await session('replaced')).toMatchObject({ version: 1 });
    await events.untilAccounted(1);
    await settled();
    expect(events.recorded('replaced')).toEqual(['Start gold']);
  });

  it('a relay is away, the accounting of what was changed waits for the next one', async ({
    client,
    parts,
    expect,
  }) => {
    const { relay, functions, events, coaAddress, settled } = parts;
    await functions.stop();
    const forwarded = events.nextOfRelay('request-forwarded');
    await client.send(switching('away', 'gold'), coaAddress());
    await forwarded;
    await relay.stop();
    const accounted = events.next(({ source }) => source === 'account');
    await functions.start();
    await accounted;
    expect(events.accounted).toEqual([]);
    const answer = client.received.next();
    await relay.start();
    expect(packetOf((await answer).datagram).code).toBe(CODE.CoaAck);
    await events.untilAccounted(1);
    await settled();
    expect(events.recorded('away')).toEqual(['Start gold']);
  });

  it.skipIf(radiusdPeer.skip)(
    radiusdPeer.title('the accounting server is down, records wait, and come in order and once each'),
    async ({ client, expect, onTestFinished }) => {
      let radiusd: Radiusd = await startRadiusd(SECRET);
      onTestFinished(() => radiusd.stop());
      const system = await startTestSystem({ accountingPort: radiusd.port });
      onTestFinished(system.stop);
      await radiusd.stop();

      const services = ['gold', 'silver', 'bronze', 'gold', 'silver'];
      for (const [identifier, service] of services.entries()) {
        for (const subscriber of ['one', 'two']) {
          const reply = await exchange(client, switching(subscriber, service, identifier), system.coaAddress);
          expect(reply.code).toBe(CODE.CoaAck);
        }
      }
      expect(system.events.accounted).toEqual([]);
      radiusd = await startRadiusd(SECRET, radiusd.port);
      await system.events.untilAccounted(18);

      const records = await radiusd.records();
      for (const subscriber of ['one', 'two']) {
        const own = records
          .map((record) => Object.fromEntries(record))
          .filter((record) => record['Acct-Session-Id']?.startsWith(`${subscriber}:`));
        const numbers = own.map((record) => Number(record['Acct-Session-Id']?.split(':')[1]));
        const first = Math.min(...numbers);
        const inOrder = own.map(
          (record, index) => `${record['Acct-Status-Type']} ${(numbers[index] ?? 0) - first + 1}`,
        );
        expect(inOrder).toEqual([
          'Start 1',
          'Start 2',
          'Stop 1',
          'Start 3',
          'Stop 2',
          'Start 4',
          'Stop 3',
          'Start 5',
          'Stop 4',
        ]);
      }
      expect(records).toHaveLength(18);
    },
  );
});

describe.skipIf(dynoxide.skip)(dynoxide.title('a system with a data directory'), () => {
  it('goes on where it was before a restart, and sends no record twice', async ({
    client,
    expect,
    onTestFinished,
  }) => {
    const data = await temporaryFolder();
    onTestFinished(data.remove);
    const accountingPort = await closedPort();

    const before = await startTestSystem({ accountingPort, dataDirectory: data.path });
    await exchange(client, switching('restarted', 'gold'), before.coaAddress);
    await before.events.untilAccounted(1);
    await before.stop();

    const after = await startTestSystem({ accountingPort, dataDirectory: data.path });
    onTestFinished(after.stop);
    expect(active(await after.session('restarted'))).toEqual(['gold']);
    const reply = await exchange(client, switching('restarted', 'silver', 2), after.coaAddress);
    expect(reply.code).toBe(CODE.CoaAck);
    expect(active(await after.session('restarted'))).toEqual(['silver']);
    await after.events.untilAccounted(2);
    expect(before.events.recorded('restarted')).toEqual(['Start gold']);
    expect(after.events.recorded('restarted')).toEqual(['Start silver', 'Stop gold']);
  });
});
