// A function as a process of LocalStack: `node lambda-runtime.ts MARKER`.
import { isDeepStrictEqual } from 'node:util';
import { dieBeforeSending } from '../lambda/die-before-sending.ts';
import { serve } from '../lambda/runtime.ts';

const [, , marker = ''] = process.argv;
dieBeforeSending(marker);
await serve(parseEvent);

/** DynamoDB Local 3.3.0 has an empty map in a stream's images as {}; DynamoDB has it as { M: {} }. */
function parseEvent(json: string): unknown {
  if (!/"eventSource": ?"aws:dynamodb"/.test(json)) return JSON.parse(json);
  return JSON.parse(json, (key, value) => (key !== 'M' && isDeepStrictEqual(value, {}) ? { M: {} } : value));
}
