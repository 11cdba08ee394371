// What Lambda writes of a handler's log, in a process that has the console of Lambda's runtime.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { FunctionProcess } from '../../system/lambda/function-process.ts';

const FUNCTIONS = join(import.meta.dirname, '../../../functions/shared');

/** Invokes a handler with this body once: its response, or its error as text, and its log. */
async function run(body: string) {
  const folder = await mkdtemp(join(tmpdir(), 'interlock-telemetry-'));
  const from = (file: string) => JSON.stringify(pathToFileURL(join(FUNCTIONS, file)));
  const code = `
    import { Metrics } from ${from('metrics.ts')};
    import { log, logFailure, withMetrics } from ${from('telemetry.ts')};
    const metrics = new Metrics('test');
    export const handler = withMetrics(async () => { ${body} }, metrics);
  `;
  await writeFile(join(folder, 'index.mjs'), code);
  const process = new FunctionProcess({ name: 'test', folder, environment: {} });
  onTestFinished(() => rm(folder, { recursive: true }));
  const answer = await process.invoke({}).catch(String);
  await process.stop();
  return { answer, log: process.log() };
}

it('writes a record with its level, time and request', async () => {
  const { log } = await run("log({ kind: 'swept', found: 1, nested: { list: [1, undefined] } });");

  expect(log).toEqual([
    {
      level: 'INFO',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      message: { kind: 'swept', found: 1, nested: { list: [1, null] } },
    },
  ]);
});

it('writes an error with its causes', async () => {
  const { log } = await run(`
    const cause = new Error('nobody listens');
    logFailure({ kind: 'failed', messageId: 'm1', error: new TypeError('not sent', { cause }) });
  `);

  const [record] = log;
  expect(record).toMatchObject({ level: 'ERROR', message: { kind: 'failed', messageId: 'm1' } });
  const { error } = Object(record?.['message']);
  expect(error).toMatch(/^TypeError: not sent\n {4}at /);
  expect(error).toContain('[cause]: Error: nobody listens\n');
});

it('writes metrics on lines of their own, also if the handler fails', async () => {
  const { answer, log } = await run("metrics.add('Due', 'Count', 3); throw new Error('SQS is away');");

  expect(answer).toBe('Error: Error: SQS is away');
  expect(log).toEqual([
    { _aws: expect.anything(), service: 'test', Due: [3] },
    expect.objectContaining({
      level: 'ERROR',
      message: expect.objectContaining({ errorMessage: 'SQS is away' }),
    }),
  ]);
});
