import type { MediaDefinition, ProviderDeps } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { opentokAccountSchema, type OpentokAccount } from '../account.ts';
import { callSdk } from '../call-sdk.ts';
import { issueClientToken } from './client-token.ts';
import { deleteConnection, listConnections, type VideoRest } from './connections.ts';
import { badReplyError } from '@partyline/provider-contract/http-failure';
import { callOpenTok, createOpenTok } from './opentok-sdk.ts';
import { parseMediaCallback } from './parse-media.ts';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import { buildSipCall } from './sip-dial.ts';
import { asObject, asText } from '../untrusted-json.ts';

const KIND = 'opentok';

function create(account: OpentokAccount, { timeoutMs }: ProviderDeps): MediaProvider {
  const sdk = createOpenTok(account.apiKey, account.apiSecret, account.apiHost);
  const limit = { timeoutMs, request: 'write' } as const;
  const rest: VideoRest = {
    host: account.apiHost,
    project: account.apiKey,
    timeoutMs,
    createAuthHeaders: () => ({ 'x-opentok-auth': sdk.generateJwt() }),
  };
  const issueToken: MediaProvider['issueToken'] = (input) =>
    issueClientToken(input, (expireTime) =>
      sdk.generateToken(input.mediaSessionId, { role: 'publisher', data: input.data, expireTime }),
    );
  return {
    kind: KIND,
    capabilities: { sipDial: true, sipMonitoring: true, listConnections: true, mute: false },
    clientConfig: { kind: KIND, application: account.apiKey },
    async openSession() {
      // A new object each time: createSession modifies its argument (contract section 1). SIP needs
      // `routed`; the default is relayed.
      const session = await callSdk(limit, () =>
        callOpenTok(sdk, 'createSession', (view, done) =>
          view.createSession({ mediaMode: 'routed', archiveMode: 'manual' }, done),
        ),
      );
      // For a reply that is not JSON, the SDK returns a session without an id and without an error
      // (contract section 1).
      const mediaSessionId = asText(asObject(session)['sessionId']);
      if (mediaSessionId === undefined) throw badReplyError();
      return { mediaSessionId };
    },
    issueToken,
    async dialSip(input) {
      const { uri, ...options } = buildSipCall(input, account.sip);
      const token = issueToken(input);
      const reply = asObject(
        await callSdk(limit, () =>
          callOpenTok(sdk, 'dial', (view, done) => view.dial(input.mediaSessionId, token, uri, options, done)),
        ),
      );
      const connectionId = asText(reply['connectionId']);
      const sipCallId = asText(reply['id']);
      if (connectionId === undefined || sipCallId === undefined) throw badReplyError();
      return { connectionId, sipCallId };
    },
    disconnect: ({ mediaSessionId, connectionId }) => deleteConnection(rest, mediaSessionId, connectionId),
    // The provider mutes streams, not connections, and its lists do not show the connection of a
    // stream (contract section 1).
    mute: () => Promise.reject(new ProviderError('refused', 'unsupported', 'This provider cannot mute a connection.')),
    listConnections: (mediaSessionId) => listConnections(rest, mediaSessionId),
    // The secret belongs to this callback. The key that callbacks of a legacy project claim is
    // undocumented (contract section 6).
    verifyCallback: createCallbackVerifier({
      issuer: 'Vonage',
      secrets: [account.callbackSecret, ...account.extraCallbackSecrets],
      applicationRequired: false,
    }),
    parseCallback: parseMediaCallback,
  };
}

/** The legacy OpenTok environment, through the npm package `opentok`. */
export const opentokMedia: MediaDefinition<OpentokAccount> = { kind: KIND, account: opentokAccountSchema, create };
