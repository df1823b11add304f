// `OAuthStrategy` of @wix/sdk: what it does at a logout, and what it does afterwards.

import { authentication } from '@wix/identity';
import { redirects } from '@wix/redirects';
import { createClient } from '@wix/sdk';
import { input, report, settled } from './io.mjs';
import { calls, navigate, pairOf, probe, signIn } from './wix-sdk.mjs';

const { apiBaseUrl, clientId, postFlowUrl } = input;

/** The member probe, as an application calls it: with the strategy's headers. */
async function asApplication(client) {
  const answer = await client.fetchWithAuth('https://www.wixapis.com/members/v1/members/my');
  return answer.status;
}

function stateOf({ auth }) {
  return { role: auth.getTokens().refreshToken.role, loggedIn: auth.loggedIn() };
}

const scenarios = {
  async logout() {
    const client = await signIn();
    const tokens = pairOf(client.auth.getTokens());
    const before = { status: await asApplication(client), ...stateOf(client) };
    calls.length = 0;
    const { logoutUrl } = await client.auth.logout(postFlowUrl);
    const made = [...calls];
    const between = await probe(tokens);
    return {
      before,
      made,
      logoutUrl,
      after: stateOf(client),
      between,
      first: await navigate(logoutUrl),
      left: await probe(tokens),
      again: await navigate(logoutUrl),
    };
  },

  async logoutOfADeadSession() {
    const client = await signIn({ authentication });
    const tokens = pairOf(client.auth.getTokens());
    await client.authentication.logout({});
    const { fault } = await settled(client.auth.logout(postFlowUrl));
    return { fault, after: stateOf(client), keeps: pairOf(client.auth.getTokens()).access === tokens.access };
  },

  async revokedAndExpired() {
    const client = await signIn({ authentication });
    const tokens = client.auth.getTokens();
    await client.authentication.logout({});
    client.auth.setTokens({ ...tokens, accessToken: { ...tokens.accessToken, expiresAt: 1 } });
    calls.length = 0;
    return { status: await asApplication(client), after: stateOf(client), calls };
  },

  async redirectSessionPaths() {
    const { auth } = await signIn();
    const logout = [{ logout: { clientId }, callbacks: { postFlowUrl } }];
    const made = [];
    calls.length = 0;
    for (const host of [{}, { host: { name: 'tests', apiBaseUrl } }]) {
      const client = createClient({ modules: { redirects }, auth, useCDN: false, fetch: globalThis.fetch, ...host });
      const { redirectSession } = await client.redirects.createRedirectSession(...logout);
      made.push(redirectSession.fullUrl);
    }
    return { calls, made };
  },
};

report(await scenarios[input.scenario]());
