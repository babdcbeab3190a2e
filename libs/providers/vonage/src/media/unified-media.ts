import { tokenGenerate } from '@vonage/jwt';
import { Vonage } from '@vonage/server-sdk';
import type { MediaDefinition, ProviderDeps } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { unifiedAccountSchema, type UnifiedAccount } from '../account.ts';
import { callSdk } from '../call-sdk.ts';
import { issueClientToken } from './client-token.ts';
import { listConnections, type VideoRest } from './connections.ts';
import { badReplyError } from '@partyline/provider-contract/http-failure';
import { parseMediaCallback } from './parse-media.ts';
import { createCallbackVerifier } from '@partyline/provider-contract/signature';
import { buildSipCall } from './sip-dial.ts';
import { asObject, asText } from '../untrusted-json.ts';
import { assertPathId } from '@partyline/provider-contract/provider-id';

const KIND = 'unified';

function create(account: UnifiedAccount, { timeoutMs }: ProviderDeps): MediaProvider {
  const { applicationId, privateKey } = account;
  const { video: sdk } = new Vonage(
    { applicationId, privateKey },
    { videoHost: account.videoHost, timeout: timeoutMs },
  );
  const limit = { timeoutMs, request: 'write' } as const;
  const rest: VideoRest = {
    host: account.videoHost,
    project: applicationId,
    timeoutMs,
    createAuthHeaders: () => ({ authorization: `Bearer ${tokenGenerate(applicationId, privateKey)}` }),
  };
  const issueToken: MediaProvider['issueToken'] = (input) =>
    issueClientToken(input, (expireTime) =>
      sdk.generateClientToken(input.mediaSessionId, { role: 'publisher', data: input.data, expireTime }),
    );
  return {
    kind: KIND,
    capabilities: { sipDial: true, sipMonitoring: true, listConnections: true, mute: false },
    clientConfig: { kind: KIND, application: applicationId },
    async openSession() {
      // Without mediaMode: the SDK's default `disabled` means routed; `mediaMode: 'routed'` would
      // be sent unchanged (contract section 0.11).
      const session = await callSdk(limit, () => sdk.createSession());
      const mediaSessionId = asText(asObject(session)['sessionId']);
      if (mediaSessionId === undefined) throw badReplyError();
      return { mediaSessionId };
    },
    issueToken,
    async dialSip(input) {
      const sip = buildSipCall(input, account.sip);
      const token = issueToken(input);
      const reply: unknown = await callSdk(limit, () => sdk.initiateSIPCall(input.mediaSessionId, { token, sip }));
      const { id, connectionId } = asObject(reply);
      const sipCallId = asText(id);
      const connection = asText(connectionId);
      if (connection === undefined || sipCallId === undefined) throw badReplyError();
      return { connectionId: connection, sipCallId };
    },
    async disconnect({ mediaSessionId, connectionId }) {
      const session = assertPathId(mediaSessionId, 'session id');
      const connection = assertPathId(connectionId, 'connection id');
      await callSdk(limit, () => sdk.disconnectClient(session, connection));
    },
    // The provider mutes streams, not connections, and its lists do not show the connection of a
    // stream (contract section 1).
    mute: () => Promise.reject(new ProviderError('refused', 'unsupported', 'This provider cannot mute a connection.')),
    listConnections: (mediaSessionId) => listConnections(rest, mediaSessionId),
    verifyCallback: createCallbackVerifier({
      issuer: 'Vonage',
      secrets: [account.callbackSecret, ...account.extraCallbackSecrets],
      applicationId,
      applicationRequired: false,
    }),
    parseCallback: parseMediaCallback,
  };
}

/** The unified environment, through the `@vonage/video` part of `@vonage/server-sdk`. */
export const unifiedMedia: MediaDefinition<UnifiedAccount> = { kind: KIND, account: unifiedAccountSchema, create };
