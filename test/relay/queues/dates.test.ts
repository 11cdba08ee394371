// The SDK's own client and HTTP; the cloud is a server whose clock is another one.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../relay/clock.ts';
import { CloudClock } from '../../../relay/cloud-clock.ts';
import { watchDates } from '../../../relay/queues/dates.ts';
import { Queue } from '../../../relay/queues/queue.ts';
import { EventRecorder, LOCALHOST } from '../support.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** An SQS whose clock is ahead by `aheadMs`. As AWS does, it refuses signatures that are more than 5 minutes off. */
async function sqsAhead(aheadMs: number) {
  const refused: string[] = [];
  const server = createServer((request, response) => {
    const nowMs = Date.now() + aheadMs;
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(request.headers['x-amz-date'])) ?? [];
    const signedAtMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    request.resume();
    response.setHeader('date', new Date(nowMs).toUTCString());
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    if (Math.abs(nowMs - signedAtMs) > 300_000) {
      refused.push(String(request.headers['x-amz-date']));
      const message = 'Signature not yet current or expired';
      const __type = 'com.amazon.coral.service#InvalidSignatureException';
      response.writeHead(403).end(JSON.stringify({ __type, message }));
    } else response.writeHead(200).end('{}');
  });
  server.listen(0, LOCALHOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sqs = new SQSClient({
    endpoint: `http://${LOCALHOST}:${port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    useQueueUrlAsEndpoint: false,
    md5: false,
  });
  stops.push(async () => {
    sqs.destroy();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const events = new EventRecorder();
  const cloudClock = new CloudClock({ clock: systemClock, report: events.add });
  watchDates(sqs, systemClock, (response) => cloudClock.observe(response));
  const url = `http://${LOCALHOST}:${port}/000000000000/outbox.fifo`;
  const queue = new Queue('outbox', url, { sqs, clock: systemClock, report: events.add });
  const receive = async () =>
    (await queue.receive({ waitSeconds: 0, visibilitySeconds: 1, attemptId: 'attempt' })).messages;
  return { receive, cloudClock, events, refused };
}

test.each([0, 31_000, -45_000])(
  'shows what the clock differs from that of a cloud %i ms ahead',
  async (ms) => {
    const { receive, cloudClock, events } = await sqsAhead(ms);
    expect(await receive()).toEqual([]);
    const { skewMs = Number.NaN, uncertaintyMs = Number.NaN } = cloudClock.skew ?? {};
    expect(Math.abs(skewMs + ms)).toBeLessThanOrEqual(uncertaintyMs);
    expect(events.of('clock-skewed').length).toBe(ms === 0 ? 0 : 1);
  },
);

test.each([600_000, -86_400_000])(
  'signs with the time of a cloud %i ms ahead once it was refused, and says that the clock is wrong',
  async (ms) => {
    const { receive, cloudClock, events, refused } = await sqsAhead(ms);
    expect(await receive()).toEqual([]);
    expect(await receive()).toEqual([]);
    expect(refused.length).toBe(1);
    expect(Math.abs((cloudClock.skew?.skewMs ?? Number.NaN) + ms)).toBeLessThan(60_000);
    expect(events.all).toMatchObject([{ kind: 'clock-skewed' }]);
  },
);
