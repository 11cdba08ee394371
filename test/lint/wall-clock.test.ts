import { globSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ROOT, read } from '../docs/markdown.ts';

// What only measures durations is given a MonotonicClock: a step of the wall clock must change nothing for it.
test('wall time is read where RADIUS, people or the skew need it, and nowhere else in the relay', () => {
  const files = globSync('relay/**/*.ts', { cwd: ROOT }).filter(
    (file) => /\bnow\(\)/.test(read(file)) && file !== 'relay/clock.ts',
  );
  expect(files.sort()).toEqual([
    // Its own difference from the cloud's clock.
    'relay/cloud-clock.ts',
    // The window of Event-Timestamps, and when a request came.
    'relay/coa-server.ts',
    // When an outcome was reported.
    'relay/commands.ts',
    // When a record came, which its Event-Timestamp must be near.
    'relay/feed/feed-server.ts',
    // When a notice of a stale session went out.
    'relay/feed/stale-sessions.ts',
    // The Event-Timestamp of a command.
    'relay/nas-client.ts',
    // When a NAS said that a session is gone.
    'relay/relay.ts',
    // The time in a line.
    'relay/telemetry/log.ts',
  ]);
});
