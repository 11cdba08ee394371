import { expect, test } from 'vitest';
import { template } from './template.ts';

/** Names of files after their contents, which change with the code of the functions. */
const ASSET = /[0-9a-f]{64}/g;

test('the template of two sites is the one that was looked at last', () => {
  const text = JSON.stringify(template.toJSON(), null, 2).replaceAll(ASSET, '<asset>');
  expect(JSON.parse(text)).toMatchSnapshot();
});
