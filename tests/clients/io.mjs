// What every client script shares: input on standard input, output as one line of JSON on standard output.

import { text } from 'node:stream/consumers';

export const input = JSON.parse(await text(process.stdin));

export function report(seen) {
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

/** An error as the script's caller can assert on it. */
export function faultOf(fault) {
  const { name, message, status, code, details, requestId } = fault;
  return { name, message, status, code, details, requestId };
}

/** Whatever a promise comes to. */
export async function settled(promise) {
  return promise.then((value) => ({ value }), (fault) => ({ fault: faultOf(fault) }));
}
