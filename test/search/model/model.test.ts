import { describe, expect, it } from 'vitest';
import { transition } from '../../../core/subscriber/transition.ts';
import { NOW, outcome } from '../../core/support.ts';
import { commentedEdges, describeEdges, EdgesSeen } from './edges.ts';
import { SETTINGS, search } from './settings.ts';

const seen = new EdgesSeen();

describe('the transition, the queues and the NAS', () => {
  it.each(SETTINGS)(
    'keep every promise, and come to rest: $name',
    (setting) => {
      const { states, transitions, violation } = search(setting, seen.watch(transition));
      process.stdout.write(`model, ${setting.name}: ${states} states, ${transitions} transitions\n`);
      expect(violation && `${violation.message}\n  ${violation.trace.join('\n  ')}`).toBeUndefined();
      expect(states).toBeGreaterThan(1_000);
    },
    900_000,
  );

  it('ignore what still comes for a session whose item was removed', () => {
    const decide = seen.watch(transition);
    expect(decide(undefined, outcome(undefined, 'ack'), NOW)).toEqual({ effects: [] });
    expect(decide(undefined, { kind: 'due', id: 'd1' }, NOW)).toEqual({ effects: [] });
  });

  it('lead from each state where the comment over the table says, and nowhere else', () => {
    const edges = describeEdges(seen.edges);
    process.stdout.write(`edges seen:\n  ${edges.join('\n  ')}\n`);
    expect(edges).toEqual(commentedEdges());
  });
});
