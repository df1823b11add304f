// `authentication.logout` of @wix/identity, called with one set of options after the other.

import { authentication } from '@wix/identity';
import { createClient } from '@wix/sdk';
import { input, report, settled } from './io.mjs';
import { calls, direct, pairOf, probe, signIn } from './wix-sdk.mjs';

const { apiBaseUrl, options, rewrites } = input;

const mine = await signIn();
const other = await signIn();
const tokens = pairOf(mine.auth.getTokens());

const client = createClient({
  modules: { authentication },
  auth: { getAuthHeaders: async () => ({ headers: { Authorization: tokens.access } }) },
  ...(apiBaseUrl && { host: { name: 'tests', apiBaseUrl } }),
  useCDN: false,
  // Over TLS nothing is rewritten: the SDK goes where its host setting tells it to.
  fetch: rewrites ? globalThis.fetch : direct,
});

calls.length = 0;
const outcomes = [];
for (const chosen of options) {
  const { value, fault } = await settled(client.authentication.logout(chosen));
  outcomes.push({
    // Bytes, which the SDK has decoded.
    ...(value && { answer: { ...value, body: Buffer.from(value.body).toString('utf8'), isBytes: value.body instanceof Uint8Array } }),
    ...(fault && { fault }),
    left: await probe(tokens),
  });
}
report({ outcomes, calls, other: await probe(pairOf(other.auth.getTokens())) });
