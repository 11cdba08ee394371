// A chart in text: the services of one subscriber session at the NAS, step by step. Where two bars overlap, the switch
// had no gap.
import { printable } from '../../core/printable.ts';
import type { NasRecord } from '../peers/scripted-nas.ts';

/** The mutex groups of a service. */
export type GroupsOf = (service: string) => readonly number[];

/** What a subscriber session had after one operation at the NAS, or after log-in. */
export type ChartStep = Pick<NasRecord, 'services' | 'answer'>;

const WIDTH = 80;
const COLUMN = 4;
const LONGEST_NAME = 26;

/** The steps, counted from 1, that removed the last member of `group`. `steps` is the record of one session. */
export function emptyingSteps(
  steps: readonly Pick<NasRecord, 'services'>[],
  group: number,
  groupsOf: GroupsOf,
): readonly number[] {
  const held = steps.map(({ services }) => services.some((service) => groupsOf(service).includes(group)));
  return held.flatMap((isHeld, index) => (!isHeld && held[index - 1] ? [index + 1] : []));
}

/**
 * Draws the record of one subscriber session in 80 characters: a column for each operation at the NAS, the latest ones
 * if there is no room for all, with × where the NAS refused. There is a row for each service, and one for each mutex
 * group, which ends with the latest steps that emptied it.
 */
export function drawChart(steps: readonly ChartStep[], groupsOf: GroupsOf): string {
  const services = servicesOf(steps);
  const groups = [...new Set(services.flatMap(groupsOf))].sort((a, b) => a - b);
  const verdicts = groups.map((group) => verdict(emptyingSteps(steps, group, groupsOf)));
  const nameWidth = longest([...services.map(shortened), ...groups.map(groupName), 'step']) + 2;
  const columns = Math.floor((WIDTH - nameWidth - longest(verdicts) - 2) / COLUMN);
  const hidden = Math.max(0, steps.length - columns);
  const shown = steps.slice(hidden);

  const row = (name: string, cells: readonly string[], end = '') =>
    `${name.padEnd(nameWidth)}${cells.map((cell) => cell.padEnd(COLUMN)).join('')}  ${end}`.trimEnd();
  /** A line for as long as one of `members` is active. */
  const bar = (line: string, members: readonly string[]) =>
    shown.map((step) =>
      members.some((service) => step.services.includes(service)) ? line.repeat(COLUMN) : '',
    );
  const numbers = shown.map(({ answer }, index) => `${hidden + index + 1}${answer === 'nak' ? '×' : ''}`);
  const membersOf = (group: number) => services.filter((service) => groupsOf(service).includes(group));
  return [
    row('step', numbers),
    ...servicesOf(shown).map((service) => row(shortened(service), bar('─', [service]))),
    ...groups.map((group, index) => row(groupName(group), bar('█', membersOf(group)), verdicts[index])),
  ].join('\n');
}

const servicesOf = (steps: readonly Pick<NasRecord, 'services'>[]) => [
  ...new Set(steps.flatMap(({ services }) => services)),
];

const verdict = (emptying: readonly number[]) =>
  emptying.length === 0 ? 'never empty' : `empty after ${emptying.slice(-3).join(', ')}`;

const groupName = (group: number) => `group ${group}`;

const shortened = (service: string) => {
  const name = printable(service);
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name;
};

const longest = (texts: readonly string[]) => Math.max(0, ...texts.map(({ length }) => length));
