// The `oauth` module of @wix/identity: it posts whole requests inside requests, and reads whole answers inside answers.

import { oauth, recovery } from '@wix/identity';
import { createClient } from '@wix/sdk';
import { input, report, settled } from './io.mjs';
import { calls, pairOf, probe, signIn } from './wix-sdk.mjs';

const { apiBaseUrl, clientId } = input;

const member = await signIn();
const tokens = pairOf(member.auth.getTokens());
const visitor = (await member.auth.generateVisitorTokens()).accessToken.value;

function clientOf(token) {
  return createClient({
    modules: { oauth, recovery },
    auth: { getAuthHeaders: async () => ({ headers: token ? { Authorization: token } : {} }) },
    ...(apiBaseUrl && { host: { name: 'tests', apiBaseUrl } }),
    useCDN: false,
    fetch: globalThis.fetch,
  });
}

function bytes(parameters) {
  const text = typeof parameters === 'string' ? parameters : JSON.stringify(parameters);
  return new TextEncoder().encode(text);
}

/** A raw answer with its bytes read as what they hold. */
async function raw(promise) {
  const { value, fault } = await settled(promise);
  if (fault) return { fault };
  const text = Buffer.from(value.body).toString('utf8');
  return { statusCode: value.statusCode, isBytes: value.body instanceof Uint8Array, headers: value.headers, body: JSON.parse(text) };
}

async function token(parameters, more = {}) {
  const method = { method: 'POST', headers: [{ key: 'Content-Type', value: 'application/json' }] };
  return raw(anonymous.oauth.token({ body: bytes(parameters), ...method, ...more }));
}

const anonymous = clientOf(null);
calls.length = 0;
const granted = await token({ clientId, grantType: 'anonymous' });
const form = [{ key: 'content-type', value: 'application/x-www-form-urlencoded' }];
const refresh = await token(
  new URLSearchParams({ client_id: clientId, grant_type: 'refresh_token', refresh_token: tokens.refresh }).toString(),
  { headers: form },
);
const refused = {
  client: await token({ clientId: '99999999-0000-4000-8000-000000000009', grantType: 'anonymous' }),
  grant: await token({ clientId, grantType: 'password' }),
  refresh: await token({ clientId, grantType: 'refresh_token', refreshToken: 'nothing' }),
  json: await token('{'),
  empty: await token(''),
};
const keys = await raw(anonymous.oauth.jwks());
const made = [...calls];

const info = {
  member: (await settled(anonymous.oauth.tokenInfo({ body: bytes({ token: tokens.access }) }))).value,
  nothing: (await settled(anonymous.oauth.tokenInfo({ body: bytes({ token: 'nothing' }) }))).value,
};
const user = {
  member: await settled(clientOf(tokens.access).oauth.userInfo()),
  visitor: await settled(clientOf(visitor).oauth.userInfo()),
  nobody: await settled(clientOf(null).oauth.userInfo()),
};
// A method that a stand-in does not have.
const unknown = (await settled(clientOf(tokens.access).recovery.sendRecoveryEmail('alice@example.com'))).fault;
// Granted tokens are as good as those that the SDK's own strategy fetches.
const works = await probe({ access: refresh.body.access_token, refresh: granted.body.refresh_token });
report({ granted, refresh, refused, keys, info, user, made, unknown, works });
