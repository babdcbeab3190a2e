import type { MediaDefinition, ProviderDeps } from '@partyline/provider-contract/definition';
import type { MediaProvider } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { opentokAccountSchema, type OpentokAccount } from '../account.ts';
import { callSdk } from '../voice/call-sdk.ts';
import { clientToken } from './client-token.ts';
import { deleteConnection, listConnections, type VideoRest } from './connections.ts';
import { badReply } from '../errors.ts';
import { callOpenTok, openTok } from './opentok-sdk.ts';
import { parseMediaCallback } from './parse-media.ts';
import { callbackVerifier } from '../signature.ts';
import { sipCall } from './sip-dial.ts';
import { asObject, asText } from '../vendor-json.ts';

const KIND = 'opentok';

function create(account: OpentokAccount, { timeoutMs }: ProviderDeps): MediaProvider {
  const sdk = openTok(account.apiKey, account.apiSecret, account.apiHost);
  const limit = { timeoutMs, request: 'write' } as const;
  const rest: VideoRest = {
    host: account.apiHost,
    project: account.apiKey,
    timeoutMs,
    authorise: () => ({ 'x-opentok-auth': sdk.generateJwt() }),
  };
  const issueToken: MediaProvider['issueToken'] = (input) =>
    clientToken(input, (expireTime) =>
      sdk.generateToken(input.mediaSessionId, { role: 'publisher', data: input.data, expireTime }),
    );
  return {
    kind: KIND,
    capabilities: { sipDial: true, sipMonitoring: true, listConnections: true, mute: false },
    clientConfig: { kind: KIND, application: account.apiKey },
    async openSession() {
      // a fresh object: createSession fills in the one it is given (contract §1). SIP needs routed, and the default is relayed
      const made = await callSdk(limit, () =>
        callOpenTok(sdk, 'createSession', (view, done) =>
          view.createSession({ mediaMode: 'routed', archiveMode: 'manual' }, done),
        ),
      );
      // a reply that is not JSON gives a session without an id and without an error (contract §1)
      const mediaSessionId = asText(asObject(made)['sessionId']);
      if (mediaSessionId === undefined) throw badReply();
      return { mediaSessionId };
    },
    issueToken,
    async dialSip(input) {
      const { uri, ...options } = sipCall(input, account.sip);
      const token = issueToken(input);
      const reply = asObject(
        await callSdk(limit, () =>
          callOpenTok(sdk, 'dial', (view, done) => view.dial(input.mediaSessionId, token, uri, options, done)),
        ),
      );
      const connectionId = asText(reply['connectionId']);
      const sipCallId = asText(reply['id']);
      if (connectionId === undefined || sipCallId === undefined) throw badReply();
      return { connectionId, sipCallId };
    },
    disconnect: ({ mediaSessionId, connectionId }) => deleteConnection(rest, mediaSessionId, connectionId),
    // Streams are muted, not connections, and the vendor's lists do not tell whose a stream is (contract §1).
    mute: () => Promise.reject(new ProviderError('refused', 'unsupported', 'This provider cannot mute a connection.')),
    listConnections: (mediaSessionId) => listConnections(rest, mediaSessionId),
    // the secret is this callback's own; which key a legacy project's callbacks claim is documented nowhere (contract §6)
    verifyCallback: callbackVerifier({
      secrets: [account.callbackSecret, ...account.extraCallbackSecrets],
      applicationRequired: false,
    }),
    parseCallback: parseMediaCallback,
  };
}

/** Legacy OpenTok, through npm `opentok`. */
export const opentokMedia: MediaDefinition<OpentokAccount> = { kind: KIND, account: opentokAccountSchema, create };
