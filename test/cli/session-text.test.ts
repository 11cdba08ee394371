import { describe, expect, it } from 'vitest';
import { describeSession } from '../../cli/session-text.ts';
import { historyItem } from '../../core/subscriber/history.ts';
import {
  accountedAs,
  ack,
  asked,
  COA,
  NOW,
  nak,
  nas,
  outcome,
  play,
  record,
  request,
  service,
  unsent,
} from '../core/support.ts';

type Events = Parameters<typeof play>[0];

/** The lines of the session after these events, three seconds later, on a clock in Berlin. */
function shown(events: Events, afterMs = 3_000, timeZone = 'Europe/Berlin'): readonly string[] {
  const { session } = play(events);
  if (session === undefined) throw new Error('these events make no session');
  return describeSession(session, [], NOW + afterMs, timeZone).split('\n');
}

/** The lines below a title. */
function section(title: string, lines: readonly string[]): readonly string[] {
  const start = lines.indexOf(title);
  const end = lines.indexOf('', start);
  return start === -1 ? [] : lines.slice(start + 1, end === -1 ? lines.length : end);
}

describe('an idle session', () => {
  const identity = { 'User-Name': 'müller@isp1.com', 'NAS-Port-Id': 'ge-1/0/1:100', 'NAS-Port': 7 };
  const tier = service('tiered(1280000,5120000)', { timeoutSeconds: 3600, groups: [-1, 12] });
  const voice = service('voice', { statistics: 'off' });

  it('shows who it is, what it has, and what was asked last with its answer', () => {
    const events = [
      asked(request('0b3c1f2a-1', { identity, activate: [tier, voice] })),
      asked(request('9d41aa07-2', { deactivate: ['voice'], identity: { 'NAS-Port': 8 } })),
    ];
    expect(shown(events, 303_000)).toEqual([
      'User-Name        müller@isp1.com',
      'NAS-Port         7',
      'NAS-Port-Id      ge-1/0/1:100',
      'Acct-Session-Id  s1',
      'NAS              bng-1, site demo, dialect erx, enforcement none',
      'State            idle',
      'Changed          2026-11-22T13:00:00+01:00 (5 min 3 s ago)',
      '',
      'Services',
      '  Name                     Mutex  State   Request   Statistics  Since                                      Timeout left  Retry',
      '  tiered(1280000,5120000)  -1,12  active  0b3c1f2a  time        2026-11-22T13:00:00+01:00 (5 min 3 s ago)  54 min 57 s   -',
      '  voice                    -      active  0b3c1f2a  off         2026-11-22T13:00:00+01:00 (5 min 3 s ago)  -             -',
      '',
      'Latest requests, oldest first',
      '  2026-11-22T13:00:00+01:00 (5 min 3 s ago)  0b3c1f2a  activate tiered(1280000,5120000), activate voice  CoA-ACK',
      '  2026-11-22T13:00:00+01:00 (5 min 3 s ago)  9d41aa07  deactivate voice                                  CoA-NAK 503 Session-Context-Not-Found: NAS-Port is not that of the session',
    ]);
  });

  it('shows no services where there are none', () => {
    const lines = shown([
      asked(request('r1', { activate: ['gold'] })),
      asked(request('r2', { deactivate: ['gold'] })),
    ]);
    expect(lines).not.toContain('Services');
  });

  it('keeps services in the order of their activation, whatever the order in which they are stored', () => {
    const { session } = play([asked(request('r1', { activate: ['voice', 'gold', 'video'] }))]);
    if (session === undefined) throw new Error('a request makes a session');
    const services = Object.fromEntries(Object.entries(session.services).reverse());
    const lines = describeSession({ ...session, services }, [], NOW, 'UTC').split('\n');
    expect(section('Services', lines).map((line) => line.trim().split(' ')[0])).toEqual([
      'Name',
      'voice',
      'gold',
      'video',
    ]);
  });

  it('shows control characters as what they are, so that no terminal obeys them', () => {
    const name = 'client1\x1b[2J\r\n\x9b\x7f';
    const asking = request('r1', {
      identity: { 'User-Name': name },
      acctSessionId: '\x07',
      activate: [voice],
    });
    expect(shown([asked(asking)])).toEqual(
      expect.arrayContaining([
        'User-Name        client1\\x1b[2J\\x0d\\x0a\\x9b\\x7f',
        'Acct-Session-Id  \\x07',
      ]),
    );
  });
});

describe('a transition', () => {
  const COA = { nas: nas({ enforcement: 'coa' }) };
  const switching: Events = [
    asked(request('r1', { ...COA, activate: [service('silver', { timeoutSeconds: 60 }), 'voice'] })),
    (s) => outcome(s, 'ack'),
    asked(request('r2', { ...COA, activate: ['gold'], deactivate: ['voice'] })),
  ];

  it('shows which services the NAS accounts', () => {
    const told = { nas: nas({ enforcement: 'coa', serviceAccounting: 'nas' }) };
    const lines = shown([asked(request('r1', { ...told, activate: ['gold'] })), (s) => outcome(s, 'ack')]);
    expect(section('Services', lines)[1]).toMatch(/^ {2}gold +12 +active +r1 +time \(NAS\) /);
  });

  it('shows the command to the NAS, its time and request, and what it activates and deactivates', () => {
    const lines = shown(switching);
    expect(lines).toContain('State            activating');
    expect(section('Services', lines)).toEqual([
      '  Name    Mutex  State       Request  Statistics  Since                                Timeout left  Retry',
      '  silver  12     active      r1       time        2026-11-22T13:00:00+01:00 (3 s ago)  57 s          -',
      '  voice   -      active      r1       time        2026-11-22T13:00:00+01:00 (3 s ago)  -             -',
      '  gold    12     activating  r2       time        -                                    -             -',
    ]);
    expect(section('In progress', lines)).toEqual([
      '  Command      activate gold',
      '  Since        2026-11-22T13:00:00+01:00 (3 s ago)',
      '  Deadline     2026-11-22T13:01:15+01:00 (in 1 min 12 s)',
      '  Request      r2 from policy at 127.0.0.1:4000: activate gold, deactivate voice',
      '  Activates    gold',
      '  Deactivates  voice',
      '  Excludes     silver',
    ]);
  });

  it('shows what is being deactivated, and the reply that follows', () => {
    const explicit = shown([...switching, (s) => outcome(s, 'ack')]);
    expect(explicit).toContain('State            deactivating');
    expect(section('In progress', explicit)).toEqual([
      '  Command      deactivate voice',
      '  Since        2026-11-22T13:00:00+01:00 (3 s ago)',
      '  Deadline     2026-11-22T13:01:15+01:00 (in 1 min 12 s)',
      '  Request      r2 from policy at 127.0.0.1:4000: activate gold, deactivate voice',
      '  Activates    gold',
      '  Deactivates  voice',
      '  Excludes     silver',
      '  Confirmed    gold',
    ]);
    const lines = shown([...switching, (s) => outcome(s, 'ack'), (s) => outcome(s, 'ack')]);
    expect(lines).toContain('State            excluding');
    expect(section('Services', lines)).toEqual([
      '  Name    Mutex  State         Request  Statistics  Since                                Timeout left  Retry',
      '  silver  12     deactivating  r1       time        2026-11-22T13:00:00+01:00 (3 s ago)  -             -',
      '  gold    12     active        r2       time        2026-11-22T13:00:00+01:00 (3 s ago)  -             -',
    ]);
    expect(section('In progress', lines)).toEqual([
      '  Command   deactivate silver',
      '  Since     2026-11-22T13:00:00+01:00 (3 s ago)',
      '  Deadline  2026-11-22T13:01:15+01:00 (in 1 min 12 s)',
      '  Request   r2 from policy at 127.0.0.1:4000: activate gold, deactivate voice',
      '  Reply     CoA-ACK',
    ]);
  });

  it('shows an activation that is undone after its reply', () => {
    const lines = shown([...switching, (s) => outcome(s, 'timeout')]);
    expect(section('In progress', lines)).toContain('  Request   r2, no reply pending');
    expect(section('Services', lines)).toContain(
      '  gold    12     deactivating  r2       time        -                                    -             -',
    );
    expect(section('Latest requests, oldest first', lines).at(-1)).toMatch(
      /CoA-NAK 505 Other-Proxy-Processing-Error: the NAS did not answer$/,
    );
  });

  it('shows what has been confirmed and what comes next, where the NAS takes one service at a time', () => {
    const cisco = { nas: nas({ enforcement: 'coa', dialect: 'cisco' }) };
    const lines = shown([
      asked(request('r1', { ...cisco, activate: ['silver', 'voice', 'video'] })),
      (s) => outcome(s, 'ack'),
    ]);
    expect(section('In progress', lines)).toEqual(
      expect.arrayContaining([
        '  Command    activate voice',
        '  Next       activate video',
        '  Activates  silver, voice, video',
        '  Confirmed  silver',
      ]),
    );
  });

  it('shows a deactivating service that is requested again as activating', () => {
    const lines = shown([
      ...switching,
      (s) => outcome(s, 'ack'),
      (s) => outcome(s, 'ack'),
      (s) => outcome(s, 'nak', 506),
      asked(request('r3', { ...COA, activate: ['silver'] })),
    ]);
    expect(section('Services', lines)[1]).toBe(
      '  silver  12     activating  r1       time        2026-11-22T13:00:00+01:00 (3 s ago)  -             -',
    );
  });

  it('shows waiting requests, in order', () => {
    const waiting = ['bronze', 'video'].map((activation, index) =>
      asked(request(`w${index}`, { ...COA, activate: [activation] })),
    );
    expect(section('Waiting requests', shown([...switching, ...waiting]))).toEqual([
      '  1  w0 from policy at 127.0.0.1:4000: activate bronze',
      '  2  w1 from policy at 127.0.0.1:4000: activate video',
    ]);
  });

  it('shows a deactivation that failed, and the time of the next attempt', () => {
    const ack: Events[number] = (s) => outcome(s, 'ack');
    const lines = shown([...switching, ack, ack, (s) => outcome(s, 'nak', 506)]);
    expect(lines).toContain('State            idle');
    expect(section('Services', lines)[1]).toBe(
      '  silver  12     deactivating  r1       time        2026-11-22T13:00:00+01:00 (3 s ago)  -             deactivating since 2026-11-22T13:00:00+01:00 (3 s ago), attempt 1 failed, NAS: nak 506, next retry 2026-11-22T13:00:15+01:00 (in 12 s)',
    );
  });

  it.each<[string, Events[number], string]>([
    ['refused, in its words', nak(506, 'Resource busy'), "NAS: nak 506, 'Resource busy'"],
    ['did not answer', (s) => outcome(s, 'timeout'), 'NAS: timeout'],
    ['was not told', unsent('nas-overloaded', 506), 'relay: unsent, nas-overloaded'],
  ])('shows beside the next retry that the NAS %s', (_, last, text) => {
    const lines = shown([...switching, (s) => outcome(s, 'ack'), (s) => outcome(s, 'ack'), last]);
    expect(section('Services', lines)[1]).toContain(`attempt 1 failed, ${text}, next retry `);
  });

  it('shows what has not been told because the NAS does not answer as that', () => {
    const cisco = { nas: nas({ enforcement: 'coa', dialect: 'cisco', options: {} }) };
    const ack: Events[number] = (s) => outcome(s, 'ack');
    const lines = shown([
      asked(request('r1', { ...cisco, activate: ['silver', 'video'] })),
      ack,
      ack,
      asked(request('r2', { ...cisco, activate: ['both'] })),
      ack,
      (s) => outcome(s, 'timeout'),
    ]);
    expect(section('Services', lines)[1]).toContain('attempt 1 failed, NAS: timeout, next retry');
    expect(section('Services', lines)[2]).toMatch(/ {2}not told yet, next retry 2026/);
  });

  it('shows control characters in the words of a NAS as what they are', () => {
    const lines = shown([
      asked(request('r1', { ...COA, activate: ['gold'] })),
      (s) => outcome(s, 'nak', 506, '\x1b]0;owned\x07'),
      asked(request('r2', { ...COA, activate: ['silver'] })),
    ]);
    expect(lines.join('\n')).toContain('the NAS refused gold: \\x1b]0;owned\\x07');
  });

  it('shows a service that the NAS may have or not as unconfirmed', () => {
    const lines = shown([asked(request('r1', { ...COA, activate: ['gold'] })), (s) => outcome(s, 'timeout')]);
    expect(section('Services', lines)[1]).toMatch(/^ {2}gold +12 +unconfirmed +r1 /);
  });

  it('shows a service that has to be there again as restoring, and the command that makes it so', () => {
    const lines = shown([
      asked(request('r1', { ...COA, activate: ['gold'] })),
      (s) => outcome(s, 'ack'),
      asked(request('r2', { ...COA, deactivate: ['gold'] })),
      (s) => outcome(s, 'timeout'),
    ]);
    expect(lines).toContain('State            restoring');
    expect(section('Services', lines)[1]).toMatch(/^ {2}gold +12 +restoring +r1 /);
    expect(section('In progress', lines)).toContain('  Command   activate again gold');
  });

  it('marks what only the client has said of the subscriber', () => {
    const identity = { 'User-Name': 'client1@isp1.com', 'Framed-IP-Address': '198.51.100.7' };
    const lines = shown([
      asked(request('r1', { ...COA, identity, activate: ['gold'] })),
      (s) => outcome(s, 'ack'),
    ]);
    expect(lines.slice(0, 2)).toEqual([
      'User-Name          client1@isp1.com',
      'Framed-IP-Address  198.51.100.7 (unchecked)',
    ]);
  });
});

describe('the history of a session', () => {
  /** The rows after these events. */
  function changes(events: Events): readonly string[] {
    const states = events.map((_, index) => play(events.slice(0, index + 1)).session);
    const history = states.flatMap((after, index) => historyItem(states[index - 1], after, NOW) ?? []);
    const session = states.findLast((state) => state !== undefined);
    if (session === undefined) throw new Error('these events make no session');
    const lines = describeSession(session, history.reverse(), NOW + 3_000, 'UTC').split('\n');
    return section('History, newest first', lines);
  }

  it('says of each change its cause, the services, the command to the NAS and the replies', () => {
    const coa = { nas: nas({ enforcement: 'coa' }) };
    expect(
      changes([
        asked(request('9d41aa07-1', { ...coa, activate: ['gold'] })),
        (s) => outcome(s, 'ack'),
        asked(request('r2', { ...coa, activate: ['silver'] })),
        asked(request('r3', { ...coa, deactivate: ['gold'] })),
        (s) => outcome(s, 'ack'),
        (s) => outcome(s, 'timeout'),
        (s) => outcome(s, 'ack'),
      ]),
    ).toEqual([
      '  At                                   Request   Cause                               Services                     NAS command      Client requests',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  r3        outcome: ack                        -gold                        -                r3 of policy: deactivate gold: CoA-ACK',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  r2        outcome: timeout, attempt 1 failed  -                            deactivate gold  r2 of policy: activate silver: CoA-ACK',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  r2        outcome: ack                        +silver, gold: deactivating  deactivate gold  -',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  r3        request                             -                            -                r3 of policy: deactivate gold',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  r2        request                             -                            activate silver  r2 of policy: activate silver',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  9d41aa07  outcome: ack                        +gold                        -                9d41aa07 of policy: activate gold: CoA-ACK',
      '  2026-11-22T12:00:00+00:00 (3 s ago)  9d41aa07  request                             -                            activate gold    9d41aa07 of policy: activate gold',
    ]);
  });

  it('says that the item of the session was removed', () => {
    const { session } = play([asked(request('r1', { activate: ['gold'] }))]);
    const removal = historyItem(session, undefined, NOW);
    const lines = session && removal && describeSession(session, [removal], NOW, 'UTC').split('\n');
    expect(lines?.at(-1)).toBe(
      '  2026-11-22T12:00:00+00:00 (0 s ago)  -        removal  -gold     -            -',
    );
  });

  it('is not there before there is any', () => {
    const { session } = play([asked(request('r1', { activate: ['gold'] }))]);
    expect(session && describeSession(session, [], NOW, 'UTC')).not.toContain('History, newest first');
  });
});

describe('a session of a NAS that has another name now', () => {
  it('says under which name it is stored', () => {
    const former = request('r1', { nas: nas({ name: 'olt' }), activate: ['gold'] });
    const { session } = play([asked(former), asked(request('r2', { activate: ['voice'] }))]);
    const lines = session ? describeSession(session, [], NOW, 'UTC').split('\n') : [];
    expect(lines).toContain('NAS              bng-1, site demo, dialect erx, enforcement none');
    expect(lines).toContain('Stored under     olt, the name of the NAS when the session began');
    expect(shown([asked(former)]).join('\n')).not.toContain('Stored under');
  });
});

describe('a time', () => {
  const gold = asked(request('r1', { activate: ['gold'] }));
  const changed = (afterMs: number, timeZone?: string) =>
    shown([gold], afterMs, timeZone)
      .find((line) => line.startsWith('Changed'))
      ?.slice('Changed          '.length);

  it.each([
    ['UTC', '2026-11-22T12:00:00+00:00'],
    ['Asia/Kolkata', '2026-11-22T17:30:00+05:30'],
    ['America/New_York', '2026-11-22T07:00:00-05:00'],
  ])('is that of %s', (timeZone, local) => {
    expect(changed(0, timeZone)).toBe(`${local} (0 s ago)`);
  });

  it.each([
    [59_400, '59 s ago'],
    [60_000, '1 min ago'],
    [3_725_000, '1 h 2 min ago'],
    [90_000_000, '1 d 1 h ago'],
    [-4_000, 'in 4 s'],
  ])('is told in the two largest units: %i ms, %s', (afterMs, age) => {
    expect(changed(afterMs, 'UTC')).toBe(`2026-11-22T12:00:00+00:00 (${age})`);
  });

  it('is not left once it is over', () => {
    const limited = asked(request('r1', { activate: [service('gold', { timeoutSeconds: 60 })] }));
    expect(section('Services', shown([limited], 61_000))[1]).toMatch(/ {2}0 s +-$/);
  });
});

describe('a session that accounting has told of', () => {
  const begun = [record('start', -7200), record('interim', -3600, { sessionTimeSeconds: 3600 })];
  const lines = (events: Events, afterMs = 0) => {
    const all = shown(events, afterMs, 'UTC');
    return all.slice(
      all.findIndex((line) => line.startsWith('State')),
      all.indexOf(''),
    );
  };

  it('shows when it began, what came last, and why it is stale', () => {
    expect(lines(begun).slice(0, 3)).toEqual([
      'State            idle',
      'Began            2026-11-22T10:00:00+00:00 (2 h ago)',
      'Last record      2026-11-22T11:00:00+00:00 (1 h ago)',
    ]);
    expect(lines([...begun, record('stale', -1800)]).slice(2, 4)).toEqual([
      'Last record      2026-11-22T11:30:00+00:00 (30 min ago)',
      'Stale            no record for three intervals: its Acct-Stop may be lost. It ends when the NAS answers an activation with 503',
    ]);
    expect(lines(begun, 3 * 86_400_000)[3]).toMatch(
      /^Stale +no record for 3 days: its Acct-Stop may be lost/,
    );
  });

  it('shows that services from log-in are not known where the Acct-Start was lost', () => {
    const known = lines([record('interim', -3600, { sessionTimeSeconds: 3600 })]).slice(1, 4);
    expect(known[0]).toMatch(/^Began .+, deduced from Acct-Session-Time$/);
    expect(known[2]).toBe('Services         those from log-in are not known');
  });

  it('shows when it ended, and by what', () => {
    const ended = lines([...begun, record('stop', -60)]);
    expect(ended[0]).toBe('State            closed');
    expect(ended[3]).toBe('Ended            2026-11-22T11:59:00+00:00 (1 min ago), Acct-Stop');
  });

  it('shows what the NAS accounts and the table does not have', () => {
    const gold = [asked(request('r1', { ...COA, activate: ['gold'] })), ack];
    const drifting = record('start', 30, { service: accountedAs('silver') });
    expect(lines([...begun, ...gold, drifting], 60_000)).toContain(
      'Drift            the NAS accounts silver since 2026-11-22T12:00:30+00:00 (30 s ago), not gold',
    );
  });
});
