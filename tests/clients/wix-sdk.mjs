// What the scripts around the vendor's SDK share: a way from its maker's hosts to ours, and a login as the SDK does it.

import { OAuthStrategy, createClient } from '@wix/sdk';
import { input } from './io.mjs';

const { base, clientId, email, password } = input;

/** Straight to the address, whatever it is. */
export const direct = globalThis.fetch;

/** Every call of the SDK, in order. */
export const calls = [];

// The SDK writes https and its maker's hosts into its addresses, and no setting of it changes all of them.
globalThis.fetch = async (address, init = {}) => {
  const wanted = new URL(address);
  const isMakers = wanted.hostname.endsWith('.wixapis.com');
  const target = isMakers ? base + wanted.pathname + wanted.search : wanted.href.replace('https:', new URL(base).protocol);
  const answer = await direct(target, init);
  const headers = new Headers(init.headers);
  calls.push({
    method: init.method ?? 'GET',
    host: isMakers ? wanted.hostname : 'hub',
    path: wanted.pathname,
    query: wanted.search,
    gateway: headers.get('x-wix-bi-gateway'),
    authorization: headers.get('authorization'),
    status: answer.status,
  });
  return answer;
};

/** A client whose strategy holds the tokens of a member who has just logged in. */
export async function signIn(modules = {}) {
  const client = createClient({ modules, auth: OAuthStrategy({ clientId }) });
  const { auth } = client;
  auth.setTokens(await auth.generateVisitorTokens());
  const login = await auth.login({ email, password });
  if (login.loginState !== 'SUCCESS') throw new Error(`login: ${JSON.stringify(login)}`);
  // The SDK's own way from here to the tokens is a frame in a browser; this is the same flow without one.
  const oauthData = auth.generateOAuthData('http://localhost:3000/callback');
  const { authUrl } = await auth.getAuthUrl(oauthData, { prompt: 'none', responseMode: 'query', sessionToken: login.data.sessionToken });
  const back = await direct(authUrl, { redirect: 'manual' });
  const { code, state } = auth.parseFromUrl(back.headers.get('location'), 'query');
  auth.setTokens(await auth.getMemberTokens(code, state, oauthData));
  return client;
}

export function pairOf(tokens) {
  return { access: tokens.accessToken.value, refresh: tokens.refreshToken.value };
}

/** What is alive of a pair of tokens. */
export async function probe({ access, refresh }) {
  const member = await direct(`${base}/members/v1/members/my`, { headers: { Authorization: access } });
  const refreshed = await direct(`${base}/oauth2/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ clientId, refreshToken: refresh, grantType: 'refresh_token' }),
  });
  return { member: member.status, refresh: refreshed.status, refreshError: (await refreshed.json()).error ?? null };
}

/** An address, as a browser calls it. */
export async function navigate(address) {
  const answer = await direct(address, { redirect: 'manual', headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
  return {
    status: answer.status,
    location: answer.headers.get('location'),
    cleared: answer.headers.getSetCookie().map((cookie) => cookie.split('=')[0]),
  };
}
