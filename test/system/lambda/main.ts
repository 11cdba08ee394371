// A function as a process: `node main.ts MARKER`, in the folder of its bundle and with the environment of a function.
import { dieBeforeSending } from './die-before-sending.ts';
import { serve } from './runtime.ts';

const [, , marker = ''] = process.argv;
dieBeforeSending(marker);
await serve();
