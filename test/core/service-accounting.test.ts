import { describe, expect, it } from 'vitest';
import { prepareSecret, signRequest } from '../../core/radius/authenticator.ts';
import { type Attribute, decodeAttributes } from '../../core/radius/codec.ts';
import { CODE, parsePacket } from '../../core/radius/packet.ts';
import { type AccountingRecord, accountingRecords } from '../../core/service-accounting.ts';
import { accountingId, ack, asked, NOW, nas, outcome, play, request, service } from './support.ts';

/** The attributes as the accounting server reads them. */
function attributesOf({ message }: AccountingRecord): readonly Attribute[] {
  const unsigned = {
    code: CODE.AccountingRequest,
    identifier: 0,
    attributes: Buffer.from(message.attributes, 'base64'),
  };
  const bytes = signRequest(unsigned, prepareSecret('s'), { messageAuthenticator: false });
  const parsed = parsePacket(bytes);
  if (!parsed.ok) throw new Error(parsed.reason);
  return decodeAttributes(parsed.packet);
}

const brief = (records: readonly AccountingRecord[]) =>
  records.map(({ message }) => `${message.status} ${message.serviceSession}`);

const who = {
  identity: {
    'User-Name': 'client1@isp1.com',
    'Framed-IP-Address': '198.51.100.7',
    'Chargeable-User-Identity': 'ff01',
  },
  classes: [Buffer.from('premium').toString('hex')],
};
const gold = play([
  asked(request('r1', { ...who, activate: ['gold', service('voice', { statistics: 'off' })] })),
]).session;
const silver = play([asked(request('r2', { ...who, activate: ['silver'] }))], gold, NOW + 90_500).session;

describe('accounting', () => {
  it('makes an Acct-Start of a service that became active', () => {
    const [start, ...more] = accountingRecords(undefined, gold);
    expect(more).toEqual([]);
    expect(start?.message).toMatchObject({
      correlationId: 'r1',
      status: 'Start',
      acctSessionId: accountingId(0),
      serviceSession: 'gold',
      eventAtMs: NOW,
    });
    expect(start && attributesOf(start)).toEqual([
      { name: 'Acct-Status-Type', value: 1 },
      { name: 'Acct-Session-Id', value: accountingId(0) },
      { name: 'User-Name', value: 'client1@isp1.com' },
      { name: 'NAS-IP-Address', value: '192.0.2.1' },
      { name: 'NAS-Identifier', value: 'bng-1' },
      { name: 'Framed-IP-Address', value: '198.51.100.7' },
      { name: 'Chargeable-User-Identity', value: Buffer.from([0xff, 0x01]) },
      { name: 'Class', value: Buffer.from('premium') },
      { name: 'Acct-Authentic', value: 1 },
      { name: 'Event-Timestamp', value: NOW / 1000 },
      { name: 'ERX-Service-Session', value: 'gold' },
    ]);
  });

  it('makes the Start of a new service before the Stop of the replaced one, with time, cause and the request that ended it', () => {
    const records = accountingRecords(gold, silver);
    expect(brief(records)).toEqual(['Start silver', 'Stop gold']);
    const stop = records[1];
    expect(stop?.message).toMatchObject({
      correlationId: 'r2',
      acctSessionId: accountingId(0),
      eventAtMs: NOW + 90_500,
    });
    expect(stop && attributesOf(stop)).toEqual(
      expect.arrayContaining([
        { name: 'Acct-Status-Type', value: 2 },
        { name: 'Event-Timestamp', value: NOW / 1000 + 90 },
        { name: 'Acct-Session-Time', value: 90 },
        { name: 'Acct-Terminate-Cause', value: 10 },
      ]),
    );
  });

  it('gives a record the same identifier each time that it is made, and no two records the same', () => {
    const again = accountingRecords(gold, silver).map(({ id }) => id);
    expect(again).toEqual(accountingRecords(gold, silver).map(({ id }) => id));
    expect(new Set([...again, ...accountingRecords(undefined, gold).map(({ id }) => id)]).size).toBe(3);
  });

  it.each([
    ['has ended it itself', 'erx', 60],
    ['was not told of it', 'cisco', 600],
  ] as const)(
    'makes the Stop of a Service-Timeout whose timer is late: the NAS %s',
    (_, dialect, seconds) => {
      const coa = { nas: nas({ enforcement: 'coa', dialect }) };
      const timed = service('gold', { timeoutSeconds: 60 });
      const before = play([asked(request('r1', { ...coa, activate: [timed] })), ack]).session;
      const after = play([{ kind: 'due', id: 'd1' }, ack], before, NOW + 600_000).session;
      const [stop, ...more] = accountingRecords(before, after);
      expect(more).toEqual([]);
      expect(stop && attributesOf(stop)).toEqual(
        expect.arrayContaining([
          { name: 'Event-Timestamp', value: NOW / 1000 + seconds },
          { name: 'Acct-Session-Time', value: seconds },
          { name: 'Acct-Terminate-Cause', value: 5 },
        ]),
      );
    },
  );

  it('makes no record of a service without statistics', () => {
    const { session } = play([asked(request('r3', { deactivate: ['voice'] }))], gold);
    expect(accountingRecords(gold, session)).toEqual([]);
  });

  it('makes no record if a service was only refreshed, or only an answer stored', () => {
    const { session } = play(
      [asked(request('r3', { activate: [service('gold', { timeoutSeconds: 60 })] }))],
      gold,
    );
    expect(accountingRecords(gold, session)).toEqual([]);
  });

  it('makes a Stop of each service if the session was removed', () => {
    expect(brief(accountingRecords(gold, undefined))).toEqual(['Stop gold']);
  });

  it('makes Stop and Start of a service that ended and was activated again', () => {
    const left = play([asked(request('r3', { deactivate: ['gold'] }))], gold).session;
    const back = play([asked(request('r4', { activate: ['gold'] }))], left).session;
    expect(brief(accountingRecords(gold, back))).toEqual(['Start gold', 'Stop gold']);
  });

  it('follows the NAS: Start after its ACK, Stop when the victim is gone, no record of what was undone', () => {
    const coa = { nas: nas({ enforcement: 'coa' }) };
    const asking = play([asked(request('r3', { ...coa, activate: ['silver'] }))], gold).session;
    const confirmed = play([(s) => outcome(s, 'ack')], asking).session;
    const done = play([(s) => outcome(s, 'ack')], confirmed).session;
    expect([
      brief(accountingRecords(gold, asking)),
      brief(accountingRecords(asking, confirmed)),
      brief(accountingRecords(confirmed, done)),
    ]).toEqual([[], ['Start silver'], ['Stop gold']]);
    const unknown = play([(s) => outcome(s, 'timeout')], asking).session;
    const undone = play([(s) => outcome(s, 'ack')], unknown).session;
    expect([...accountingRecords(asking, unknown), ...accountingRecords(unknown, undone)]).toEqual([]);
  });
});
