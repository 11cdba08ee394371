import { describe, expect, it } from 'vitest';
import { drawChart, emptyingSteps } from '../../../local/demo/chart.ts';

const TIER = 'tiered(1280000,5120000)';
const groupsOf = (service: string) => ({ voice: [], video: [7], both: [7, 12] })[service] ?? [12];

const had = (...services: string[]) => ({ services, answer: 'ack' }) as const;
const refused = (...services: string[]) => ({ services, answer: 'nak' }) as const;

const draw = (...steps: Parameters<typeof drawChart>[0]) => drawChart(steps, groupsOf).split('\n');

describe('the chart of a subscriber', () => {
  it('shows the overlap of a switch', () => {
    expect(draw(had('bronze'), had('bronze', 'gold'), had('gold'))).toEqual([
      'step      1   2   3',
      'bronze    ────────',
      'gold          ────────',
      'group 12  ████████████  never empty',
    ]);
  });

  it('shows the gap of a switch that breaks before it makes', () => {
    expect(draw(had('bronze'), had(), had('gold'))).toEqual([
      'step      1   2   3',
      'bronze    ────',
      'gold              ────',
      'group 12  ████    ████  empty after 2',
    ]);
  });

  it('marks a step that was refused', () => {
    expect(draw(had('bronze'), refused('bronze'))).toEqual([
      'step      1   2×',
      'bronze    ────────',
      'group 12  ████████  never empty',
    ]);
  });

  it('has a row for each group in order, and none for a service without one', () => {
    const steps = [
      had('voice'),
      had('voice', TIER),
      had('voice', TIER, 'video'),
      had(TIER, 'video'),
      had(TIER),
    ];
    expect(draw(...steps, had(TIER, 'both'), had('both'))).toEqual([
      'step                     1   2   3   4   5   6   7',
      'voice                    ────────────',
      'tiered(1280000,5120000)      ────────────────────',
      'video                            ────────',
      'both                                         ────────',
      'group 7                          ████████    ████████  empty after 5',
      'group 12                     ████████████████████████  never empty',
    ]);
  });

  it('has room in 80 characters, for the latest steps', () => {
    const name = `tiered(${'1234567890,'.repeat(5)}1)`;
    const steps = Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? had(name) : had()));
    const lines = draw(had('bronze'), ...steps);
    expect(lines).toEqual([
      'step                        296 297 298 299 300 301',
      'tiered(1234567890,1234567…  ────    ────    ────',
      'group 12                    ████    ████    ████      empty after 297, 299, 301',
    ]);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(80);
  });

  it('is only a heading where there is nothing to show', () => {
    expect(draw()).toEqual(['step']);
  });
});

describe('the steps that empty a group', () => {
  it('are those that took its last member away', () => {
    const steps = [had(), had('gold'), had(), had(), had('bronze', 'gold'), had('gold'), had()];
    expect(emptyingSteps(steps, 12, groupsOf)).toEqual([3, 7]);
  });

  it('are none for a group that never had a member', () => {
    expect(emptyingSteps([had(), had('voice'), had()], 12, groupsOf)).toEqual([]);
  });
});
